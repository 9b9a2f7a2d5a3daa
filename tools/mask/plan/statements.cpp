// Tables to statements: one ALTER for a table and all that inherits from it, or UPDATEs where Postgres
// refuses that.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "tools/mask/module/module.h"
#include "tools/mask/plan/planner.h"

namespace branchfs::mask {
namespace {

TablePlan empty_plan(const Table& table, Way way) {
  TablePlan plan;
  plan.oid = table.oid;
  plan.schema = table.schema;
  plan.table = table.name;
  plan.qualified = table.qualified();
  plan.way = way;
  plan.rows = table.rows;
  plan.bytes = table.bytes;
  return plan;
}

// Bytes of dropped columns, and values of columns that are stored in the catalog alone, go with a rewrite.
bool has_remains(const Table& table) {
  if (table.kind != 'r' && table.kind != 'm') return false;
  return table.has_dropped || std::any_of(table.columns.begin(), table.columns.end(),
                                          [](const Column& c) { return c.has_missing; });
}

// The fallback: nothing that holds rows and is not masked itself.
Way way_without_mask(const Table& table) {
  return table.kind == 'r' && has_remains(table) ? Way::rewrite : Way::keep;
}

// A table that was emptied keeps its fast defaults in pg_attribute, which quote an original or are one.
std::string forget_defaults(const std::string& tables) {
  return fmt::format(
      "UPDATE pg_catalog.pg_attribute SET atthasmissing = false, attmissingval = NULL "
      "WHERE atthasmissing AND attrelid IN ({})",
      tables);
}

// With all that inherits from it.
void empty_table(TablePlan& plan) {
  plan.way = Way::truncate;
  plan.statement = "TRUNCATE TABLE " + plan.qualified;
  plan.after.push_back(
      "WITH RECURSIVE emptied AS (SELECT " + std::to_string(plan.oid) +
      "::pg_catalog.oid AS oid UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN emptied e "
      "ON i.inhparent = e.oid) " +
      forget_defaults("SELECT oid FROM emptied"));
}

constexpr const char* kReplica = "SET LOCAL session_replication_role = replica; ";

const char* storage_word(char storage) {
  switch (storage) {
    case 'p': return "PLAIN";
    case 'e': return "EXTERNAL";
    case 'm': return "MAIN";
    default: return "EXTENDED";
  }
}

// What ALTER … TYPE resets in one table.
void put_back(const Table& table, const Column& column, TablePlan& plan) {
  const std::string begin =
      fmt::format("ALTER TABLE ONLY {} ALTER COLUMN {} SET", table.qualified(), quote_name(column.name));
  if (column.storage != column.type_storage) {
    plan.after.push_back(fmt::format("{} STORAGE {}", begin, storage_word(column.storage)));
  }
  if (!column.compression.empty()) {
    plan.after.push_back(fmt::format("{} COMPRESSION {}", begin, column.compression == "l" ? "lz4" : "pglz"));
  }
}

}  // namespace

Status Planner::plan_tables() {
  for (const Table& table : schema_.tables) {
    if (table.parent != 0 && schema_.table(table.parent) != nullptr) continue;
    std::vector<const Table*> family{&table};
    for (std::size_t i = 0; i < family.size(); ++i) {
      const auto below = children_.find(family[i]->oid);
      if (below == children_.end()) continue;
      for (std::uint32_t child : below->second) family.push_back(schema_.table(child));
    }
    BFS_TRY(plan_family(family));
  }
  for (const TablePlan& plan : plan_.tables) {
    if (plan.way == Way::alter || plan.way == Way::rewrite) plan_.estimated_bytes += plan.bytes;
    if (plan.way == Way::update) plan_.estimated_bytes += 3 * plan.bytes;
  }
  return {};
}

// Parents first.
Status Planner::plan_family(const std::vector<const Table*>& family) {
  std::string blocked;
  bool any = false;
  for (const Table* table : family) {
    for (const auto& [column, target] : masked_columns(*table, false)) {
      any = true;
      if (!blocked.empty()) continue;
      const std::string& reason = table->blocked_by.empty() ? column->blocked_by : table->blocked_by;
      if (!reason.empty()) blocked = fmt::format("{}.{}: {}", table->plain(), column->name, reason);
      if (table->kind == 'f') blocked = fmt::format("{} is a foreign table", table->plain());
    }
  }
  if (any) return blocked.empty() ? plan_alter(family) : plan_update(family, blocked);
  for (const Table* table : family) {
    TablePlan plan = empty_plan(*table, way_without_mask(*table));
    const bool below = table->parent != 0 && truncated_.contains(table->parent);
    if (is_truncated(*table)) {
      plan.way = Way::keep;
      if (!below) empty_table(plan);
    }
    plan_.tables.push_back(std::move(plan));
  }
  return {};
}

Status Planner::plan_alter(const std::vector<const Table*>& family) {
  std::vector<TablePlan> plans;
  std::map<std::uint32_t, std::size_t> place;
  for (const Table* table : family) {
    const auto masked = masked_columns(*table, true);
    // The topmost ancestor whose ALTER rewrites this one too.
    std::size_t host = plans.size();
    for (const Table* at = table; at->parent != 0;) {
      at = schema_.table(at->parent);
      if (at == nullptr) break;
      const auto found = place.find(at->oid);
      if (found != place.end() && plans[found->second].way == Way::alter) host = found->second;
    }
    const bool hosted = host < plans.size();
    TablePlan plan = empty_plan(*table, masked.empty() ? way_without_mask(*table) : Way::alter);
    if (hosted) plan.way = Way::keep;
    if (is_truncated(*table)) {
      plan.way = Way::keep;
      if (table->parent == 0 || !truncated_.contains(table->parent)) empty_table(plan);
    }
    std::vector<std::string> parts;
    for (const auto& [column, target] : masked) {
      BFS_ASSIGN(ColumnPlan made, column_plan(*target, plan));
      const std::string collation = column->collation.empty() ? "" : " COLLATE " + column->collation;
      parts.push_back(fmt::format("ALTER COLUMN {} TYPE {}{} USING {}", quote_name(column->name),
                                  column->type, collation, made.sql));
      plan.columns.push_back(std::move(made));
    }
    if (!parts.empty())
      plan.statement = fmt::format("ALTER TABLE {} {}", plan.qualified, fmt::join(parts, ", "));
    TablePlan& bearer = hosted ? plans[host] : plan;
    if (hosted || plan.way == Way::alter) {
      for (const auto& [column, target] : masked_columns(*table, false)) put_back(*table, *column, bearer);
      bearer.after.insert(bearer.after.end(), table->restore.begin(), table->restore.end());
    }
    if (hosted) {
      bearer.rows += plan.rows;
      bearer.bytes += plan.bytes;
      plan.rows = 0;
      plan.bytes = 0;
      // Every expression must see the old row: what stands below goes first, before its ancestor changes what
      // it may look at.
      if (!plan.statement.empty())
        bearer.statement = std::exchange(plan.statement, "") + "; " + bearer.statement;
      // Kept here too: its expressions can be tried alone.
      bearer.before.insert(bearer.before.end(), plan.before.begin(), plan.before.end());
      bearer.after.insert(bearer.after.end(), plan.after.begin(), plan.after.end());
      plan.after.clear();
      plan.reason = "it is rewritten with " + plans[host].schema + "." + plans[host].table;
    }
    place.emplace(table->oid, plans.size());
    plans.push_back(std::move(plan));
  }
  for (TablePlan& plan : plans) {
    if (plan.way == Way::alter) plan.statement = kReplica + plan.statement;
    plan_.tables.push_back(std::move(plan));
  }
  return {};
}

namespace {

// Out into a temporary table, masked on the way, and in again. An UPDATE would leave dead rows behind, and
// meet duplicate keys half-way through a permutation.
std::string reload_sql(const Table& table, const TablePlan& plan) {
  const std::string copy = fmt::format("pg_temp.{}_copy", kSchema);
  std::vector<std::string> names;
  std::vector<std::string> values;
  // A value keeps the form in which the copy stored it.
  std::string storage;
  for (const Column& column : table.columns) {
    if (!column.generated.empty()) continue;
    const std::string begin = fmt::format("ALTER TABLE {} ALTER COLUMN {} SET", copy, quote_name(column.name));
    if (column.storage != column.type_storage) storage += fmt::format("{} STORAGE {}; ", begin, storage_word(column.storage));
    if (!column.compression.empty()) {
      storage += fmt::format("{} COMPRESSION {}; ", begin, column.compression == "l" ? "lz4" : "pglz");
    }
    const auto planned = std::find_if(plan.columns.begin(), plan.columns.end(),
                                      [&](const ColumnPlan& p) { return p.column == column.name; });
    names.push_back(quote_name(column.name));
    values.push_back(planned == plan.columns.end() ? names.back()
                                                   : fmt::format("({}) AS {}", planned->sql, names.back()));
  }
  const std::string select = fmt::format("SELECT {} FROM ONLY {}", fmt::join(values, ", "), plan.qualified);
  const std::string fill = storage.empty() ? fmt::format("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS {}; ", copy, select)
                                           : fmt::format("CREATE TEMPORARY TABLE {0} ON COMMIT DROP AS {1} WITH NO DATA; {2}"
                                                         "INSERT INTO {0} {1}; ",
                                                         copy, select, storage);
  return fmt::format("{0}TRUNCATE TABLE ONLY {1}; INSERT INTO {1} ({2}) OVERRIDING SYSTEM VALUE SELECT {2} FROM {3}", fill,
                     plan.qualified, fmt::join(names, ", "), copy);
}

}  // namespace

Status Planner::plan_update(const std::vector<const Table*>& family, const std::string& reason) {
  for (const Table* table : family) {
    const auto masked = masked_columns(*table, false);
    const bool updates = !masked.empty() && table->kind == 'r';
    TablePlan plan = empty_plan(*table, updates ? Way::update : way_without_mask(*table));
    if (is_truncated(*table)) {
      plan.way = Way::keep;
      if (table->parent == 0 || !truncated_.contains(table->parent)) empty_table(plan);
    }
    if (updates) {
      plan.reason = reason;
      plan.before = table->silence;
      for (const auto& [column, target] : masked) {
        // Of this table, which may be a child of the one the rule stands on.
        Target here = *target;
        here.table = table;
        here.column = column;
        if (here.members.empty()) here.members.emplace_back(target->table->oid, target->column->number);
        if (here.class_name.empty()) here.class_name = target->table->plain() + "." + target->column->name;
        BFS_ASSIGN(ColumnPlan made, column_plan(here, plan));
        made.unique_class = target->class_name;
        plan.columns.push_back(std::move(made));
      }
      plan.statement = kReplica + reload_sql(*table, plan);
      plan.after.push_back(forget_defaults(std::to_string(plan.oid)));
      plan.after.insert(plan.after.end(), table->unsilence.begin(), table->unsilence.end());
    }
    plan_.tables.push_back(std::move(plan));
  }
  return {};
}

// Those that touch a masked column on either side, and those that would forbid a TRUNCATE (also of a reload).
// Adding them back proves that no row lost its match.
void Planner::plan_foreign_keys() {
  const auto changes = [&](const Table& table, const std::vector<std::string>& columns) {
    return std::any_of(columns.begin(), columns.end(), [&](const std::string& name) {
      const Column* column = table.find(name);
      const Target* target = column == nullptr ? nullptr : target_of(table, *column);
      return target != nullptr && target->masks();
    });
  };
  // A key to a partitioned table is one to each of its partitions.
  std::set<std::uint32_t> emptied;
  for (const TablePlan& plan : plan_.tables) {
    if (plan.way != Way::update && plan.way != Way::truncate) continue;
    for (const Table* table = schema_.table(plan.oid); table != nullptr;
         table = schema_.table(table->parent)) {
      emptied.insert(table->oid);
    }
  }
  for (const ForeignKey& key : schema_.foreign_keys) {
    const Table* from = schema_.table(key.from_table);
    const Table* to = schema_.table(key.to_table);
    if (key.inherited || from == nullptr || to == nullptr) continue;
    if (!emptied.contains(to->oid) && !changes(*from, key.from_columns) && !changes(*to, key.to_columns))
      continue;
    ForeignKey dropped = key;
    if (!key.comment.empty()) {
      dropped.definition += fmt::format("; COMMENT ON CONSTRAINT {} ON {} IS {}", quote_name(key.name),
                                        from->qualified(), quote_literal(key.comment));
    }
    plan_.drop_foreign_keys.push_back(std::move(dropped));
  }
}

}  // namespace branchfs::mask
