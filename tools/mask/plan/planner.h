// The planner's working state, shared by the files of this folder: which rule each column follows, and what
// was found on the way.
//
// Lives for one call of make_plan(); one thread.
#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tools/mask/plan/plan.h"

namespace branchfs::mask {

using ColumnKey = std::pair<std::uint32_t, int>;  // table, attnum

// A column that some rule speaks about, itself or through its class.
struct Target {
  const Table* table = nullptr;
  const Column* column = nullptr;
  const Rule* rule = nullptr;        // of the whole column; null: JSON paths only
  std::string own;                   // the name under which the rule's expression knows the column
  std::vector<const Rule*> paths;    // rules inside a JSON column, in canonical order
  std::string class_name;            // "public.users.id", when it has company
  std::vector<ColumnKey> members;    // of the class
  bool token = false;                // must stay distinct with the help of a token
  bool distinct = false;             // must stay distinct
  [[nodiscard]] bool masks() const;  // changes anything
};

class Planner {
 public:
  Planner(const RuleSet& rules, const Schema& schema, const Ask& ask)
      : rules_(rules), schema_(schema), ask_(ask) {}
  Result<Plan> run();

 private:
  // resolve.cpp
  void resolve();
  void choose(const Table& table, const Column& column, const std::vector<const Rule*>& candidates);
  void settle(Target& target);
  void find_truncated();
  void report_unmatched();
  void report_unmapped();
  void report_drift();
  void report_database();
  // classes.cpp
  void join_classes();
  void unite(std::vector<ColumnKey> members);
  // checks.cpp
  void check_targets();
  void check_target(Target& target);
  void check_expression(const Target& target, const Rule& rule, const Expression& expression);
  void check_uniqueness(const Table& table);
  void check_width(const Target& target);
  [[nodiscard]] Uniqueness uniqueness_of(const Target& target) const;
  [[nodiscard]] bool covered(const Table& table, const Index& index, const std::string& column) const;
  // masks.cpp
  Result<ColumnPlan> column_plan(const Target& target, TablePlan& plan);
  Result<std::string> mask_sql(const Target& target, TablePlan& plan);
  [[nodiscard]] std::string expression_sql(const Target& target) const;
  [[nodiscard]] std::string guard(const Target& target, const Rule& rule, const std::string& value) const;
  Result<std::string> permute_sql(const Target& target);
  std::string shuffle_sql(const Target& target, TablePlan& plan);
  std::string json_sql(const Target& target, TablePlan& plan);
  std::string json_function(const Target& target, const Rule& rule, std::size_t number,
                            TablePlan& plan) const;
  Result<std::pair<std::string, std::string>> range_of(const Target& target);
  // statements.cpp
  Status plan_tables();
  Status plan_family(const std::vector<const Table*>& family);
  Status plan_alter(const std::vector<const Table*>& family);
  Status plan_update(const std::vector<const Table*>& family, const std::string& reason);
  void plan_foreign_keys();

  void error(std::string where, std::string what, std::string hint);
  void warning(std::string where, std::string what, std::string hint);
  [[nodiscard]] std::string name_of(const Table& table) const;
  [[nodiscard]] std::string name_of(const Table& table, const std::string& column) const;
  [[nodiscard]] std::string name_of(const Target& target) const {
    return name_of(*target.table, target.column->name);
  }
  // The table and column that decide about this one: itself, or where it is inherited from.
  [[nodiscard]] std::pair<const Table*, const Column*> origin(const Table& table, const Column& column) const;
  [[nodiscard]] const Target* target_of(const Table& table, const Column& column) const;
  [[nodiscard]] std::vector<std::pair<const Column*, const Target*>> masked_columns(const Table& table,
                                                                                    bool own) const;
  [[nodiscard]] bool is_truncated(const Table& table) const { return truncated_.contains(table.oid); }
  [[nodiscard]] bool compat(const Rule& rule) const {
    return rule.compat_anon.value_or(rules_.defaults.compat_anon);
  }
  [[nodiscard]] bool preserves_null(const Rule& rule) const;

  const RuleSet& rules_;
  const Schema& schema_;
  const Ask& ask_;
  Plan plan_;
  std::map<ColumnKey, Target> targets_;
  std::map<std::uint32_t, const Rule*> truncated_;
  std::vector<bool> matched_;  // by place in rules_.rules
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> children_;
  std::map<std::string, std::pair<std::string, std::string>> ranges_;  // by class or column
  std::set<ColumnKey> refused_;  // columns that were found to need distinct values and not to get them
  int slots_ = 0;
};

}  // namespace branchfs::mask
