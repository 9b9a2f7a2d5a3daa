// Classes of columns that hold the same values: joined by foreign keys and declared references, masked alike.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "tools/mask/plan/planner.h"
#include "tools/text.h"

namespace branchfs::mask {
namespace {

class UnionFind {
 public:
  void join(const ColumnKey& a, const ColumnKey& b) {
    const std::size_t x = find(place(a));
    const std::size_t y = find(place(b));
    if (x != y) parents_[x] = y;
  }
  // In the order of the columns, so that a plan does not depend on the order of the keys.
  [[nodiscard]] std::vector<std::vector<ColumnKey>> groups() {
    std::map<std::size_t, std::vector<ColumnKey>> by_root;
    for (const auto& [key, at] : places_) by_root[find(at)].push_back(key);
    std::vector<std::vector<ColumnKey>> found;
    for (auto& [root, keys] : by_root) found.push_back(std::move(keys));
    std::sort(found.begin(), found.end());
    return found;
  }

 private:
  std::size_t place(const ColumnKey& key) {
    const auto [at, fresh] = places_.try_emplace(key, parents_.size());
    if (fresh) parents_.push_back(parents_.size());
    return at->second;
  }
  std::size_t find(std::size_t at) {
    while (parents_[at] != at) at = parents_[at] = parents_[parents_[at]];
    return at;
  }
  std::map<ColumnKey, std::size_t> places_;
  std::vector<std::size_t> parents_;
};

bool is_literal(const std::string& glob) {
  return !glob.empty() && glob.find_first_of("*?\\") == std::string::npos;
}

}  // namespace

void Planner::join_classes() {
  UnionFind classes;
  const auto key_of = [&](const Table& table, const std::string& name) -> std::optional<ColumnKey> {
    const Column* column = table.find(name);
    if (column == nullptr) return std::nullopt;
    const auto [root, base] = origin(table, *column);
    return ColumnKey{root->oid, base->number};
  };
  for (const ForeignKey& key : schema_.foreign_keys) {
    const Table* from = schema_.table(key.from_table);
    const Table* to = schema_.table(key.to_table);
    if (from == nullptr || to == nullptr) continue;
    for (std::size_t i = 0; i < key.from_columns.size(); ++i) {
      const auto a = key_of(*from, key.from_columns[i]);
      const auto b = key_of(*to, key.to_columns[i]);
      if (a && b) classes.join(*a, *b);
    }
  }
  for (const Reference& reference : rules_.references) {
    const auto find = [&](const std::vector<std::string>& parts,
                          const std::string& text) -> std::optional<ColumnKey> {
      if (!parts[0].empty() && parts[0] != schema_.database) return std::nullopt;
      const Table* table = schema_.table(parts[1], parts[2]);
      const auto key = table == nullptr ? std::nullopt : key_of(*table, parts[3]);
      if (!key)
        error("reference " + text, fmt::format("the database {} has no such column", schema_.database),
              "correct it or remove it");
      return key;
    };
    const auto a = find(reference.from_parts, reference.from);
    const auto b = find(reference.to_parts, reference.to);
    if (a && b) classes.join(*a, *b);
  }
  for (auto& members : classes.groups()) {
    if (members.size() > 1) unite(std::move(members));
  }
}

// One mask for all, on whichever member its rule stands.
void Planner::unite(std::vector<ColumnKey> members) {
  // A column that only refers to others may have its values dealt anew, or set to NULL, without them.
  std::map<ColumnKey, bool> referenced;
  for (const ForeignKey& key : schema_.foreign_keys) {
    for (const std::string& name : key.to_columns) {
      const Table* to = schema_.table(key.to_table);
      const Column* column = to == nullptr ? nullptr : to->find(name);
      if (column == nullptr) continue;
      const auto [root, base] = origin(*to, *column);
      referenced[{root->oid, base->number}] = true;
    }
  }
  const auto alone = [&](const Target& target) {
    if (target.rule->action == Action::shuffle) return true;
    const bool null = target.rule->expression && target.rule->expression->is_null();
    return null && !target.rule->when && !referenced[{target.table->oid, target.column->number}];
  };
  const Target* chosen = nullptr;
  std::vector<const Target*> kept;
  for (const ColumnKey& key : members) {
    const auto found = targets_.find(key);
    if (found == targets_.end() || found->second.rule == nullptr) continue;
    const Target& target = found->second;
    if (!target.masks()) {
      if (is_literal(target.rule->column)) kept.push_back(&target);
    } else if (alone(target)) {
      continue;
    } else if (chosen == nullptr) {
      chosen = &target;
    } else if (chosen->rule != target.rule &&
               (chosen->rule->text != target.rule->text || chosen->rule->seed != target.rule->seed ||
                compat(*chosen->rule) != compat(*target.rule))) {
      // Texts that differ in nothing but the column's own name are the same mask.
      const auto shape = [](const Target& t) {
        if (!t.rule->expression) return t.rule->text;
        return t.rule->expression->render(
            [&](const std::string& c) { return c == t.own ? std::string("$") : quote_name(c); });
      };
      if (shape(*chosen) != shape(target)) {
        error(name_of(target),
              fmt::format("{} masks it as {}, {} masks {} as {}, but foreign keys or references join the two",
                          target.rule->describe(), target.rule->text, chosen->rule->describe(),
                          name_of(*chosen), chosen->rule->text),
              "use one mask for both: a rule on one of them is enough");
        return;
      }
    }
  }
  if (chosen == nullptr) return;
  for (const Target* target : kept) {
    error(name_of(*target),
          fmt::format("{} keeps it, but foreign keys or references join it to {}, which is masked",
                      target->rule->describe(), name_of(*chosen)),
          "remove the rule that keeps it");
  }
  const Rule* rule = chosen->rule;
  const std::string own = chosen->own;
  const std::string where = name_of(*chosen);
  if (rule->when || !rule->seed.empty()) {
    error(
        where,
        fmt::format(
            "\"{}\" cannot be used here: the same mask applies to the columns joined to it, in other tables",
            rule->when ? "when" : "seed"),
        "remove it from " + rule->describe());
    return;
  }
  if (rule->expression) {
    for (const std::string& column : rule->expression->columns()) {
      if (column == own) continue;
      error(where,
            fmt::format("the mask uses {}, which the tables joined to it do not have", quote_name(column)),
            "use a function of the column itself");
      return;
    }
  }
  // The name of the first column that others refer to: it does not change with the rule's place.
  const auto first =
      std::find_if(members.begin(), members.end(), [&](const ColumnKey& key) { return referenced[key]; });
  const ColumnKey& head = first == members.end() ? members.front() : *first;
  const auto column_at = [&](const ColumnKey& key) {
    const Table* table = schema_.table(key.first);
    const auto found = std::find_if(table->columns.begin(), table->columns.end(),
                                    [&](const Column& c) { return c.number == key.second; });
    return std::pair{table, &*found};
  };
  const auto [head_table, head_column] = column_at(head);
  const std::string name = head_table->plain() + "." + head_column->name;
  for (const ColumnKey& key : members) {
    const auto [table, column] = column_at(key);
    if (is_truncated(*table)) continue;
    const auto found = targets_.find(key);
    if (found != targets_.end() && found->second.rule != nullptr && found->second.masks() &&
        alone(found->second)) {
      if (referenced[key] || found->second.rule->action == Action::shuffle) {
        error(name_of(*table, column->name),
              fmt::format("{} shuffles it, but it is joined to {}, which is masked",
                          found->second.rule->describe(), where),
              "use one mask for both");
      }
      continue;
    }
    Target target;
    target.table = table;
    target.column = column;
    target.rule = rule;
    target.own = own;
    target.class_name = name;
    target.members = members;
    targets_.erase(key);
    settle(target);
  }
}

}  // namespace branchfs::mask
