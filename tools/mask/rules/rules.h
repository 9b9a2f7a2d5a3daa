// Rules: what a rule file says, whatever its form (Neon's JSON, the native JSON or YAML, SECURITY LABEL
// statements, labels in pg_seclabel).
//
// One model; values; any thread. A file is read once, completely checked for form, and hashed in its
// canonical form, so that order of keys and rules, blanks and the form itself do not change the hash. Errors:
// refused (usage for a file that is no rule file), naming the rule ("rule 3 (app.public.users.email): …") and
// what to do.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tools/mask/rules/expression.h"

namespace branchfs::mask {

enum class Action : std::uint8_t {
  function,  // masking_function: an expression over the old row
  value,     // masking_value: a constant expression
  permute,   // "mask": "permute" (also "card", "iban", "digits": permutations with their check digits)
  shuffle,   // "mask": "shuffle": the column's own values, dealt to other rows
  keep,      // "mask": "keep" | NOT MASKED
  truncate,  // "truncate": true, a rule of a whole table: its rows go
};

struct Rule {
  // Globs (* and ?, a backslash takes their meaning away); an empty one matches everything; "column" is empty
  // for truncate.
  std::string database, schema, table, column;
  Action action = Action::keep;
  std::optional<Expression> expression;  // function, value
  std::string alphabet;                  // permute: "", "digits", "luhn", "iban"
  std::vector<std::string>
      json_path;                   // inside a json or jsonb column: keys, "*" for every element of an array
  std::optional<Expression> when;  // rows it applies to; others keep their value
  std::vector<std::string>
      seed;  // "seed": columns whose values are the seed instead of the column's own: one identity per row
  std::optional<bool> preserve_null;
  std::optional<bool> compat_anon;  // "compat": "anon" | "keyed"
  std::string
      text;  // what it does, in one form, for messages and the certificate: "anon.fake_email()", "permute"
  std::string reason;                          // a remark of whoever wrote it; not part of the hash
  std::size_t number = 0;                      // its place in the file, from 1
  [[nodiscard]] std::string describe() const;  // "rule 3 (app.public.users.email)"
};

// "from" holds values of "to" though no foreign key says so: one mask for both.
struct Reference {
  std::string from, to;  // schema.table.column, or database.schema.table.column; parts as vectors, always
                         // four, an empty database matches all
  std::vector<std::string> from_parts, to_parts;
};

enum class UnmappedColumns : std::uint8_t { refuse, keep };
enum class Policy : std::uint8_t {
  refuse,
  keep,
  drop
};  // drop: large objects are unlinked, other databases dropped

struct Defaults {
  UnmappedColumns unmapped_columns =
      UnmappedColumns::refuse;  // native form; Neon's and label files default to keep
  bool preserve_null = true;
  Policy large_objects = Policy::refuse;
  Policy other_databases = Policy::refuse;
  bool lock_roles = true;
  bool compat_anon = false;
};

struct RuleSet {
  int version = 1;
  std::string key = "ephemeral";  // or "file:PATH"
  Defaults defaults;
  std::vector<Rule> rules;
  std::vector<Reference> references;
  nlohmann::json accepted = nullptr;  // "accepted": the columns the file was last accepted for, as `mask
                                      // check --accept` writes them; null: none
  std::vector<std::string> warnings;  // what was read and ignored
  std::string hash;                   // of the canonical form less key and accepted, XXH3-128, hex
  [[nodiscard]] nlohmann::json canonical() const;  // native form, rules sorted; reads back to the same model
  void seal();                                     // computes the hash; the readers have done it
};

// By name and content: .json, .yaml/.yml, .sql. Deny by default holds for the native form.
Result<RuleSet> read_rules(const std::string& path);
Result<RuleSet> parse_rules(std::string_view text, std::string_view form);  // "json", "yaml", "sql"
// From labels that are in a database already: provider anon, object "schema.table.column" as parts.
struct Label {
  std::string database, schema, table, column, label;
};
Result<RuleSet> rules_from_labels(const std::vector<Label>& labels);

bool glob_matches(std::string_view glob, std::string_view text);
// The glob that matches `text` alone.
std::string literal_glob(std::string_view text);
// How specific a rule is: more literal parts win, then the table over the schema, then more literal
// characters; equal and different rules on one column are a conflict.
int specificity(const Rule& rule);

}  // namespace branchfs::mask
