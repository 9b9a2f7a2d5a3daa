// What would break the schema: masks that lose distinctness where it is needed, values too long, NULLs where
// there may be none.
//
// A row stays distinct under a unique index when each of its columns stays distinct by itself (equal values
// to equal values, different to different), or when a part of its columns is unique already: an index on (id,
// email) asks nothing of email where id is the primary key. That is sound, and it is all that can be said
// without looking at the rows.
#include <fmt/format.h>

#include <algorithm>

#include "tools/mask/plan/planner.h"
#include "tools/text.h"

namespace branchfs::mask {
namespace {

// "-" and the token itself (functions/seed.h).
constexpr int kTokenBytes = 15;

bool is_text(const Column& column) {
  return column.base_type == "text" || column.base_type == "varchar" || column.base_type == "bpchar" ||
         column.base_type == "name" || column.base_type == "citext";
}
bool has_range(const Column& column) {
  return column.base_type == "int2" || column.base_type == "int4" || column.base_type == "int8" ||
         column.base_type == "date";
}
bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}
std::string index_kind(const Index& index) {
  if (index.primary) return "primary key";
  if (index.exclusion) return "exclusion constraint";
  return index.replica_identity ? "replica identity" : "unique index";
}
std::string column_names(const Table& table) {
  std::vector<std::string> names;
  for (const Column& column : table.columns) names.push_back(column.name);
  return enumerate(names, 12);
}

}  // namespace

void Planner::check_targets() {
  for (auto& [key, target] : targets_) {
    if (target.masks() && !is_truncated(*target.table)) check_target(target);
  }
  for (const Table& table : schema_.tables) {
    if (!is_truncated(table)) check_uniqueness(table);
  }
  // A token in one member of a class is a token in all.
  for (auto& [key, target] : targets_) {
    for (const ColumnKey& member : target.members) {
      const auto other = targets_.find(member);
      if (other == targets_.end() || other->second.rule != target.rule) continue;
      target.token |= other->second.token;
      target.distinct |= other->second.distinct;
    }
  }
  for (const auto& [key, target] : targets_) {
    if (target.distinct) check_width(target);
  }
  for (const auto& [oid, rule] : truncated_) {
    for (const ForeignKey& foreign : schema_.foreign_keys) {
      const Table* from = schema_.table(foreign.from_table);
      if (foreign.to_table != oid || foreign.inherited || from == nullptr || is_truncated(*from)) continue;
      error(name_of(*schema_.table(oid)),
            fmt::format("rows of {} refer to it ({})", from->plain(), foreign.name),
            "truncate that table too, or keep both");
    }
  }
}

void Planner::check_target(Target& target) {
  const std::string where = name_of(target);
  for (const Rule* rule : target.paths) {
    if (rule->expression) check_expression(target, *rule, *rule->expression);
    if (rule->when) check_expression(target, *rule, *rule->when);
    if (rule->expression) {
      for (const std::string& column : rule->expression->columns()) {
        if (column == target.own) continue;
        error(where,
              fmt::format("inside JSON the mask can use the value itself, as {}, and no other column",
                          quote_name(target.own)),
              "correct " + rule->describe());
      }
    }
  }
  if (target.rule == nullptr || target.rule->action == Action::keep) return;
  const Rule& rule = *target.rule;
  if (rule.expression) check_expression(target, rule, *rule.expression);
  if (rule.when) check_expression(target, rule, *rule.when);
  for (const std::string& name : rule.seed) {
    if (target.table->find(name) == nullptr) {
      error(where,
            fmt::format("\"seed\" names {}, which {} does not have", quote_name(name), target.table->plain()),
            "its columns are " + column_names(*target.table));
    }
  }
  if (rule.expression && rule.expression->is_null() && target.column->not_null) {
    error(where, "it is NOT NULL and the mask is NULL", "use a value or a function");
  }
  if (rule.action == Action::shuffle) {
    for (const ForeignKey& key : schema_.foreign_keys) {
      const bool child =
          key.from_table == target.table->oid && contains(key.from_columns, target.column->name);
      const bool parent = key.to_table == target.table->oid && contains(key.to_columns, target.column->name);
      if (key.from_columns.size() > 1 && (child || parent)) {
        error(where,
              fmt::format("it is one of several columns of the foreign key {}: shuffled alone its pairs "
                          "would not exist",
                          key.name),
              "use \"mask\": \"permute\" or a function");
        break;
      }
    }
  }
  if (rule.action != Action::permute) return;
  const Column& column = *target.column;
  const bool bytes =
      column.base_type == "uuid" || column.base_type == "bytea" || column.base_type == "numeric";
  if (!is_text(column) && !has_range(column) && !bytes) {
    error(where, fmt::format("a column of type {} cannot be permuted", column.type),
          "use a function, or \"mask\": \"shuffle\"");
  } else if (!rule.alphabet.empty() && !is_text(column) && column.base_type != "numeric") {
    error(where, fmt::format("\"mask\": \"{}\" is for text, the column is {}", rule.text, column.type),
          "use \"mask\": \"permute\"");
  }
  // Equal values of these kinds are permuted alike; an integer and a numeric are not.
  const auto family = [](const Column& c) -> std::string {
    return is_text(c) ? "text" : c.base_type == "date" ? "date" : has_range(c) ? "integer" : c.base_type;
  };
  for (const ColumnKey& member : target.members) {
    const Table* table = schema_.table(member.first);
    const auto other = std::find_if(table->columns.begin(), table->columns.end(),
                                    [&](const Column& c) { return c.number == member.second; });
    if (family(*other) == family(column)) continue;
    error(where,
          fmt::format("it is {}, and {}, which is joined to it, is {}: a permutation would not fit both",
                      column.type, name_of(*table, other->name), other->type),
          "use a function, or keep both");
    break;
  }
}

void Planner::check_expression(const Target& target, const Rule& rule, const Expression& expression) {
  const Table& table = *target.table;
  for (const std::string& name : expression.columns()) {
    if (name == target.own || table.find(name) != nullptr) continue;
    std::vector<std::string> names;
    for (const Column& column : table.columns) names.push_back(column.name);
    const std::string near = nearest(name, names);
    error(name_of(target),
          fmt::format("{}: {} has no column {}", rule.describe(), table.plain(), quote_name(name)),
          near.empty() ? "its columns are " + column_names(table) : fmt::format("did you mean {}?", near));
  }
  for (const std::string& qualifier : expression.qualifiers()) {
    if (target.members.empty() && qualifier != table.name) {
      error(name_of(target),
            fmt::format("{}: it uses a column of {}, but masks {}", rule.describe(), quote_name(qualifier),
                        table.plain()),
            "a mask sees the row it stands in, and no other table");
    }
  }
  for (const auto& type : expression.types()) {
    if (schema_.enums_and_domains.contains(type)) continue;
    error(name_of(target),
          fmt::format("{}: {}.{} is no enum and no domain", rule.describe(), type.first, type.second),
          "a rule may cast to builtin types, enums and domains");
  }
}

Uniqueness Planner::uniqueness_of(const Target& target) const {
  if (!target.paths.empty() || target.rule == nullptr)
    return target.paths.empty() ? Uniqueness::preserved : Uniqueness::lossy;
  const Rule& rule = *target.rule;
  switch (rule.action) {
    case Action::keep:
    case Action::truncate:
      return Uniqueness::preserved;
    // Where some rows keep their value, a new one may be a kept one.
    case Action::permute:
      return rule.when ? Uniqueness::lossy : Uniqueness::preserved;
    case Action::shuffle:
      return Uniqueness::preserved;
    case Action::value:
      return Uniqueness::lossy;
    case Action::function:
      break;
  }
  const Uniqueness found = rule.expression->uniqueness(target.own);
  if (found == Uniqueness::preserved && rule.when) return Uniqueness::lossy;
  if (rule.seed.empty()) return found;
  // Distinct seeds, distinct values: when the seed is a key of the table.
  for (const Index& index : target.table->indexes) {
    const bool key = index.unique && !index.partial && index.expression_columns.empty() &&
                     std::all_of(index.columns.begin(), index.columns.end(), [&](const std::string& name) {
                       const Column* column = target.table->find(name);
                       return column != nullptr && column->not_null && contains(rule.seed, name);
                     });
    if (key) return found;
  }
  return Uniqueness::lossy;
}

// Whether the index's other columns are unique without this one.
bool Planner::covered(const Table& table, const Index& index, const std::string& column) const {
  if (index.exclusion) return false;
  return std::any_of(table.indexes.begin(), table.indexes.end(), [&](const Index& other) {
    if (!other.unique || other.partial || !other.expression_columns.empty() ||
        contains(other.columns, column))
      return false;
    return std::all_of(other.columns.begin(), other.columns.end(), [&](const std::string& name) {
      const Column* part = table.find(name);
      return part != nullptr && part->not_null && contains(index.columns, name);
    });
  });
}

void Planner::check_uniqueness(const Table& table) {
  for (const Index& index : table.indexes) {
    for (const auto& [column, found] : masked_columns(table, false)) {
      const bool in_key = contains(index.columns, column->name);
      const bool in_expression = index.expression_columns.contains(column->name);
      if ((!in_key && !in_expression) || covered(table, index, column->name)) continue;
      Target& target = targets_.at({found->table->oid, found->column->number});
      const Rule* rule = target.rule;
      // NULLs are distinct from each other.
      const bool null = rule != nullptr && rule->expression && rule->expression->is_null() && !rule->when;
      if (null && index.nulls_distinct && !index.primary && !index.exclusion) continue;
      Uniqueness promise = uniqueness_of(target);
      // A permutation of letters may make two values that an expression, or a type without case, takes for
      // one.
      const bool folds = in_expression || column->base_type == "citext";
      const bool letters =
          rule != nullptr && rule->action == Action::permute && rule->alphabet.empty() && is_text(*column);
      if (folds && letters) promise = Uniqueness::lossy;
      if (rule != nullptr && rule->action == Action::shuffle && (index.columns.size() > 1 || in_expression))
        promise = Uniqueness::lossy;
      if (index.exclusion) {
        const auto place = static_cast<std::size_t>(
            std::find(index.columns.begin(), index.columns.end(), column->name) - index.columns.begin());
        if (place >= index.operators.size() || index.operators[place] != "=") promise = Uniqueness::lossy;
      }
      if (promise == Uniqueness::lossy) {
        // Partitions have the same indexes: the column is named once, where its rule stands.
        if (!refused_.insert({found->table->oid, found->column->number}).second) continue;
        error(name_of(target),
              fmt::format("{} may give two rows the same value, and the {} {} of {} forbids it",
                          rule == nullptr ? "the mask" : rule->text, index_kind(index),
                          quote_name(index.name), table.plain()),
              folds || index.exclusion
                  ? "use a function of anon that takes a token (anon.dummy_uuidv4(), anon.fake_email()), or "
                    "keep the column"
                  : "use \"mask\": \"permute\", or a function that keeps values distinct (anon.fake_email(), "
                    "anon.dummy_uuidv4())");
        continue;
      }
      target.distinct = true;
      if (promise == Uniqueness::extended) target.token = true;
    }
  }
}

// A value that must be distinct must not be cut.
void Planner::check_width(const Target& target) {
  const Column& column = *target.column;
  if (column.longest == 0 || target.rule == nullptr || target.rule->action != Action::function) return;
  const std::string hint = "use \"mask\": \"permute\" or \"shuffle\", which keep the length";
  const int longest = target.rule->expression->longest();
  const int tokens =
      target.token ? kTokenBytes * static_cast<int>(target.rule->expression->functions().size()) : 0;
  if (longest == 0) {
    warning(name_of(target), fmt::format("{} may be longer than {}", target.rule->text, column.type), hint);
  } else if (longest + tokens > column.longest) {
    error(name_of(target),
          fmt::format("{} makes up to {} bytes that must be distinct, the column is {}", target.rule->text,
                      longest + tokens, column.type),
          hint);
  }
}

}  // namespace branchfs::mask
