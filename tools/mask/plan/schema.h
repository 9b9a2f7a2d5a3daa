// What a database looks like, as far as masking needs to know: tables, columns, keys, and what depends on
// them.
//
// A value, read once over a superuser's session on the sealed server (read_schema()), never changed.
// Ordinary, partitioned and unlogged tables, materialized views, foreign tables (named only), everything
// outside pg_catalog, information_schema, pg_toast and temporary schemas. Any thread.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tools/mask/rules/rules.h"
#include "tools/pg/session.h"

namespace branchfs::mask {

struct Column {
  int number = 0;  // attnum
  std::string name;
  std::string type;       // format_type() with its modifier, as ALTER … TYPE takes it
  std::string bare_type;  // without: a value assigned from it is refused when it is too long, not cut
  std::string base_type;  // pg_type.typname below domains: "int4", "text", "varchar", "uuid", "jsonb", …
  char category = 'U';    // typcategory of the base type
  int longest = 0;        // characters of varchar(n), char(n); 0: no limit
  std::string collation;  // quoted, when it is not the type's own
  bool not_null = false;
  bool is_domain = false;
  std::string generated;  // "", "s" (stored), "v" (virtual)
  std::string identity;   // "", "a", "d"
  char storage = 'x', type_storage = 'x';
  std::string compression;  // "", "p", "l"
  int statistics = -1;
  bool partition_key = false;
  bool has_missing = false;  // fast default
  bool inherited = false;    // follows the column of this name in the parent
  // Why ALTER … TYPE refuses it ("view public.v uses it"); empty: it does not.
  std::string blocked_by;
  std::string label;  // of provider anon in pg_seclabel
};

struct Index {
  std::string name;
  std::vector<std::string> columns;          // key columns; an expression is ""
  std::vector<std::string> operators;        // of an exclusion constraint, per column
  std::set<std::string> expression_columns;  // that expressions and the predicate use
  bool unique = false, primary = false, replica_identity = false, exclusion = false, partial = false;
  bool nulls_distinct = true;
};

struct ForeignKey {
  std::uint32_t oid = 0;
  std::string name;
  std::string definition;  // pg_get_constraintdef; in Plan::drop_foreign_keys a COMMENT statement may follow,
                           // after a semicolon
  std::string comment;
  std::uint32_t from_table = 0, to_table = 0;  // Table::oid
  std::vector<std::string> from_columns, to_columns;
  bool validated = true, inherited = false;  // inherited: it goes and comes with its parent's
};

struct Table {
  std::uint32_t oid = 0;
  std::string schema, name;
  char kind = 'r';           // r, p (partitioned), m (materialized view), f (foreign)
  std::uint32_t parent = 0;  // partition of (or child of, by inheritance; the first, when there are several)
  bool is_partition = false;
  bool unlogged = false;
  double rows = 0;           // the planner's estimate
  std::uint64_t bytes = 0;   // with indexes and TOAST
  bool has_dropped = false;  // dropped columns' bytes may be in its rows
  std::string blocked_by;    // why ALTER … TYPE refuses every column of it
  std::vector<Column> columns;
  std::vector<Index> indexes;  // unique ones and those of exclusion constraints
  std::vector<std::string> silence,
      unsilence;  // triggers and rules that act even on a replica: off before an UPDATE, on after it
  std::vector<std::string>
      restore;  // what ALTER … TYPE loses besides the columns' settings, as SQL that puts it back
  [[nodiscard]] std::string qualified() const;  // "schema"."table", quoted
  [[nodiscard]] std::string plain() const;      // schema.table, for people
  [[nodiscard]] const Column* find(const std::string& name) const;
};

struct Schema {
  std::string database;
  int major = 0;
  std::string encoding;
  std::vector<Table> tables;  // by oid
  std::vector<ForeignKey> foreign_keys;
  std::uint64_t large_objects = 0;
  std::uint64_t prepared_transactions = 0;
  std::set<std::pair<std::string, std::string>> enums_and_domains;  // schema, name: what a rule may cast to
  std::vector<std::string>
      materialized_views;  // quoted, populated, in an order in which they can be refreshed
  [[nodiscard]] const Table* table(std::uint32_t oid) const;
  [[nodiscard]] const Table* table(const std::string& schema, const std::string& name) const;
};

Result<Schema> read_schema(pg::Session& session);
std::vector<Label> labels_of(const Schema& schema);
// {"app": {"public.users": ["id", "email", …], …}}: what RuleSet::accepted holds, merged over the databases.
nlohmann::json accepted_columns(const Schema& schema);

}  // namespace branchfs::mask
