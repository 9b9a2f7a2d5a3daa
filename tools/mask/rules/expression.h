// Expressions of rules: parsed by us, rendered by us. No string of a rule ever reaches SQL as it was written.
//
// The grammar is a closed subset of SQL expressions: literals ('…', $$…$$, $tag$…$tag$, numbers, TRUE, FALSE,
// NULL), ARRAY[…], names of columns ("quoted" or folded to lower case; `table.column` is allowed, see
// qualifiers()), calls `[schema.]function(arguments)` of functions in functions/catalog.h (schema `anon`) and
// of trusted builtins (schema pg_catalog or none), with positional or named arguments (`words := 5`),
// COALESCE, NULLIF, GREATEST, LEAST, casts `::type`, CAST(… AS type) and `type '…'` to builtin types or
// schema-qualified enums and domains (see types()), operators || + - * / % = <> != < <= > >= ~ ~* !~ !~* LIKE
// ILIKE BETWEEN IN IS [NOT] NULL/TRUE/FALSE/UNKNOWN AND OR NOT, CASE, parentheses. No subqueries, no
// comments, no semicolons, no parameters, no E'' or U&'' strings. Rendering quotes every name and literal
// anew, qualifies every function, type and operator, and puts each operation into parentheses. Values; any
// thread. Errors: refused, with the position and what is not allowed.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "layers/base/result.h"
#include "tools/mask/functions/catalog.h"

namespace branchfs::mask {

class Expression {
 public:
  static Result<Expression> parse(std::string_view text);

  // SQL. `column` renders a column reference (an alias, a changed name); the default quotes the name.
  [[nodiscard]] std::string render(const std::function<std::string(const std::string&)>& column = {}) const;
  // The rule language again, in one form: "anon.partial(\"phone\", 2, '***', 2)". Parses to the same
  // expression.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::set<std::string> columns() const;
  // Tables that columns were qualified with: the planner holds them against the rule's own table.
  [[nodiscard]] std::set<std::string> qualifiers() const;
  // Schema and name of the types that are not builtin: the planner accepts enums and domains only, for a cast
  // to anything else would call code of the database's owner.
  [[nodiscard]] std::set<std::pair<std::string, std::string>> types() const;
  // Names of the anon functions called, in order of appearance, without the schema.
  [[nodiscard]] std::vector<std::string> functions() const;
  [[nodiscard]] bool is_constant() const;  // no columns and no volatile or seeded function
  [[nodiscard]] bool is_null() const;      // the literal NULL, cast or not
  [[nodiscard]] bool uses_seed()
      const;  // calls a function that is seeded, or that takes its token from the seed
  // What it does to the distinctness of `column` (or of the seed).
  [[nodiscard]] Uniqueness uniqueness(const std::string& column) const;
  [[nodiscard]] int longest() const;  // bytes of text at most; 0: unknown

  struct Node;

 private:
  explicit Expression(std::shared_ptr<const Node> root) : root_(std::move(root)) {}
  std::shared_ptr<const Node> root_;
};

// SQL quoting that needs no connection: standard_conforming_strings is on in every session of the engine.
std::string quote_name(std::string_view name);     // always in double quotes
std::string quote_literal(std::string_view text);  // never an E'' string; refuses nothing: NUL cannot occur
                                                   // in a rule (the reader refuses it)

}  // namespace branchfs::mask
