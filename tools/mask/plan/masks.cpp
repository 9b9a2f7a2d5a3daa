// One column's new value as SQL over the old row. Everything that came from a rule has gone through
// Expression, quote_name() or quote_literal().
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "tools/mask/module/module.h"
#include "tools/mask/plan/planner.h"

namespace branchfs::mask {
namespace {

bool is_text(const std::string& type) {
  return type == "text" || type == "varchar" || type == "bpchar" || type == "name" || type == "citext";
}
bool has_range(const std::string& type) {
  return type == "int2" || type == "int4" || type == "int8" || type == "date";
}

// The original as text that its bytes contain; small numbers and what is stored in binary only are no use.
std::string witness_of(const Column& column) {
  static constexpr std::array<std::string_view, 9> kSearchable{
      "int8", "float8", "numeric", "uuid", "timestamp", "timestamptz", "bytea", "xml", "macaddr8"};
  const std::string name = quote_name(column.name);
  const std::string& type = column.base_type;
  if (is_text(type)) return name + "::pg_catalog.text";
  if (type == "json" || type == "jsonb") {
    return fmt::format(
        "(pg_catalog.jsonb_path_query_first({}::pg_catalog.jsonb, '$.** ? (@.type() == \"string\" && @ "
        "like_regex \"^.{{8}}\")') "
        "OPERATOR(pg_catalog.#>>) '{{}}'::pg_catalog.text[])",
        name);
  }
  if (std::find(kSearchable.begin(), kSearchable.end(), type) != kSearchable.end())
    return name + "::pg_catalog.text";
  if (column.category == 'A' && (type == "_text" || type == "_varchar" || type == "_uuid")) {
    return fmt::format("{0}[pg_catalog.array_lower({0}, 1)]::pg_catalog.text", name);
  }
  return {};
}

// Functions that show a part of what they mask.
bool shows_part(const Expression& expression, const std::string& own) {
  const auto functions = expression.functions();
  const bool partial = std::any_of(functions.begin(), functions.end(), [](const std::string& name) {
    return name.starts_with("partial") || name.starts_with("generalize") || name.ends_with("noise") ||
           name == "ternary";
  });
  return partial || (functions.empty() && expression.columns().contains(own));
}

std::string flag(bool value) { return value ? "true" : "false"; }

}  // namespace

Result<ColumnPlan> Planner::column_plan(const Target& target, TablePlan& plan) {
  const Column& column = *target.column;
  ColumnPlan made;
  made.column = column.name;
  BFS_ASSIGN(made.sql, mask_sql(target, plan));
  made.unique_class = target.class_name;
  made.uniqueness = uniqueness_of(target);
  if (made.uniqueness == Uniqueness::extended && target.token) made.uniqueness = Uniqueness::probable;
  if (!target.paths.empty()) {
    std::string what;
    for (const Rule* rule : target.paths) {
      what += what.empty() ? "" : "; ";
      for (const std::string& key : rule->json_path)
        what += (key == rule->json_path.front() ? "" : ".") + key;
      what += ": " + rule->text;
    }
    made.description = what;
    made.action = target.paths.front()->action;
    made.whole = false;
    made.nulls = "kept";
    std::string path;
    for (const std::string& key : target.paths.front()->json_path)
      path += ", " + quote_literal(key == "*" ? "0" : key);
    made.witness =
        fmt::format("pg_catalog.{}_extract_path_text({}{})", column.base_type, quote_name(column.name), path);
    return made;
  }
  const Rule& rule = *target.rule;
  made.description = rule.text;
  made.action = rule.action;
  made.whole = !rule.when && !(rule.expression && shows_part(*rule.expression, target.own));
  // Where nobody knows whether a row is meant, it is.
  if (rule.when) made.applies = "(" + rule.when->render() + ") IS NOT FALSE";
  const bool null = rule.expression && rule.expression->is_null();
  // An expression may give NULL for what is not NULL: a range without values, a CASE without ELSE.
  const bool fixed = rule.action == Action::permute || rule.action == Action::shuffle;
  const bool simple = rule.expression && !null && column.not_null;
  made.nulls = fixed || simple ? "kept" : "may change";
  const bool same_values =
      rule.action == Action::shuffle || (rule.action == Action::permute && has_range(column.base_type));
  if (!same_values) made.witness = witness_of(column);
  return made;
}

Result<std::string> Planner::mask_sql(const Target& target, TablePlan& plan) {
  if (!target.paths.empty()) return json_sql(target, plan);
  const Rule& rule = *target.rule;
  std::string sql;
  switch (rule.action) {
    case Action::permute: {
      BFS_ASSIGN(sql, permute_sql(target));
      break;
    }
    case Action::shuffle:
      sql = shuffle_sql(target, plan);
      break;
    default:
      sql = expression_sql(target);
      break;
  }
  if (!rule.when) return sql;
  return fmt::format("CASE WHEN ({}) IS NOT FALSE THEN {} ELSE {} END", rule.when->render(), sql,
                     quote_name(target.column->name));
}

std::string Planner::expression_sql(const Target& target) const {
  const Rule& rule = *target.rule;
  const Column& column = *target.column;
  const std::string value = rule.expression->render(
      [&](const std::string& name) { return quote_name(name == target.own ? column.name : name); });
  // A value that must be distinct is assigned, and refused when it is too long; any other is cut.
  const std::string& type = target.distinct && column.longest > 0 ? column.bare_type : column.type;
  return guard(target, rule, fmt::format("({})::{}", value, type));
}

// When there is a value to mask; sets the row's seed on the way.
std::string Planner::guard(const Target& target, const Rule& rule, const std::string& value) const {
  const std::string name = quote_name(target.column->name);
  const bool keeps = preserves_null(rule);
  if (rule.expression && rule.expression->is_null()) return value;
  if (rule.expression && rule.expression->functions().empty()) {
    return keeps ? fmt::format("CASE WHEN {} IS NOT NULL THEN {} END", name, value) : value;
  }
  const std::string token = flag(target.token);
  const auto begin = [&](const std::string& seed) {
    return fmt::format("{}.begin({}, {})", kSchema, seed, token);
  };
  const std::string random = fmt::format("{}.begin_random({})", kSchema, token);
  if (compat(rule)) {
    return fmt::format("CASE WHEN {}{} THEN {} END", keeps ? name + " IS NOT NULL AND " : "", random, value);
  }
  std::string seeds;
  if (rule.seed.size() == 1) {
    seeds = fmt::format(" WHEN {} THEN true", begin(quote_name(rule.seed.front())));
  } else if (!rule.seed.empty()) {
    std::string list;
    for (const std::string& seed : rule.seed) list += fmt::format(", {}::pg_catalog.text", quote_name(seed));
    seeds = fmt::format(" WHEN {} THEN true",
                        begin(fmt::format("pg_catalog.concat_ws(pg_catalog.chr(31){})", list)));
  }
  if (seeds.empty() && keeps) return fmt::format("CASE WHEN {} THEN {} END", begin(name), value);
  // The row's own value is the seed where the others are NULL, and chance where it is too.
  const std::string last = keeps ? "" : " ELSE " + random;
  return fmt::format("CASE WHEN (CASE {}{} WHEN {} THEN true{} END) THEN {} END",
                     keeps ? fmt::format("WHEN {} IS NULL THEN false", name) : std::string(), seeds,
                     begin(name), last, value);
}

Result<std::string> Planner::permute_sql(const Target& target) {
  const Column& column = *target.column;
  const std::string name = quote_name(column.name);
  if (has_range(column.base_type)) {
    BFS_ASSIGN(const auto range, range_of(target));
    const std::string type = "pg_catalog." + column.base_type;
    const std::string domain =
        target.class_name.empty() ? target.table->plain() + "." + column.name : target.class_name;
    return fmt::format("{0}.permute({1}::{2}, {3}::{2}, {4}::{2}, {5})::{6}", kSchema, name, type,
                       quote_literal(range.first), quote_literal(range.second), quote_literal(domain),
                       column.type);
  }
  const std::string type = is_text(column.base_type) ? "text" : column.base_type;
  // One domain for all text: what is the same in two columns stays the same.
  return fmt::format("{}.permute({}::pg_catalog.{}, '', {})::{}", kSchema, name, type,
                     quote_literal(target.rule->alphabet), column.type);
}

// Least and greatest value of the class.
Result<std::pair<std::string, std::string>> Planner::range_of(const Target& target) {
  const std::string key = target.class_name.empty() ? name_of(target) : target.class_name;
  if (const auto known = ranges_.find(key); known != ranges_.end()) return known->second;
  std::vector<ColumnKey> members = target.members;
  if (members.empty()) members.emplace_back(target.table->oid, target.column->number);
  const bool dates = target.column->base_type == "date";
  const std::string type = dates ? "pg_catalog.date" : "pg_catalog.int8";
  std::string parts;
  std::string narrowest = target.column->base_type;
  for (const ColumnKey& member : members) {
    const Table* table = schema_.table(member.first);
    const auto found = std::find_if(table->columns.begin(), table->columns.end(),
                                    [&](const Column& c) { return c.number == member.second; });
    const std::string name = quote_name(found->name);
    const std::string finite = dates ? fmt::format(" WHERE pg_catalog.isfinite({})", name) : "";
    parts +=
        fmt::format("{0}SELECT pg_catalog.min({1})::{2} AS low, pg_catalog.max({1})::{2} AS high FROM {3}{4}",
                    parts.empty() ? "" : " UNION ALL ", name, type, table->qualified(), finite);
    if (found->base_type < narrowest) narrowest = found->base_type;
  }
  auto rows =
      ask_(fmt::format("SELECT pg_catalog.min(low), pg_catalog.max(high) FROM ({}) AS ranges", parts));
  if (!rows) return std::move(rows).error().context("range of " + key);
  std::pair<std::string, std::string> range{dates ? "2000-01-01" : "0", dates ? "2000-01-01" : "0"};
  if (!rows->empty() && rows->front().size() == 2 && !rows->front()[0].empty())
    range = {rows->front()[0], rows->front()[1]};
  if (!dates) {
    const std::int64_t limit = narrowest == "int2" ? INT16_MAX : narrowest == "int4" ? INT32_MAX : INT64_MAX;
    if (std::strtoll(range.second.c_str(), nullptr, 10) > limit ||
        std::strtoll(range.first.c_str(), nullptr, 10) < -limit - 1) {
      error(name_of(target),
            fmt::format("its class {} holds numbers that do not fit into the narrowest of its columns ({})",
                        key, narrowest),
            "keep it, or give the columns one type");
    }
  }
  ranges_.emplace(key, range);
  return range;
}

std::string Planner::shuffle_sql(const Target& target, TablePlan& plan) {
  const std::string name = quote_name(target.column->name);
  const int slot = ++slots_;
  const std::string clear = fmt::format("SELECT {}.shuffle_clear()", kSchema);
  if (std::find(plan.before.begin(), plan.before.end(), clear) == plan.before.end()) {
    plan.before.push_back(clear);
    plan.after.push_back(clear);
  }
  const char* only = plan.way == Way::update ? "ONLY " : "";
  plan.before.push_back(
      fmt::format("SELECT pg_catalog.count({}.shuffle_collect({}, {})) FROM {}{} WHERE {} IS NOT NULL",
                  kSchema, slot, name, only, plan.qualified, name));
  return fmt::format("CASE WHEN {0} IS NOT NULL THEN {1}.shuffle_next({2}, {0})::{3} END", name, kSchema,
                     slot, target.column->type);
}

std::string Planner::json_sql(const Target& target, TablePlan& plan) {
  const Column& column = *target.column;
  const std::string name = quote_name(column.name);
  std::string value = name + "::pg_catalog.jsonb";
  for (std::size_t i = 0; i < target.paths.size(); ++i) {
    const Rule& rule = *target.paths[i];
    const std::string changed = fmt::format("{}({}, 1)", json_function(target, rule, i + 1, plan), value);
    value = rule.when ? fmt::format("CASE WHEN ({}) IS NOT FALSE THEN {} ELSE {} END", rule.when->render(),
                                    changed, value)
                      : changed;
  }
  return fmt::format("({})::{}", value, column.type);
}

// A function that walks down one path; where an array stands, "*" goes into each of its elements. Returns its
// name.
std::string Planner::json_function(const Target& target, const Rule& rule, std::size_t number,
                                   TablePlan& plan) const {
  const std::string name =
      fmt::format("{}.json_{}_{}_{}", kSchema, target.table->oid, target.column->number, number);
  std::string path;
  for (const std::string& key : rule.json_path) path += (path.empty() ? "" : ", ") + quote_literal(key);
  std::string made;
  if (rule.action == Action::permute) {
    made = fmt::format("{}.permute(leaf, '', {})", kSchema, quote_literal(rule.alphabet));
  } else {
    made = rule.expression->render([](const std::string&) { return std::string("leaf"); });
  }
  const std::string begin = compat(rule) ? fmt::format("{}.begin_random(false)", kSchema)
                                         : fmt::format("{}.begin(leaf, false)", kSchema);
  const std::string null = preserves_null(rule) ? "  IF leaf IS NULL THEN RETURN doc; END IF;\n" : "";
  const std::string seed =
      preserves_null(rule)
          ? begin
          : fmt::format("(CASE WHEN leaf IS NULL THEN {}.begin_random(false) ELSE {} END)", kSchema, begin);
  // A number stays one where the mask still looks like one.
  const std::string body = fmt::format(
      "DECLARE\n"
      "  path CONSTANT pg_catalog.text[] := ARRAY[{0}]::pg_catalog.text[];\n"
      "  leaf pg_catalog.text;\n"
      "  made pg_catalog.jsonb;\n"
      "BEGIN\n"
      "  IF doc IS NULL THEN RETURN NULL; END IF;\n"
      "  IF depth > {1} THEN\n"
      "    leaf := doc OPERATOR(pg_catalog.#>>) '{{}}'::pg_catalog.text[];\n"
      "  {2}"
      "    made := pg_catalog.to_jsonb(CASE WHEN {3} THEN {4} END);\n"
      "    IF made IS NULL THEN RETURN 'null'::pg_catalog.jsonb; END IF;\n"
      "    IF pg_catalog.jsonb_typeof(doc) = 'number' AND pg_catalog.jsonb_typeof(made) = 'string'\n"
      "       AND (made OPERATOR(pg_catalog.#>>) '{{}}'::pg_catalog.text[]) ~ '^-?[0-9]+([.][0-9]+)?$' THEN\n"
      "      RETURN pg_catalog.to_jsonb((made OPERATOR(pg_catalog.#>>) "
      "'{{}}'::pg_catalog.text[])::pg_catalog.numeric);\n"
      "    END IF;\n"
      "    RETURN made;\n"
      "  END IF;\n"
      "  IF path[depth] = '*' AND pg_catalog.jsonb_typeof(doc) = 'array' THEN\n"
      "    RETURN (SELECT COALESCE(pg_catalog.jsonb_agg({5}(e.item, depth + 1) ORDER BY e.place), "
      "'[]'::pg_catalog.jsonb)\n"
      "            FROM pg_catalog.jsonb_array_elements(doc) WITH ORDINALITY AS e(item, place));\n"
      "  END IF;\n"
      "  IF path[depth] = '*' AND pg_catalog.jsonb_typeof(doc) = 'object' THEN\n"
      "    RETURN (SELECT COALESCE(pg_catalog.jsonb_object_agg(e.key, {5}(e.value, depth + 1)), "
      "'{{}}'::pg_catalog.jsonb)\n"
      "            FROM pg_catalog.jsonb_each(doc) AS e);\n"
      "  END IF;\n"
      "  IF pg_catalog.jsonb_typeof(doc) = 'object' AND pg_catalog.jsonb_exists(doc, path[depth]) THEN\n"
      "    RETURN pg_catalog.jsonb_set(doc, ARRAY[path[depth]], {5}(doc OPERATOR(pg_catalog.->) path[depth], "
      "depth + 1));\n"
      "  END IF;\n"
      "  RETURN doc;\n"
      "END",
      path, rule.json_path.size(), null, seed, made, name);
  plan.before.push_back(
      fmt::format("CREATE OR REPLACE FUNCTION {}(doc pg_catalog.jsonb, depth pg_catalog.int4) RETURNS "
                  "pg_catalog.jsonb LANGUAGE plpgsql "
                  "SET search_path = pg_catalog AS {}",
                  name, quote_literal(body)));
  return name;
}

}  // namespace branchfs::mask
