#include "tools/mask/plan/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/mask/plan/planner.h"

namespace branchfs::mask {

bool Target::masks() const {
  if (!paths.empty()) return true;
  return rule != nullptr && rule->action != Action::keep && rule->action != Action::truncate;
}

bool Plan::refused() const {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& f) { return f.level == Finding::Level::error && f.unmatched_rule == 0; });
}

Result<Plan> make_plan(const RuleSet& rules, const Schema& schema, const Ask& ask) {
  return Planner(rules, schema, ask).run();
}

Result<Plan> Planner::run() {
  plan_.database = schema_.database;
  for (const Table& table : schema_.tables) {
    if (table.parent != 0) children_[table.parent].push_back(table.oid);
  }
  resolve();
  join_classes();
  check_targets();
  report_unmapped();
  report_drift();
  report_database();
  if (plan_.refused()) return std::move(plan_);
  BFS_TRY(plan_tables());
  plan_foreign_keys();
  std::stable_sort(plan_.tables.begin(), plan_.tables.end(),
                   [](const TablePlan& a, const TablePlan& b) { return a.bytes > b.bytes; });
  return std::move(plan_);
}

void Planner::error(std::string where, std::string what, std::string hint) {
  plan_.findings.push_back({Finding::Level::error, std::move(where), std::move(what), std::move(hint)});
}
void Planner::warning(std::string where, std::string what, std::string hint) {
  plan_.findings.push_back({Finding::Level::warning, std::move(where), std::move(what), std::move(hint)});
}
std::string Planner::name_of(const Table& table) const {
  return fmt::format("{}.{}", schema_.database, table.plain());
}
std::string Planner::name_of(const Table& table, const std::string& column) const {
  return name_of(table) + "." + column;
}

std::pair<const Table*, const Column*> Planner::origin(const Table& table, const Column& column) const {
  const Table* at = &table;
  const Column* found = &column;
  while (found->inherited && at->parent != 0) {
    const Table* parent = schema_.table(at->parent);
    const Column* above = parent == nullptr ? nullptr : parent->find(column.name);
    if (above == nullptr) break;
    at = parent;
    found = above;
  }
  return {at, found};
}

const Target* Planner::target_of(const Table& table, const Column& column) const {
  const auto [root, base] = origin(table, column);
  const auto found = targets_.find({root->oid, base->number});
  return found == targets_.end() ? nullptr : &found->second;
}

// `own`: only those that do not follow a parent's.
std::vector<std::pair<const Column*, const Target*>> Planner::masked_columns(const Table& table,
                                                                             bool own) const {
  std::vector<std::pair<const Column*, const Target*>> masked;
  if (is_truncated(table)) return masked;
  for (const Column& column : table.columns) {
    const Target* target = target_of(table, column);
    if (target == nullptr || !target->masks() || (own && target->table != &table)) continue;
    masked.emplace_back(&column, target);
  }
  return masked;
}

bool Planner::preserves_null(const Rule& rule) const {
  return rule.preserve_null.value_or(!compat(rule) && rules_.defaults.preserve_null);
}

}  // namespace branchfs::mask
