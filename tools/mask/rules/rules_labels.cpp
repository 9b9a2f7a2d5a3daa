// SECURITY LABEL statements, and labels as pg_seclabel holds them.
#include <fmt/format.h>

#include <algorithm>

#include "tools/mask/rules/rules_form.h"
#include "tools/mask/rules/tokens.h"
#include "tools/pg/text.h"

namespace branchfs::mask {
namespace {

Error refuse(std::string what, std::string hint = {}) {
  return make_error(Kind::refused, std::move(what), std::move(hint));
}

class Statements {
 public:
  Statements(std::string_view text, std::vector<Token> tokens) : text_(text), tokens_(std::move(tokens)) {}

  Result<RuleSet> run() {
    RuleSet rules;
    rules.defaults.unmapped_columns = UnmappedColumns::keep;
    while (here().kind != TokenKind::end) {
      if (accept(";")) continue;
      const std::size_t line = line_of(here().position);
      if (auto status = statement(rules, line); !status)
        return std::move(status).error().context(fmt::format("line {}", line));
    }
    rules.seal();
    return rules;
  }

 private:
  [[nodiscard]] const Token& here() const { return tokens_[at_]; }
  [[nodiscard]] std::size_t line_of(std::size_t position) const {
    return 1 + static_cast<std::size_t>(
                   std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(position), '\n'));
  }
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
  Status expect_word(std::string_view word) {
    if (accept_word(word)) return {};
    return refuse(fmt::format("{} is missing {}", word, where_in(text_, here().position)));
  }

  Status statement(RuleSet& rules, std::size_t line) {
    if (!accept_word("security")) {
      return refuse("this is no SECURITY LABEL statement",
                    "a label file holds SECURITY LABEL FOR anon ON COLUMN … IS '…' and comments alone");
    }
    BFS_TRY(expect_word("label"));
    if (accept_word("for")) {
      const Token& provider = here();
      const bool named = provider.is_any_name() || provider.kind == TokenKind::string;
      if (!named || provider.text != "anon")
        return refuse("labels of another provider than anon", "remove the statement");
      ++at_;
    }
    BFS_TRY(expect_word("on"));
    Rule rule;
    rule.number = rules.rules.size() + 1;
    if (accept_word("role")) return role(rules, line);
    if (!accept_word("column")) return refuse("only labels ON COLUMN are rules", "remove the statement");
    BFS_TRY(column(rule));
    BFS_TRY(expect_word("is"));
    if (accept_word("null")) {
      rules.warnings.push_back(fmt::format("line {}: IS NULL removes a label and is ignored", line));
      return end();
    }
    if (here().kind != TokenKind::string) return refuse("after IS comes a string");
    const std::string label = tokens_[at_++].text;
    if (auto status = apply_label(rule, label); !status) return context_of(rule, std::move(status).error());
    if (rules.rules.size() >= kRuleLimit) return refuse(fmt::format("more than {} rules", kRuleLimit));
    rules.rules.push_back(std::move(rule));
    return end();
  }

  Status role(RuleSet& rules, std::size_t line) {
    while (here().kind != TokenKind::end && !here().is(";")) ++at_;
    rules.warnings.push_back(fmt::format(
        "line {}: masked roles mean nothing in a branch that is masked for everybody; ignored", line));
    return end();
  }

  Status column(Rule& rule) {
    std::vector<std::string> parts;
    do {
      if (!here().is_any_name()) return refuse("the name of a column is missing");
      parts.push_back(literal_glob(tokens_[at_++].text));
    } while (accept("."));
    if (parts.size() < 2 || parts.size() > 4) return refuse("a column is written as schema.table.column");
    rule.column = parts.back();
    rule.table = parts[parts.size() - 2];
    if (parts.size() > 2) rule.schema = parts[parts.size() - 3];
    if (parts.size() > 3) rule.database = parts[0];
    return {};
  }

  Status end() {
    if (here().kind == TokenKind::end || accept(";")) return {};
    return refuse(fmt::format("a semicolon is missing {}", where_in(text_, here().position)));
  }

  std::string_view text_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
};

// The words in any case, any blanks between them; what follows them otherwise nothing.
bool take_words(std::string_view& text, std::initializer_list<std::string_view> words) {
  std::string_view rest = text;
  for (std::string_view word : words) {
    rest = pg::trim(rest);
    if (pg::lower(std::string(rest.substr(0, word.size()))) != word) return false;
    rest.remove_prefix(word.size());
    const bool ends = rest.empty() || rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\n' ||
                      rest[0] == '\r' || rest[0] == '$' || rest[0] == '\'' || rest[0] == '(';
    if (!ends) return false;
  }
  text = pg::trim(rest);
  return true;
}

}  // namespace

Status apply_label(Rule& rule, std::string_view label) {
  std::string_view rest = label;
  if (take_words(rest, {"not", "masked"}) && rest.empty()) {
    rule.action = Action::keep;
    rule.text = "keep";
    return {};
  }
  rest = label;
  if (take_words(rest, {"masked", "with", "function"})) return set_expression(rule, Action::function, rest);
  if (take_words(rest, {"masked", "with", "value"})) return set_expression(rule, Action::value, rest);
  return refuse("the label is neither MASKED WITH FUNCTION …, MASKED WITH VALUE … nor NOT MASKED");
}

Result<RuleSet> rules_of_statements(std::string_view sql) {
  auto tokens = tokenize(sql, Dialect::statements);
  if (!tokens) return std::move(tokens).error();
  return Statements(sql, *std::move(tokens)).run();
}

Result<RuleSet> rules_from_labels(const std::vector<Label>& labels) {
  RuleSet rules;
  rules.defaults.unmapped_columns = UnmappedColumns::keep;
  for (const Label& label : labels) {
    Rule rule;
    rule.number = rules.rules.size() + 1;
    rule.database = literal_glob(label.database);
    rule.schema = literal_glob(label.schema);
    rule.table = literal_glob(label.table);
    rule.column = literal_glob(label.column);
    if (auto status = apply_label(rule, label.label); !status)
      return context_of(rule, std::move(status).error());
    rules.rules.push_back(std::move(rule));
  }
  rules.seal();
  return rules;
}

}  // namespace branchfs::mask
