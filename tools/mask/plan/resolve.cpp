// Rules to columns: the most specific rule wins, a tie is refused; and what no rule speaks about.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "tools/mask/plan/planner.h"
#include "tools/text.h"

namespace branchfs::mask {
namespace {

bool is_literal(const std::string& glob) {
  return !glob.empty() && glob.find_first_of("*?\\") == std::string::npos;
}

bool same_mask(const Rule& a, const Rule& b) {
  const auto text = [](const std::optional<Expression>& e) { return e ? e->text() : std::string(); };
  return a.action == b.action && a.text == b.text && a.alphabet == b.alphabet &&
         text(a.when) == text(b.when) && a.seed == b.seed && a.preserve_null == b.preserve_null &&
         a.compat_anon == b.compat_anon;
}

// Rules of this database, those that name one column by that name: a schema has many columns, a file many
// rules.
class Lookup {
 public:
  Lookup(const RuleSet& rules, const std::string& database) {
    for (const Rule& rule : rules.rules) {
      if (rule.action == Action::truncate || !glob_matches(rule.database, database)) continue;
      if (is_literal(rule.column)) {
        by_column_[rule.column].push_back(&rule);
      } else {
        globs_.push_back(&rule);
      }
    }
  }
  [[nodiscard]] std::vector<const Rule*> of(const Table& table, const Column& column) const {
    std::vector<const Rule*> found;
    const auto add = [&](const Rule* rule) {
      if (glob_matches(rule->schema, table.schema) && glob_matches(rule->table, table.name))
        found.push_back(rule);
    };
    if (const auto named = by_column_.find(column.name); named != by_column_.end()) {
      for (const Rule* rule : named->second) add(rule);
    }
    for (const Rule* rule : globs_) {
      if (glob_matches(rule->column, column.name)) add(rule);
    }
    return found;
  }

 private:
  std::unordered_map<std::string, std::vector<const Rule*>> by_column_;
  std::vector<const Rule*> globs_;
};

}  // namespace

void Planner::resolve() {
  matched_.assign(rules_.rules.size(), false);
  find_truncated();
  const Lookup lookup(rules_, schema_.database);
  for (const Table& table : schema_.tables) {
    for (const Column& column : table.columns) {
      const auto candidates = lookup.of(table, column);
      for (const Rule* rule : candidates)
        matched_[static_cast<std::size_t>(rule - rules_.rules.data())] = true;
      const auto [root, base] = origin(table, column);
      if (root == &table) {
        if (!candidates.empty() && !is_truncated(table)) choose(table, column, candidates);
        continue;
      }
      for (const Rule* rule : candidates) {
        const bool also_parent =
            glob_matches(rule->schema, root->schema) && glob_matches(rule->table, root->name);
        if (also_parent || rule->action == Action::keep || !is_literal(rule->table)) continue;
        error(rule->describe(), fmt::format("{} inherits this column from {}", table.plain(), root->plain()),
              "put the rule on " + root->plain());
      }
    }
  }
  report_unmatched();
}

void Planner::find_truncated() {
  for (const Rule& rule : rules_.rules) {
    if (rule.action != Action::truncate || !glob_matches(rule.database, schema_.database)) continue;
    for (const Table& table : schema_.tables) {
      if (!glob_matches(rule.schema, table.schema) || !glob_matches(rule.table, table.name)) continue;
      if (table.kind != 'r' && table.kind != 'p') continue;
      matched_[static_cast<std::size_t>(&rule - rules_.rules.data())] = true;
      // TRUNCATE takes what inherits with it.
      std::vector<std::uint32_t> all{table.oid};
      for (std::size_t i = 0; i < all.size(); ++i) {
        truncated_.emplace(all[i], &rule);
        for (std::uint32_t child : children_[all[i]]) all.push_back(child);
      }
    }
  }
}

void Planner::choose(const Table& table, const Column& column, const std::vector<const Rule*>& candidates) {
  Target target;
  target.table = &table;
  target.column = &column;
  target.own = column.name;
  // One winner for the whole column, one for each path inside it.
  std::map<std::vector<std::string>, std::vector<const Rule*>> groups;
  for (const Rule* rule : candidates) groups[rule->json_path].push_back(rule);
  for (auto& [path, group] : groups) {
    std::stable_sort(group.begin(), group.end(),
                     [](const Rule* a, const Rule* b) { return specificity(*a) > specificity(*b); });
    const Rule* winner = group.front();
    for (const Rule* other : group) {
      if (specificity(*other) != specificity(*winner)) break;
      if (same_mask(*other, *winner)) continue;
      error(name_of(table, column.name),
            fmt::format("{} and {} are equally specific", winner->describe(), other->describe()),
            "remove one of them, or name schema and table in the one that should win");
      break;
    }
    if (path.empty()) {
      target.rule = winner;
    } else {
      target.paths.push_back(winner);
    }
  }
  settle(target);
}

// What a rule cannot do to a column of this kind, whatever the mask.
void Planner::settle(Target& target) {
  const Table& table = *target.table;
  const Column& column = *target.column;
  const bool named = target.rule != nullptr && is_literal(target.rule->column);
  const std::string where = name_of(target);
  if (target.masks() && (table.kind == 'm' || table.kind == 'f' || !column.generated.empty())) {
    const std::string what = table.kind == 'm'   ? "a materialized view is filled anew from its tables"
                             : table.kind == 'f' ? "the rows of a foreign table are in another server"
                                                 : "a generated column follows those it is computed from";
    const std::string hint = table.kind == 'f' ? "remove the rule; a branch does not reach out"
                                               : "put the rule on what it is computed from";
    if (named || !target.paths.empty()) error(where, what, hint);
    return;
  }
  if (target.masks() && column.partition_key) {
    error(where, "it is part of the partition key: masked rows would belong to other partitions",
          "keep it, or truncate the table");
    return;
  }
  if (!target.paths.empty() && column.base_type != "json" && column.base_type != "jsonb") {
    error(where, fmt::format("\"json_path\" on a column of type {}", column.type),
          "use it on json and jsonb columns");
    return;
  }
  if (!target.paths.empty() && target.rule != nullptr && target.rule->action != Action::keep) {
    error(where,
          fmt::format("{} masks the whole column, {} a part of it", target.rule->describe(),
                      target.paths[0]->describe()),
          "remove one of them");
    return;
  }
  targets_.emplace(ColumnKey{table.oid, column.number}, std::move(target));
}

void Planner::report_unmatched() {
  std::vector<std::string> databases{schema_.database};
  for (std::size_t i = 0; i < rules_.rules.size(); ++i) {
    const Rule& rule = rules_.rules[i];
    if (matched_[i] || !glob_matches(rule.database, schema_.database)) continue;
    // Suggestions: the nearest column of the tables it means, else the nearest table.
    std::vector<std::string> columns;
    std::set<std::string> names;
    for (const Table& table : schema_.tables) {
      names.insert(table.name);
      if (!glob_matches(rule.schema, table.schema) || !glob_matches(rule.table, table.name)) continue;
      for (const Column& column : table.columns) columns.push_back(column.name);
    }
    const bool no_table = columns.empty();
    const std::string near =
        no_table ? nearest(rule.table, {names.begin(), names.end()}) : nearest(rule.column, columns);
    Finding finding;
    // A pattern may be meant for tables to come.
    const bool pattern = !is_literal(rule.column) && rule.action != Action::truncate;
    finding.level = pattern ? Finding::Level::warning : Finding::Level::error;
    finding.where = rule.describe();
    finding.what =
        fmt::format("the database {} has no such {}", schema_.database, no_table ? "table" : "column");
    finding.hint = near.empty() ? "correct the rule or remove it" : fmt::format("did you mean {}?", near);
    if (!is_literal(rule.database)) finding.unmatched_rule = rule.number;
    plan_.findings.push_back(std::move(finding));
  }
}

void Planner::report_unmapped() {
  if (rules_.defaults.unmapped_columns == UnmappedColumns::keep) return;
  for (const Table& table : schema_.tables) {
    if ((table.kind != 'r' && table.kind != 'p') || is_truncated(table)) continue;
    std::vector<std::string> names;
    for (const Column& column : table.columns) {
      if (!column.generated.empty() || origin(table, column).first != &table) continue;
      if (!targets_.contains({table.oid, column.number})) names.push_back(column.name);
    }
    if (names.empty()) continue;
    error(name_of(table), fmt::format("no rule for {}", enumerate(names, names.size())),
          "add a rule for each (\"mask\": \"keep\" where nothing is sensitive), or set \"unmapped_columns\": "
          "\"keep\"");
  }
}

// Columns that were not there when the file was accepted.
void Planner::report_drift() {
  if (rules_.accepted.is_null()) return;
  const std::string hint = "look at them, then run branchfs mask check --accept";
  if (!rules_.accepted.is_object()) return error("accepted", "it is no object", hint);
  const auto database = rules_.accepted.find(schema_.database);
  if (database == rules_.accepted.end() || !database->is_object()) {
    if (!schema_.tables.empty())
      error(schema_.database, "this database was not there when the rules were accepted", hint);
    return;
  }
  for (const Table& table : schema_.tables) {
    if ((table.kind != 'r' && table.kind != 'p') || table.is_partition) continue;
    const auto known = database->find(table.plain());
    std::set<std::string> names;
    if (known != database->end() && known->is_array()) {
      for (const auto& name : *known) {
        if (name.is_string()) names.insert(name.get<std::string>());
      }
    }
    std::vector<std::string> fresh;
    for (const Column& column : table.columns) {
      if (!names.contains(column.name)) fresh.push_back(column.name);
    }
    if (!fresh.empty())
      error(name_of(table),
            fmt::format("new since the rules were accepted: {}", enumerate(fresh, fresh.size())), hint);
  }
}

void Planner::report_database() {
  if (schema_.large_objects > 0 && rules_.defaults.large_objects == Policy::refuse) {
    error(schema_.database,
          fmt::format("it has {} large objects, which no rule can mask", schema_.large_objects),
          "set \"large_objects\" to \"drop\", or to \"keep\" when they hold nothing sensitive");
  }
  if (schema_.prepared_transactions > 0) {
    error(
        schema_.database,
        fmt::format("it has {} prepared transactions, whose rows nobody sees", schema_.prepared_transactions),
        "commit them or roll them back before the branch is made");
  }
  for (const Table& table : schema_.tables) {
    if (table.kind == 'f')
      warning(name_of(table), "a foreign table: its rows are in another server and stay as they are", "");
  }
}

}  // namespace branchfs::mask
