#include "tools/mask/plan/detect.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace branchfs::mask {
namespace {

using nlohmann::json;

constexpr std::size_t kSample = 1000;
constexpr int kJsonDepth = 6;
constexpr std::size_t kJsonPaths = 50;

bool is_text(const Column& column) {
  return column.base_type == "text" || column.base_type == "varchar" || column.base_type == "bpchar" ||
         column.base_type == "citext";
}
bool is_json(const Column& column) { return column.base_type == "json" || column.base_type == "jsonb"; }
bool is_number(const Column& column) {
  return column.base_type == "int8" || column.base_type == "numeric" || column.base_type == "int4";
}

json function(const std::string& text) { return {{"masking_function", text}}; }
json mask(const char* word) { return {{"mask", word}}; }
json constant(const std::string& text) { return {{"masking_value", text}}; }

// For text, best first; what follows keeps distinctness and length for sure.
std::vector<json> masks_of_text(Pii kind, const std::string& own) {
  switch (kind) {
    case Pii::none:
      return {};
    case Pii::email:
      return {function("anon.fake_email()"), mask("permute")};
    case Pii::phone:
      return {mask("digits"), mask("permute")};
    case Pii::first_name:
      return {function("anon.fake_first_name()"), mask("permute")};
    case Pii::last_name:
      return {function("anon.fake_last_name()"), mask("permute")};
    case Pii::full_name:
      return {function("anon.dummy_name()"), mask("permute")};
    case Pii::user_name:
      return {function("anon.dummy_username()"), mask("permute")};
    case Pii::address:
      return {function("anon.fake_address()"), mask("permute")};
    case Pii::city:
      return {function("anon.fake_city()"), mask("permute")};
    case Pii::postcode:
      return {mask("digits"), mask("permute")};
    case Pii::company:
      return {function("anon.fake_company()"), mask("permute")};
    case Pii::iban:
      return {mask("iban"), mask("permute")};
    case Pii::card:
      return {mask("card"), mask("permute")};
    case Pii::national_id:
      return {mask("permute")};
    case Pii::birth:
      return {mask("digits"), mask("permute")};
    case Pii::ip:
      return {function("anon.dummy_ipv4()"), mask("permute")};
    case Pii::secret:
      return {function(fmt::format("anon.hash({})", own)), mask("permute")};
    case Pii::free_text:
      return {function("anon.lorem_ipsum(words := 12)"), mask("permute")};
    case Pii::binary:
      return {constant("''")};
  }
  return {};
}

std::vector<json> masks_of(Pii kind, const Column& column) {
  const std::string own = quote_name(column.name);
  if (kind == Pii::none || column.base_type == "bool") return {};
  if (is_text(column)) return masks_of_text(kind, own);
  if (column.base_type == "bytea" && (kind == Pii::binary || kind == Pii::secret)) {
    return {constant("'\\x'::bytea"), mask("permute")};
  }
  const bool numbered = kind == Pii::phone || kind == Pii::card || kind == Pii::national_id;
  if (is_number(column) && numbered) return {mask("permute")};
  const bool day =
      column.base_type == "date" || column.base_type == "timestamp" || column.base_type == "timestamptz";
  if (kind == Pii::birth && day) {
    return {function(fmt::format("anon.dnoise({}, '3 years'::interval)", own)), mask("permute"),
            mask("shuffle")};
  }
  if (kind == Pii::ip && column.base_type == "inet") return {function("anon.dummy_ipv4()"), mask("shuffle")};
  if (kind == Pii::secret && column.base_type == "uuid") return {mask("permute")};
  const bool texts =
      column.category == 'A' && (column.base_type == "_text" || column.base_type == "_varchar");
  if (texts) return {constant(fmt::format("'{{}}'::{}[]", column.base_type == "_text" ? "text" : "varchar"))};
  return {};
}

struct Place {
  const Table* table = nullptr;
  const Column* column = nullptr;
  std::vector<std::string> path;
  Pii kind = Pii::none;
  std::string reason;
  std::vector<json> masks;
  std::size_t at = 0;  // the mask tried now; past the end: keep
};

class Detector {
 public:
  Detector(const Schema& schema, const Ask& ask) : schema_(schema), ask_(ask) {}

  Result<DetectedRules> run() {
    for (const Table& table : schema_.tables) {
      if (table.kind != 'r' && table.kind != 'p') continue;
      BFS_TRY(look_at(table));
    }
    spread_over_keys();
    BFS_TRY(settle());
    DetectedRules rules{document(), {}};
    for (const Place& place : places_) {
      if (place.kind == Pii::none) continue;
      std::string name = place.column->name;
      for (const std::string& key : place.path) name += "." + key;
      rules.found.push_back(
          {place.table->plain(), name, place.kind, place.reason, place.at < place.masks.size()});
    }
    return rules;
  }

 private:
  [[nodiscard]] bool follows_parent(const Table& table, const Column& column) const {
    const Table* parent = column.inherited && table.parent != 0 ? schema_.table(table.parent) : nullptr;
    return parent != nullptr && parent->find(column.name) != nullptr;
  }

  Status look_at(const Table& table) {
    std::vector<const Column*> sampled;
    std::string columns;
    for (const Column& column : table.columns) {
      if (follows_parent(table, column) || !column.generated.empty() ||
          (!is_text(column) && !is_json(column)))
        continue;
      sampled.push_back(&column);
      const int longest = is_json(column) ? 20'000 : 1'000;
      columns += fmt::format("{}pg_catalog.left({}::pg_catalog.text, {})", columns.empty() ? "" : ", ",
                             quote_name(column.name), longest);
    }
    std::vector<std::vector<std::string>> rows;
    if (!sampled.empty()) {
      std::string from = table.qualified();
      // Some more blocks than needed: they are not equally full.
      if (table.rows > 20.0 * kSample)
        from += fmt::format(" TABLESAMPLE SYSTEM ({:.4f})", 300.0 * kSample / table.rows);
      auto answer = ask_(fmt::format("SELECT {} FROM {} LIMIT {}", columns, from, kSample));
      if (!answer) return std::move(answer).error().context("sample " + table.plain());
      rows = *std::move(answer);
    }
    for (const Column& column : table.columns) {
      if (follows_parent(table, column) || !column.generated.empty()) continue;
      const auto place = std::find(sampled.begin(), sampled.end(), &column);
      std::vector<std::string> values;
      if (place != sampled.end()) {
        for (const auto& row : rows) values.push_back(row[static_cast<std::size_t>(place - sampled.begin())]);
      }
      if (is_json(column)) {
        look_inside(table, column, values);
      } else {
        add(table, column, {}, values);
      }
    }
    return {};
  }

  void add(const Table& table, const Column& column, std::vector<std::string> path,
           const std::vector<std::string>& values) {
    Place place;
    place.table = &table;
    place.column = &column;
    const std::string& name = path.empty() || path.back() == "*"
                                  ? (path.size() > 1 ? path[path.size() - 2] : column.name)
                                  : path.back();
    const ValueCount content = kind_of_values(values);
    const Pii by_name = kind_of_name(table.name, name);
    place.kind = content.kind == Pii::none || (content.kind == Pii::free_text && by_name != Pii::none)
                     ? by_name
                     : content.kind;
    if (place.kind == content.kind && content.kind != Pii::none) {
      place.reason = fmt::format("{}: {} of {} values look like one", to_string(place.kind), content.hits,
                                 content.values);
    } else if (place.kind != Pii::none) {
      place.reason = fmt::format("{}: its name says so", to_string(place.kind));
    }
    place.masks =
        path.empty() ? masks_of(place.kind, column) : masks_of_text(place.kind, quote_name(column.name));
    // A name alone, on a type that cannot hold such a thing.
    if (place.masks.empty()) place.kind = Pii::none;
    place.path = std::move(path);
    if (!place.path.empty() && place.kind == Pii::none) return;
    places_.push_back(std::move(place));
  }

  // Every path to a string, with "*" for the elements of arrays.
  void look_inside(const Table& table, const Column& column, const std::vector<std::string>& documents) {
    std::map<std::vector<std::string>, std::vector<std::string>> leaves;
    for (const std::string& text : documents) {
      const json document = json::parse(text, nullptr, false);
      if (!document.is_discarded()) walk(document, {}, leaves);
    }
    add(table, column, {}, {});
    if (places_.back().kind != Pii::none) places_.back() = Place{&table, &column, {}, Pii::none, {}, {}, 0};
    for (const auto& [path, values] : leaves) {
      if (!path.empty()) add(table, column, path, values);
    }
  }
  static void walk(const json& node, const std::vector<std::string>& path,
                   std::map<std::vector<std::string>, std::vector<std::string>>& leaves) {
    if (node.is_string() || node.is_number()) {
      const bool known = leaves.contains(path);
      if (known || leaves.size() < kJsonPaths)
        leaves[path].push_back(node.is_string() ? node.get<std::string>() : node.dump());
      return;
    }
    if (path.size() >= static_cast<std::size_t>(kJsonDepth)) return;
    for (const auto& [key, value] : node.items()) {
      if (node.is_object() && key.empty()) continue;
      auto longer = path;
      longer.push_back(node.is_array() ? "*" : key);
      walk(value, longer, leaves);
    }
  }

  Place* place_of(std::uint32_t oid, const std::string& name) {
    for (const Table* table = schema_.table(oid); table != nullptr;) {
      const auto found = by_column_.find({table->oid, name});
      if (found != by_column_.end()) return &places_[found->second];
      table = table->parent == 0 ? nullptr : schema_.table(table->parent);
    }
    return nullptr;
  }
  // What a foreign key joins is masked alike: the referenced column decides, else the one that is detected.
  void spread_over_keys() {
    for (std::size_t i = 0; i < places_.size(); ++i) {
      if (places_[i].path.empty()) by_column_[{places_[i].table->oid, places_[i].column->name}] = i;
    }
    for (bool changed = true; changed;) {
      changed = false;
      for (const ForeignKey& key : schema_.foreign_keys) {
        for (std::size_t i = 0; i < key.from_columns.size(); ++i) {
          Place* from = place_of(key.from_table, key.from_columns[i]);
          Place* to = place_of(key.to_table, key.to_columns[i]);
          if (from == nullptr || to == nullptr || from == to) continue;
          Place* known = to->kind != Pii::none ? to : from;
          Place* other = known == to ? from : to;
          if (known->kind == Pii::none ||
              (other->kind == known->kind && other->masks == masks_of(known->kind, *other->column)))
            continue;
          const auto masks = masks_of(known->kind, *other->column);
          if (masks.empty() || masks == other->masks) continue;
          other->kind = known->kind;
          other->masks = masks;
          other->reason = fmt::format("{}: a foreign key joins it to {}.{}", to_string(known->kind),
                                      known->table->plain(), known->column->name);
          changed = true;
        }
      }
    }
  }

  // The planner decides; where it refuses a mask the next is tried, and last the column is kept.
  Status settle() {
    constexpr int kRounds = 12;
    for (int round = 0; round < kRounds; ++round) {
      BFS_ASSIGN(const RuleSet rules, parse_rules(document().dump(), "json"));
      BFS_ASSIGN(const Plan plan, make_plan(rules, schema_, ask_));
      bool changed = false;
      for (const Finding& finding : plan.findings) {
        if (finding.level == Finding::Level::error) changed |= give_way(finding.where, round + 2 >= kRounds);
      }
      if (!changed) return {};
    }
    return {};
  }
  bool give_way(const std::string& where, bool at_once) {
    bool changed = false;
    for (Place& place : places_) {
      if (place.at >= place.masks.size()) continue;
      const std::string name =
          fmt::format("{}.{}.{}", schema_.database, place.table->plain(), place.column->name);
      if (where != name && !(at_once && where == schema_.database + "." + place.table->plain())) continue;
      // Those joined to it give way with it.
      for (Place* other : joined(place)) {
        if (other->at < other->masks.size()) other->at = at_once ? other->masks.size() : other->at + 1;
      }
      changed = true;
    }
    return changed;
  }
  std::vector<Place*> joined(Place& place) {
    std::vector<Place*> all{&place};
    for (std::size_t i = 0; i < all.size(); ++i) {
      for (const ForeignKey& key : schema_.foreign_keys) {
        for (std::size_t c = 0; c < key.from_columns.size(); ++c) {
          Place* from = place_of(key.from_table, key.from_columns[c]);
          Place* to = place_of(key.to_table, key.to_columns[c]);
          if (from == nullptr || to == nullptr || !all[i]->path.empty()) continue;
          Place* other = from == all[i] ? to : to == all[i] ? from : nullptr;
          if (other != nullptr && std::find(all.begin(), all.end(), other) == all.end()) all.push_back(other);
        }
      }
    }
    return all;
  }

  [[nodiscard]] json document() const {
    json rules = json::array();
    for (const Place& place : places_) {
      json rule = {{"database_name", literal_glob(schema_.database)},
                   {"schema_name", literal_glob(place.table->schema)},
                   {"table_name", literal_glob(place.table->name)},
                   {"column_name", literal_glob(place.column->name)}};
      const bool masked = place.at < place.masks.size();
      if (!masked && !place.path.empty()) continue;
      rule.update(masked ? place.masks[place.at] : mask("keep"));
      if (!place.path.empty()) rule["json_path"] = place.path;
      if (masked) rule["reason"] = place.reason;
      if (!masked && place.kind != Pii::none)
        rule["reason"] = place.reason + "; NO MASK FITS, it is kept: look at it";
      rules.push_back(std::move(rule));
    }
    const char* large = schema_.large_objects > 0 ? "drop" : "refuse";
    return {{"version", 1},
            {"key", "ephemeral"},
            {"defaults",
             {{"unmapped_columns", "refuse"},
              {"preserve_null", true},
              {"large_objects", large},
              {"other_databases", "refuse"},
              {"roles", "lock"}}},
            {"masking_rules", std::move(rules)}};
  }

  const Schema& schema_;
  const Ask& ask_;
  std::vector<Place> places_;  // whole once every table was looked at
  std::map<std::pair<std::uint32_t, std::string>, std::size_t> by_column_;
};

}  // namespace

Result<DetectedRules> detect(const Schema& schema, const Ask& ask) { return Detector(schema, ask).run(); }

}  // namespace branchfs::mask
