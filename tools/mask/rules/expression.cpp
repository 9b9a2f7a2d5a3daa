#include "tools/mask/rules/expression.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/mask/module/module.h"
#include "tools/mask/rules/expression_node.h"

namespace branchfs::mask {
namespace {

using Node = Expression::Node;

std::string quoted(std::string_view text, char quote) {
  std::string result(1, quote);
  for (char c : text) {
    result += c;
    if (c == quote) result += c;
  }
  result += quote;
  return result;
}

// SQL for the server, or the rule language in its one form.
class Renderer {
 public:
  Renderer(bool sql, const std::function<std::string(const std::string&)>& column)
      : sql_(sql), column_(column) {}

  [[nodiscard]] std::string render(const Node& node) const {
    switch (node.kind) {
      case Node::Kind::string:
        return quote_literal(node.text);
      case Node::Kind::number:
      case Node::Kind::word:
        return node.text;
      case Node::Kind::column:
        return column(node);
      case Node::Kind::anon_call:
        return (sql_ ? std::string(kSchema) : "anon") + "." + name(node.text) + arguments(node);
      case Node::Kind::builtin:
        return "pg_catalog." + name(node.text) + arguments(node);
      case Node::Kind::conditional:
        return node.text + arguments(node);
      case Node::Kind::cast:
        return fmt::format("({}::{})", render(*node.children[0]), type(node));
      case Node::Kind::binary:
        return fmt::format("({} {} {})", render(*node.children[0]), operation(node.text),
                           render(*node.children[1]));
      case Node::Kind::unary:
        return fmt::format("({} {})", node.text, render(*node.children[0]));
      case Node::Kind::is:
        return fmt::format("({} IS {})", render(*node.children[0]), node.text);
      case Node::Kind::between:
        return fmt::format("({} {}BETWEEN {} AND {})", render(*node.children[0]), node.negated ? "NOT " : "",
                           render(*node.children[1]), render(*node.children[2]));
      case Node::Kind::in:
        return fmt::format("({} {}IN ({}))", render(*node.children[0]), node.negated ? "NOT " : "",
                           list(node, 1));
      case Node::Kind::array:
        return fmt::format("ARRAY[{}]", list(node, 0));
      case Node::Kind::choice:
        return choice(node);
    }
    return "NULL";
  }

 private:
  // Names of functions come from our own catalog, but what is one there may be a keyword elsewhere ("left").
  [[nodiscard]] std::string name(const std::string& text) const { return sql_ ? quote_name(text) : text; }
  [[nodiscard]] std::string column(const Node& node) const {
    if (sql_ && column_) return column_(node.text);
    const bool qualified = !sql_ && !node.schema.empty();
    return (qualified ? quote_name(node.schema) + "." : "") + quote_name(node.text);
  }
  [[nodiscard]] std::string operation(const std::string& text) const {
    if (text == "AND" || text == "OR") return text;
    if (sql_) return fmt::format("OPERATOR(pg_catalog.{})", text);
    if (text == "~~") return "LIKE";
    if (text == "~~*") return "ILIKE";
    if (text == "!~~") return "NOT LIKE";
    if (text == "!~~*") return "NOT ILIKE";
    return text;
  }
  [[nodiscard]] std::string type(const Node& node) const {
    std::string text;
    if (!node.schema.empty()) {
      text = quote_name(node.schema) + "." + quote_name(node.text);
    } else {
      text = sql_ ? "pg_catalog." + quote_name(node.text) : node.text;
    }
    if (!node.modifiers.empty()) text += "(" + node.modifiers + ")";
    if (node.array) text += "[]";
    return text;
  }
  [[nodiscard]] std::string list(const Node& node, std::size_t first) const {
    std::string text;
    for (std::size_t i = first; i < node.children.size(); ++i) {
      if (i > first) text += ", ";
      text += render(*node.children[i]);
    }
    return text;
  }
  [[nodiscard]] std::string arguments(const Node& node) const {
    std::string text = "(";
    for (std::size_t i = 0; i < node.children.size(); ++i) {
      if (i > 0) text += ", ";
      if (i < node.labels.size() && !node.labels[i].empty()) text += quote_name(node.labels[i]) + " => ";
      text += render(*node.children[i]);
    }
    return text + ")";
  }
  [[nodiscard]] std::string choice(const Node& node) const {
    std::string text = "(CASE";
    std::size_t at = 0;
    if (node.has_operand) text += " " + render(*node.children[at++]);
    const std::size_t end = node.children.size() - (node.has_else ? 1 : 0);
    for (; at < end; at += 2) {
      text += fmt::format(" WHEN {} THEN {}", render(*node.children[at]), render(*node.children[at + 1]));
    }
    if (node.has_else) text += " ELSE " + render(*node.children.back());
    return text + " END)";
  }

  bool sql_;
  const std::function<std::string(const std::string&)>& column_;
};

template <class Visit>
void walk(const Node& node, const Visit& visit) {
  visit(node);
  for (const NodePtr& child : node.children) walk(*child, visit);
}

}  // namespace

std::string quote_name(std::string_view name) { return quoted(name, '"'); }
std::string quote_literal(std::string_view text) { return quoted(text, '\''); }

Result<Expression> Expression::parse(std::string_view text) {
  BFS_ASSIGN(NodePtr root, parse_expression(text));
  return Expression(std::move(root));
}

std::string Expression::render(const std::function<std::string(const std::string&)>& column) const {
  return Renderer(true, column).render(*root_);
}

std::string Expression::text() const {
  std::string text = Renderer(false, {}).render(*root_);
  return text;
}

std::set<std::string> Expression::columns() const {
  std::set<std::string> names;
  walk(*root_, [&](const Node& node) {
    if (node.kind == Node::Kind::column) names.insert(node.text);
  });
  return names;
}

std::set<std::string> Expression::qualifiers() const {
  std::set<std::string> names;
  walk(*root_, [&](const Node& node) {
    if (node.kind == Node::Kind::column && !node.schema.empty()) names.insert(node.schema);
  });
  return names;
}

std::set<std::pair<std::string, std::string>> Expression::types() const {
  std::set<std::pair<std::string, std::string>> names;
  walk(*root_, [&](const Node& node) {
    if (node.kind == Node::Kind::cast && !node.schema.empty()) names.emplace(node.schema, node.text);
  });
  return names;
}

std::vector<std::string> Expression::functions() const {
  std::vector<std::string> names;
  walk(*root_, [&](const Node& node) {
    if (node.kind == Node::Kind::anon_call) names.push_back(node.text);
  });
  return names;
}

bool Expression::is_null() const {
  const Node* node = root_.get();
  while (node->kind == Node::Kind::cast) node = node->children[0].get();
  return node->kind == Node::Kind::word && node->text == "NULL";
}

}  // namespace branchfs::mask
