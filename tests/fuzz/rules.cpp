// Rule files of every form, and expressions: what is accepted must come out of its canonical form as the same
// thing again, and a rendered expression must be one expression, however its strings look.
#include "tools/mask/rules/rules.h"

#include <string>
#include <string_view>

#include "tools/mask/rules/expression.h"

namespace {

using branchfs::mask::Expression;

// Outside of quotes SQL of ours holds no semicolon, no comment, and closes what it opens.
void check_rendered(std::string_view sql) {
  int depth = 0;
  for (std::size_t i = 0; i < sql.size(); ++i) {
    const char c = sql[i];
    if (c == '\'' || c == '"') {
      for (++i; i < sql.size(); ++i) {
        if (sql[i] != c) continue;
        if (i + 1 == sql.size() || sql[i + 1] != c) break;
        ++i;
      }
      if (i >= sql.size()) __builtin_trap();
      continue;
    }
    const std::string_view two = sql.substr(i, 2);
    if (c == ';' || c == '$' || two == "--" || two == "/*") __builtin_trap();
    if (c == '(' || c == '[') ++depth;
    if ((c == ')' || c == ']') && --depth < 0) __builtin_trap();
  }
  if (depth != 0) __builtin_trap();
}

void check_expression(std::string_view text) {
  auto parsed = Expression::parse(text);
  if (!parsed) return;
  check_rendered(parsed->render());
  auto again = Expression::parse(parsed->text());
  // Parentheses of the canonical form may pass the limits that the text as written kept.
  if (again && again->render() != parsed->render()) __builtin_trap();
  static_cast<void>(parsed->uniqueness("a"));
  static_cast<void>(parsed->longest());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_expression(text);
  for (const char* form : {"json", "yaml", "sql"}) {
    auto rules = branchfs::mask::parse_rules(text, form);
    if (!rules) continue;
    auto again = branchfs::mask::parse_rules(rules->canonical().dump(), "json");
    if (again && again->hash != rules->hash) __builtin_trap();
  }
  return 0;
}
