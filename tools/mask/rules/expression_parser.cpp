// Precedence climbing over the tokens, with the binding powers of PostgreSQL's grammar.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "tools/mask/rules/expression_node.h"
#include "tools/mask/rules/tokens.h"
#include "tools/mask/rules/types.h"
#include "tools/text.h"

namespace branchfs::mask {
namespace {

using Node = Expression::Node;

// Weakest first.
enum Binding : int {
  kAny = 0,
  kOr = 1,
  kAnd = 2,
  kNot = 3,
  kIs = 4,
  kComparison = 5,
  kRange = 6,  // BETWEEN, IN, LIKE
  kOther = 7,  // ||, ~
  kSum = 8,
  kProduct = 9,
  kSign = 10,
  kCast = 11,
};

std::optional<Binding> binary_binding(const Token& token) {
  if (token.is_word("or")) return kOr;
  if (token.is_word("and")) return kAnd;
  if (token.kind != TokenKind::symbol) return std::nullopt;
  static constexpr std::array<std::pair<std::string_view, Binding>, 17> kBindings{{{"=", kComparison},
                                                                                   {"<>", kComparison},
                                                                                   {"!=", kComparison},
                                                                                   {"<", kComparison},
                                                                                   {"<=", kComparison},
                                                                                   {">", kComparison},
                                                                                   {">=", kComparison},
                                                                                   {"||", kOther},
                                                                                   {"~", kOther},
                                                                                   {"~*", kOther},
                                                                                   {"!~", kOther},
                                                                                   {"!~*", kOther},
                                                                                   {"+", kSum},
                                                                                   {"-", kSum},
                                                                                   {"*", kProduct},
                                                                                   {"/", kProduct},
                                                                                   {"%", kProduct}}};
  for (const auto& [symbol, binding] : kBindings) {
    if (token.text == symbol) return binding;
  }
  return std::nullopt;
}

// Words that begin or continue syntax: never a column unless quoted.
constexpr std::array<std::string_view, 38> kReserved{
    "all",   "and",    "any",    "array",  "as",     "between", "case",  "cast",  "collate", "distinct",
    "else",  "end",    "except", "exists", "false",  "from",    "ilike", "in",    "is",      "like",
    "not",   "null",   "or",     "order",  "select", "similar", "some",  "table", "then",    "true",
    "union", "values", "when",   "where",  "with",   "into",    "using", "create"};

bool is_reserved(const Token& token) {
  return token.kind == TokenKind::name &&
         std::find(kReserved.begin(), kReserved.end(), token.text) != kReserved.end();
}

// "r int4range, n integer DEFAULT 3" → r, n
struct Parameter {
  std::string name;
  bool optional = false;
};
std::vector<Parameter> parameters(std::string_view text) {
  std::vector<Parameter> found;
  std::size_t first = 0;
  int depth = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] == '(') ++depth;
    if (i < text.size() && text[i] == ')') --depth;
    if (i < text.size() && (text[i] != ',' || depth != 0)) continue;
    std::string_view part = text.substr(first, i - first);
    first = i + 1;
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    if (part.empty()) continue;
    found.push_back(Parameter{
        std::string(part.substr(0, part.find(' '))),
        part.find(" DEFAULT ") != std::string_view::npos || part.find('=') != std::string_view::npos});
  }
  return found;
}

bool fits(const std::vector<Parameter>& wanted, const std::vector<std::string>& labels) {
  if (labels.size() > wanted.size()) return false;
  std::vector<bool> given(wanted.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    std::size_t place = i;
    if (!labels[i].empty()) {
      const auto named =
          std::find_if(wanted.begin(), wanted.end(), [&](const auto& p) { return p.name == labels[i]; });
      if (named == wanted.end()) return false;
      place = static_cast<std::size_t>(named - wanted.begin());
    }
    if (given[place]) return false;
    given[place] = true;
  }
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!given[i] && !wanted[i].optional) return false;
  }
  return true;
}

class Parser {
 public:
  Parser(std::string_view text, std::vector<Token> tokens) : text_(text), tokens_(std::move(tokens)) {}

  Result<NodePtr> run() {
    BFS_ASSIGN(NodePtr root, expression(kAny));
    if (here().kind != TokenKind::end) return refuse(here(), unexpected());
    return root;
  }

 private:
  [[nodiscard]] const Token& here() const { return tokens_[at_]; }
  [[nodiscard]] const Token& ahead(std::size_t by = 1) const {
    return tokens_[std::min(at_ + by, tokens_.size() - 1)];
  }
  Token take() { return tokens_[here().kind == TokenKind::end ? at_ : at_++]; }
  bool accept(std::string_view symbol) {
    if (!here().is(symbol)) return false;
    ++at_;
    return true;
  }
  bool accept_word(std::string_view word) {
    if (!here().is_word(word)) return false;
    ++at_;
    return true;
  }
  [[nodiscard]] Error refuse(const Token& token, std::string_view what, std::string hint = {}) const {
    return make_error(Kind::refused, fmt::format("{} {}", what, where_in(text_, token.position)),
                      std::move(hint));
  }
  Status expect(std::string_view symbol) {
    if (accept(symbol)) return {};
    return refuse(here(), fmt::format("'{}' is missing", symbol));
  }
  Status expect_word(std::string_view word) {
    if (accept_word(word)) return {};
    return refuse(here(), fmt::format("{} is missing", word));
  }
  [[nodiscard]] std::string unexpected() const {
    if (here().kind == TokenKind::end) return "the expression ends too early";
    if (here().is_word("select") || here().is_word("with")) return "subqueries are not allowed";
    if (here().is_word("collate")) return "COLLATE is not allowed";
    if (here().is_word("over") || here().is_word("filter"))
      return "aggregates and window functions are not allowed";
    return "this is not understood";
  }

  // Every node is made here, so that the depth is known and bounded.
  Result<NodePtr> make(Node node) {
    for (const NodePtr& child : node.children) node.depth = std::max(node.depth, child->depth + 1);
    if (node.depth > kDepthLimit)
      return refuse(here(), fmt::format("the expression is nested more than {} deep", kDepthLimit));
    return NodePtr(std::make_shared<const Node>(std::move(node)));
  }
  static Node node(Node::Kind kind, std::string text, std::vector<NodePtr> children = {}) {
    Node made;
    made.kind = kind;
    made.text = std::move(text);
    made.children = std::move(children);
    return made;
  }

  Result<NodePtr> expression(int weakest) {
    if (++nesting_ > kDepthLimit)
      return refuse(here(), fmt::format("the expression is nested more than {} deep", kDepthLimit));
    BFS_ASSIGN(NodePtr left, prefix());
    while (true) {
      const std::size_t before = at_;
      BFS_ASSIGN(left, suffix(std::move(left), weakest));
      if (at_ == before) break;
    }
    --nesting_;
    return left;
  }

  Result<NodePtr> prefix() {
    if (accept_word("not")) {
      BFS_ASSIGN(NodePtr value, expression(kNot));
      return make(node(Node::Kind::unary, "NOT", {std::move(value)}));
    }
    for (const char* sign : {"-", "+"}) {
      if (!accept(sign)) continue;
      BFS_ASSIGN(NodePtr value, expression(kSign));
      return make(node(Node::Kind::unary, sign, {std::move(value)}));
    }
    return primary();
  }

  // One more operator on the right of `left`, when it binds stronger than `weakest`; else `left` as it is.
  Result<NodePtr> suffix(NodePtr left, int weakest) {
    if (here().is("::") && weakest < kCast) {
      ++at_;
      return cast(std::move(left));
    }
    if (here().is_word("is") && weakest < kIs) return is_test(std::move(left));
    if (weakest < kRange) {
      const bool negated = here().is_word("not");
      const Token& word = negated ? ahead() : here();
      const bool known =
          word.is_word("like") || word.is_word("ilike") || word.is_word("between") || word.is_word("in");
      if (known) {
        at_ += negated ? 2 : 1;
        return range(std::move(left), word.text, negated);
      }
    }
    const auto binding = binary_binding(here());
    if (!binding || *binding <= weakest) return left;
    const Token sign = take();
    BFS_ASSIGN(NodePtr right, expression(*binding));
    if (*binding == kComparison && binary_binding(here()) == kComparison) {
      return refuse(here(), "comparisons do not chain");
    }
    std::string name = sign.text;
    if (name == "!=") name = "<>";
    if (*binding == kOr) name = "OR";
    if (*binding == kAnd) name = "AND";
    return make(node(Node::Kind::binary, std::move(name), {std::move(left), std::move(right)}));
  }

  Result<NodePtr> is_test(NodePtr value) {
    take();
    std::string test = accept_word("not") ? "NOT " : "";
    for (const auto& [word, name] :
         {std::pair{"null", "NULL"}, {"true", "TRUE"}, {"false", "FALSE"}, {"unknown", "UNKNOWN"}}) {
      if (accept_word(word)) return make(node(Node::Kind::is, test + name, {std::move(value)}));
    }
    return refuse(here(), "after IS comes [NOT] NULL, TRUE, FALSE or UNKNOWN");
  }

  Result<NodePtr> range(NodePtr value, const std::string& word, bool negated) {
    Node made;
    made.negated = negated;
    made.children = {std::move(value)};
    if (word == "in") {
      made.kind = Node::Kind::in;
      BFS_TRY(expect("("));
      if (here().is_word("select")) return refuse(here(), "subqueries are not allowed");
      BFS_TRY(list(made.children, ")"));
      return make(std::move(made));
    }
    BFS_ASSIGN(NodePtr second, expression(kRange));
    made.children.push_back(std::move(second));
    if (word == "between") {
      made.kind = Node::Kind::between;
      BFS_TRY(expect_word("and"));
      BFS_ASSIGN(NodePtr high, expression(kRange));
      made.children.push_back(std::move(high));
      return make(std::move(made));
    }
    if (here().is_word("escape")) return refuse(here(), "ESCAPE is not allowed");
    made.kind = Node::Kind::binary;
    made.text = std::string(negated ? "!~~" : "~~") + (word == "ilike" ? "*" : "");
    made.negated = false;
    return make(std::move(made));
  }

  // One expression or more, then `close`.
  Status list(std::vector<NodePtr>& into, std::string_view close) {
    do {
      BFS_ASSIGN(NodePtr item, expression(kAny));
      into.push_back(std::move(item));
    } while (accept(","));
    return expect(close);
  }

  Result<NodePtr> primary() {
    const Token& token = here();
    switch (token.kind) {
      case TokenKind::string:
        return make(node(Node::Kind::string, take().text));
      case TokenKind::number:
        return make(node(Node::Kind::number, take().text));
      case TokenKind::quoted_name:
        return named();
      case TokenKind::symbol:
        if (accept("(")) {
          BFS_ASSIGN(NodePtr inner, expression(kAny));
          BFS_TRY(expect(")"));
          return inner;
        }
        return refuse(token, unexpected());
      case TokenKind::name:
        return word();
      case TokenKind::end:
        break;
    }
    return refuse(token, unexpected());
  }

  Result<NodePtr> word() {
    for (const auto& [name, value] : {std::pair{"null", "NULL"}, {"true", "TRUE"}, {"false", "FALSE"}}) {
      if (accept_word(name)) return make(node(Node::Kind::word, value));
    }
    if (accept_word("case")) return choice();
    if (here().is_word("array") && ahead().is("[")) {
      at_ += 2;
      Node made = node(Node::Kind::array, "");
      BFS_TRY(list(made.children, "]"));
      return make(std::move(made));
    }
    if (here().is_word("cast") && ahead().is("(")) {
      at_ += 2;
      BFS_ASSIGN(NodePtr value, expression(kAny));
      BFS_TRY(expect_word("as"));
      BFS_ASSIGN(NodePtr made, cast(std::move(value)));
      BFS_TRY(expect(")"));
      return made;
    }
    for (const char* special : {"coalesce", "nullif", "greatest", "least"}) {
      if (here().is_word(special) && ahead().is("(")) return conditional();
    }
    if (is_reserved(here())) return refuse(here(), unexpected());
    BFS_ASSIGN(NodePtr literal, typed_literal());
    if (literal) return literal;
    return named();
  }

  Result<NodePtr> conditional() {
    Node made = node(Node::Kind::conditional, take().text);
    take();
    const Token first = here();
    BFS_TRY(list(made.children, ")"));
    if (made.text == "nullif" && made.children.size() != 2)
      return refuse(first, "NULLIF takes two arguments");
    std::transform(made.text.begin(), made.text.end(), made.text.begin(),
                   [](char c) { return static_cast<char>(c - 'a' + 'A'); });
    return make(std::move(made));
  }

  Result<NodePtr> choice() {
    Node made = node(Node::Kind::choice, "");
    if (!here().is_word("when")) {
      BFS_ASSIGN(NodePtr operand, expression(kAny));
      made.children.push_back(std::move(operand));
      made.has_operand = true;
    }
    if (!here().is_word("when")) return refuse(here(), "WHEN is missing");
    while (accept_word("when")) {
      BFS_ASSIGN(NodePtr condition, expression(kAny));
      BFS_TRY(expect_word("then"));
      BFS_ASSIGN(NodePtr value, expression(kAny));
      made.children.push_back(std::move(condition));
      made.children.push_back(std::move(value));
    }
    if (accept_word("else")) {
      BFS_ASSIGN(NodePtr value, expression(kAny));
      made.children.push_back(std::move(value));
      made.has_else = true;
    }
    BFS_TRY(expect_word("end"));
    return make(std::move(made));
  }

  // A column, or a call.
  Result<NodePtr> named() {
    const Token first = take();
    std::vector<std::string> parts{first.text};
    while (accept(".")) {
      if (!here().is_any_name()) return refuse(here(), "a name is missing after '.'");
      parts.push_back(take().text);
    }
    if (accept("(")) return call(first, parts);
    if (parts.size() > 2) return refuse(first, "a column is written as column or table.column");
    Node made = node(Node::Kind::column, parts.back());
    if (parts.size() == 2) made.schema = parts.front();
    return make(std::move(made));
  }

  Result<NodePtr> call(const Token& first, const std::vector<std::string>& parts) {
    // One function under two names.
    const std::string name = parts.back() == "substring" ? "substr" : parts.back();
    const std::string schema = parts.size() == 1 ? "" : parts.front();
    const bool anon = schema == "anon" && parts.size() == 2 && !overloads(name).empty();
    const bool builtin =
        (schema.empty() || (schema == "pg_catalog" && parts.size() == 2)) && is_trusted_builtin(name);
    if (!anon && !builtin) return unknown_function(first, parts);
    Node made = node(anon ? Node::Kind::anon_call : Node::Kind::builtin, name);
    BFS_TRY(arguments(made));
    if (anon) {
      const auto known = overloads(name);
      const bool any = std::any_of(known.begin(), known.end(), [&](const Signature& s) {
        return fits(parameters(s.arguments), made.labels);
      });
      if (!any)
        return refuse(first, fmt::format("anon.{} does not take these arguments", name), usage_of(name));
    }
    return make(std::move(made));
  }

  Status arguments(Node& made) {
    if (accept(")")) return {};
    do {
      std::string label;
      if (here().is_any_name() && (ahead().is(":=") || ahead().is("=>"))) {
        if (made.kind != Node::Kind::anon_call)
          return refuse(here(), "arguments of builtin functions have no names");
        label = take().text;
        take();
      } else if (!made.labels.empty() && !made.labels.back().empty()) {
        return refuse(here(), "an argument without a name follows one with a name");
      }
      BFS_ASSIGN(NodePtr value, expression(kAny));
      made.labels.push_back(std::move(label));
      made.children.push_back(std::move(value));
    } while (accept(","));
    return expect(")");
  }

  static std::string usage_of(const std::string& name) {
    std::vector<std::string> forms;
    for (const Signature& s : overloads(name))
      forms.push_back(fmt::format("anon.{}({})", s.name, s.arguments));
    return "it is " + enumerate(forms);
  }

  [[nodiscard]] Error unknown_function(const Token& first, const std::vector<std::string>& parts) const {
    const std::string& name = parts.back();
    if (!overloads(name).empty())
      return refuse(first, "unknown function", fmt::format("did you mean anon.{}?", name));
    if (is_trusted_builtin(name))
      return refuse(first, "unknown function", fmt::format("did you mean pg_catalog.{}?", name));
    std::vector<std::string> candidates;
    for (const Signature& s : signatures()) candidates.emplace_back(s.name);
    const std::string near = nearest(name, candidates);
    return refuse(
        first, "unknown function",
        near.empty()
            ? "a rule may call the functions of anon and the trusted builtins; docs/masking.md lists them"
            : fmt::format("did you mean anon.{}?", near));
  }

  // date '2000-01-01', timestamp with time zone '…': null when it is something else.
  Result<NodePtr> typed_literal() {
    const std::size_t before = at_;
    std::string name = type_words();
    if (name == "time" || name == "timestamp") name += with_time_zone() ? "tz" : "";
    const std::string_view type = builtin_type(name);
    if (type.empty() || here().kind != TokenKind::string) {
      at_ = before;
      return NodePtr();
    }
    BFS_ASSIGN(NodePtr value, make(node(Node::Kind::string, take().text)));
    Node made = node(Node::Kind::cast, std::string(type), {std::move(value)});
    if (name == "char" || name == "character") made.modifiers = "1";
    return make(std::move(made));
  }

  // The words of a type's name: "timestamp with time zone", "double precision", "character varying".
  std::string type_words() {
    std::string name = take().text;
    if (name == "double" && accept_word("precision")) return "double precision";
    if ((name == "character" || name == "char") && accept_word("varying")) return "character varying";
    if (name == "bit" && accept_word("varying")) return "bit varying";
    return name;
  }
  // After the modifier: timestamp(3) with time zone.
  bool with_time_zone() {
    if ((here().is_word("with") || here().is_word("without")) && ahead().is_word("time") &&
        ahead(2).is_word("zone")) {
      const bool with = here().is_word("with");
      at_ += 3;
      return with;
    }
    return false;
  }

  Result<NodePtr> cast(NodePtr value) {
    const Token first = here();
    if (!first.is_any_name()) return refuse(first, "the name of a type is missing");
    Node made = node(Node::Kind::cast, "", {std::move(value)});
    std::string name = first.kind == TokenKind::name ? type_words() : take().text;
    bool builtin = first.kind == TokenKind::name;
    if (accept(".")) {
      if (!here().is_any_name()) return refuse(here(), "the name of a type is missing");
      made.schema = std::exchange(name, "");
      builtin = made.schema == "pg_catalog" && here().kind == TokenKind::name;
      name = builtin ? type_words() : take().text;
      if (made.schema == "pg_catalog" && !builtin) return refuse(first, "unknown type");
    }
    if (builtin) {
      made.schema.clear();
      made.text = builtin_type(name);
      if (made.text.empty()) {
        return refuse(first, "unknown type", "write an enum or a domain with its schema: ::public." + name);
      }
      BFS_TRY(modifiers(made, name));
    } else if (made.schema.empty()) {
      return refuse(first, "unknown type",
                    "write an enum or a domain with its schema: ::public." + quote_name(name));
    } else {
      made.text = name;
    }
    if (accept("[")) {
      BFS_TRY(expect("]"));
      made.array = true;
    }
    return make(std::move(made));
  }

  Status modifiers(Node& made, const std::string& written) {
    const bool times = made.text == "time" || made.text == "timestamp" || made.text == "timetz" ||
                       made.text == "timestamptz";
    const bool takes = times || made.text == "varchar" || made.text == "bpchar" || made.text == "numeric" ||
                       made.text == "varbit";
    if (here().is("(")) {
      const Token first = take();
      if (!takes) return refuse(first, fmt::format("the type {} takes no modifier", written));
      do {
        const Token number = take();
        const bool digits = number.kind == TokenKind::number && number.text.size() <= 8 &&
                            number.text.find_first_not_of("0123456789") == std::string::npos;
        if (!digits) return refuse(number, "a type's modifier is a number");
        made.modifiers += (made.modifiers.empty() ? "" : ",") + number.text;
      } while (made.text == "numeric" && accept(",") && made.modifiers.find(',') == std::string::npos);
      BFS_TRY(expect(")"));
    } else if (written == "char" || written == "character") {
      made.modifiers = "1";
    }
    if ((written == "time" || written == "timestamp") && with_time_zone()) made.text += "tz";
    return {};
  }

  std::string_view text_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int nesting_ = 0;
};

}  // namespace

Result<NodePtr> parse_expression(std::string_view text) {
  auto tokens = tokenize(text, Dialect::expression);
  if (!tokens) return std::move(tokens).error();
  return Parser(text, *std::move(tokens)).run();
}

}  // namespace branchfs::mask
