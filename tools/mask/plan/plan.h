// The plan: which tables are rewritten how, with which SQL; or why not. Made before a row is touched.
//
// One statement covers a table with all that inherits from it: partitions and children that have no masked
// column of their own are `keep` (their columns follow); a child that has is `keep` too, with its columns
// listed, and its ALTER stands first in the statement of its ancestor. Where an ALTER is refused, every table
// that holds rows has an UPDATE of its own. Statements set session_replication_role for their transaction.
//
// Pure: RuleSet × Schema (one database) → Plan or findings. No SQL runs here but through `ask`, which answers
// the few questions that need data (the range of an integer class, a table without rows). Values; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tools/mask/plan/schema.h"

namespace branchfs::mask {

enum class Way : std::uint8_t {
  alter,    // one ALTER TABLE … ALTER c TYPE t USING e, …
  update,    // Postgres refuses ALTER here: out into a temporary table, TRUNCATE, in again
  rewrite,  // nothing masked, but dropped columns' bytes or fast defaults: VACUUM FULL
  truncate,
  keep,
};

struct ColumnPlan {
  std::string column;
  std::string sql;           // the new value, over the old row
  std::string description;   // "anon.fake_email()", for progress, preview and certificate
  std::string unique_class;  // FK class, "" when it is alone
  Action action = Action::function;
  Uniqueness uniqueness = Uniqueness::lossy;
  bool whole = true;    // false: some rows or parts keep their value on purpose (`when`, JSON path, partial):
                        // witnesses are taken where it applies
  std::string applies;  // SQL condition of the rows it applies to; "" = all that are not NULL
  std::string
      witness;  // SQL expression of the original value as text ("" = no witnesses: shuffled, small numbers)
  std::string nulls;  // "kept", "may change"
};

struct TablePlan {
  std::uint32_t oid = 0;
  std::string schema, table;  // plain
  std::string qualified;      // quoted
  Way way = Way::keep;
  std::string reason;  // why not `alter`
  std::vector<ColumnPlan> columns;
  std::vector<std::string> before;  // helper functions (JSON paths) to make first
  std::string statement;            // the ALTER or what stands in for it, complete
  std::vector<std::string> after;   // storage, compression, statistics targets that the rewrite lost
  double rows = 0;
  std::uint64_t bytes = 0;
};

struct Finding {
  enum class Level : std::uint8_t { error, warning } level = Level::error;
  std::string where;  // "app.public.users.email", "rule 3"
  std::string what;   // one line: what, why
  std::string hint;
  // The number of a rule that names no database and fits nothing in this one: no error when it fits something
  // in another.
  std::size_t unmatched_rule = 0;
};

struct Plan {
  std::string database;
  std::vector<TablePlan> tables;  // every table, also kept ones; largest first
  std::vector<ForeignKey>
      drop_foreign_keys;  // those that touch a masked column: dropped before, added back after
  std::vector<Finding> findings;
  std::uint64_t estimated_bytes = 0;  // of delta
  // Some error stands, apart from rules that may fit another database: whoever plans several holds those
  // together.
  [[nodiscard]] bool refused() const;
};

// Rows of text; NULL is an empty string. For ranges: "SELECT min, max".
using Ask = std::function<Result<std::vector<std::vector<std::string>>>(const std::string& sql)>;

Result<Plan> make_plan(const RuleSet& rules, const Schema& schema, const Ask& ask);

}  // namespace branchfs::mask
