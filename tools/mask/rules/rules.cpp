#include "tools/mask/rules/rules.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>

#include "tools/mask/rules/rules_form.h"
#include "tools/mask/rules/tokens.h"
#include "tools/pg/text.h"

namespace branchfs::mask {
namespace {

using nlohmann::json;

constexpr std::size_t kFileLimit = 16UL << 20U;

const char* word_of(Policy policy) {
  switch (policy) {
    case Policy::refuse:
      return "refuse";
    case Policy::keep:
      return "keep";
    case Policy::drop:
      return "drop";
  }
  return "refuse";
}

std::string mask_word(const Rule& rule) {
  if (rule.action == Action::keep) return "keep";
  if (rule.action == Action::shuffle) return "shuffle";
  if (rule.alphabet.empty()) return "permute";
  return rule.alphabet == "luhn" ? "card" : rule.alphabet;
}

json rule_to_json(const Rule& rule) {
  json out = json::object();
  const auto put = [&](const char* key, const std::string& value) {
    if (!value.empty()) out[key] = value;
  };
  put("database_name", rule.database);
  put("schema_name", rule.schema);
  put("table_name", rule.table);
  put("column_name", rule.column);
  switch (rule.action) {
    case Action::function:
      out["masking_function"] = rule.expression->text();
      break;
    case Action::value:
      out["masking_value"] = rule.expression->text();
      break;
    case Action::truncate:
      out["truncate"] = true;
      break;
    case Action::permute:
    case Action::shuffle:
    case Action::keep:
      out["mask"] = mask_word(rule);
      break;
  }
  if (!rule.json_path.empty()) out["json_path"] = rule.json_path;
  if (rule.when) out["when"] = rule.when->text();
  if (!rule.seed.empty()) out["seed"] = rule.seed;
  if (rule.preserve_null) out["preserve_null"] = *rule.preserve_null;
  if (rule.compat_anon) out["compat"] = *rule.compat_anon ? "anon" : "keyed";
  return out;
}

bool is_glob(std::string_view part) {
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (part[i] == '\\')
      ++i;
    else if (part[i] == '*' || part[i] == '?')
      return true;
  }
  return false;
}

}  // namespace

std::string Rule::describe() const {
  std::string name;
  const auto add = [&](const std::string& part, bool shown) {
    if (shown) name += (name.empty() ? "" : ".") + (part.empty() ? "*" : part);
  };
  add(database, !database.empty());
  add(schema, true);
  add(table, true);
  add(column, action != Action::truncate);
  return fmt::format("rule {} ({})", number, name);
}

json RuleSet::canonical() const {
  json out = json::object();
  out["version"] = version;
  out["key"] = key;
  out["defaults"] = {
      {"unmapped_columns", defaults.unmapped_columns == UnmappedColumns::keep ? "keep" : "refuse"},
      {"preserve_null", defaults.preserve_null},
      {"large_objects", word_of(defaults.large_objects)},
      {"other_databases", word_of(defaults.other_databases)},
      {"roles", defaults.lock_roles ? "lock" : "keep"},
      {"compat", defaults.compat_anon ? "anon" : "keyed"}};
  std::vector<json> sorted;
  for (const Rule& rule : rules) sorted.push_back(rule_to_json(rule));
  std::sort(sorted.begin(), sorted.end());
  out["masking_rules"] = sorted;
  if (!references.empty()) {
    std::vector<json> pairs;
    for (const Reference& reference : references)
      pairs.push_back({{"from", reference.from}, {"to", reference.to}});
    std::sort(pairs.begin(), pairs.end());
    out["references"] = pairs;
  }
  if (!accepted.is_null()) out["accepted"] = accepted;
  return out;
}

void RuleSet::seal() {
  json form = canonical();
  form.erase("key");
  form.erase("accepted");
  const std::string bytes = form.dump();
  const XXH128_hash_t digest = XXH3_128bits(bytes.data(), bytes.size());
  hash = fmt::format("{:016x}{:016x}", digest.high64, digest.low64);
}

Result<RuleSet> read_rules(const std::string& path) {
  auto text = pg::read_file(path, kFileLimit);
  if (!text) return std::move(text).error().context("read the rules");
  const std::size_t dot = path.rfind('.');
  std::string form = dot == std::string::npos ? "" : pg::lower(path.substr(dot + 1));
  if (form == "yml") form = "yaml";
  if (form != "json" && form != "yaml" && form != "sql") {
    const std::string_view begin = pg::trim(*text);
    form = begin.starts_with("{") ? "json" : "yaml";
    if (begin.starts_with("--") || pg::lower(std::string(begin.substr(0, 8))) == "security") form = "sql";
  }
  auto rules = parse_rules(*text, form);
  if (!rules) return std::move(rules).error().context(path);
  return rules;
}

Result<RuleSet> parse_rules(std::string_view text, std::string_view form) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (text.size() > kFileLimit) return make_error(Kind::usage, "a rule file has at most 16 MiB");
  if (auto why = objection_to_text(text, true); !why.empty())
    return make_error(Kind::usage, "no rule file: " + why);
  if (form == "sql") return rules_of_statements(text);
  if (form != "json" && form != "yaml") {
    return make_error(Kind::usage, fmt::format("unknown form of rules \"{}\"", form),
                      "use json, yaml or sql");
  }
  auto document = form == "json" ? json_of(text) : yaml_to_json(text);
  if (!document) return std::move(document).error();
  return rules_of_document(*document);
}

// Iterative: a hostile pattern costs text × glob at most.
bool glob_matches(std::string_view glob, std::string_view text) {
  if (glob.empty()) return true;
  std::size_t g = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_text = 0;
  while (t < text.size()) {
    const bool escaped = g + 1 < glob.size() && glob[g] == '\\';
    const bool literal = g < glob.size() && (escaped ? glob[g + 1] : glob[g]) == text[t];
    if (!escaped && g < glob.size() && glob[g] == '*') {
      star = g++;
      star_text = t;
    } else if (literal || (!escaped && g < glob.size() && glob[g] == '?')) {
      g += escaped ? 2 : 1;
      // One character, not one byte.
      if (!literal) {
        while (t + 1 < text.size() && (static_cast<unsigned char>(text[t + 1]) & 0xC0U) == 0x80U) ++t;
      }
      ++t;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

std::string literal_glob(std::string_view text) {
  std::string glob;
  for (char c : text) {
    if (c == '*' || c == '?' || c == '\\') glob += '\\';
    glob += c;
  }
  return glob;
}

int specificity(const Rule& rule) {
  // A literal part outweighs every glob; among equals the later part (the column) decides.
  const std::array<const std::string*, 4> parts{&rule.database, &rule.schema, &rule.table, &rule.column};
  int literal = 0;
  int partial = 0;
  int place = 0;
  int letters = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string& part = *parts[i];
    if (part.empty() || part == "*") continue;
    if (is_glob(part)) {
      ++partial;
      letters += static_cast<int>(part.size());
    } else {
      ++literal;
      place += 1 << i;
    }
  }
  return ((literal * 16 + place) * 8 + partial) * 1000 + std::min(letters, 999);
}

}  // namespace branchfs::mask
