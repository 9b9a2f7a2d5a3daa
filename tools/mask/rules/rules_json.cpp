// Neon's body and the native form, from JSON (or YAML that became JSON).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <initializer_list>
#include <set>

#include "tools/mask/rules/rules_form.h"
#include "tools/mask/rules/tokens.h"
#include "tools/text.h"

namespace branchfs::mask {
namespace {

using nlohmann::json;

Error refuse(std::string what, std::string hint = {}) {
  return make_error(Kind::refused, std::move(what), std::move(hint));
}

Status known_keys(const json& object, std::initializer_list<const char*> allowed, std::string_view of) {
  for (const auto& [key, value] : object.items()) {
    const bool known =
        std::any_of(allowed.begin(), allowed.end(), [&, &name = key](const char* k) { return name == k; });
    if (known) continue;
    const std::string near = nearest(key, std::vector<std::string>(allowed.begin(), allowed.end()));
    if (auto why = objection_to_text(key, false); !why.empty())
      return refuse(fmt::format("a key of {} holds a {}", of, why));
    return refuse(fmt::format("unknown key \"{}\" in {}", key, of),
                  near.empty() ? "remove it" : fmt::format("did you mean \"{}\"?", near));
  }
  return {};
}

Result<std::string> text_of(const json& value, std::string_view key, bool lines = false) {
  if (!value.is_string()) {
    return refuse(
        fmt::format("\"{}\" is a {}, not a string", key, value.type_name()),
        key == "masking_value" ? "write SQL in quotes: \"NULL\", \"42\", \"'text'\"" : "put it into quotes");
  }
  auto text = value.get<std::string>();
  if (auto why = objection_to_text(text, lines); !why.empty())
    return refuse(fmt::format("\"{}\" holds a {}", key, why));
  return text;
}

Result<bool> flag_of(const json& value, std::string_view key) {
  if (!value.is_boolean())
    return refuse(fmt::format("\"{}\" is a {}, not true or false", key, value.type_name()));
  return value.get<bool>();
}

// A name, or in the native form a glob.
Result<std::string> name_of(const json& value, std::string_view key, bool native) {
  BFS_ASSIGN(std::string text, text_of(value, key));
  if (text.empty())
    return refuse(fmt::format("\"{}\" is empty", key), native ? "leave it out to match everything" : "");
  if (text.size() > 4 * kNameLimit) return refuse(fmt::format("\"{}\" is too long for a name", key));
  return native ? text : literal_glob(text);
}

Result<std::vector<std::string>> texts_of(const json& value, std::string_view key) {
  if (!value.is_array() || value.empty() || value.size() > 64) {
    return refuse(fmt::format("\"{}\" is not a list of one or more strings", key));
  }
  std::vector<std::string> texts;
  for (const json& item : value) {
    BFS_ASSIGN(std::string text, text_of(item, key));
    if (text.empty()) return refuse(fmt::format("\"{}\" holds an empty string", key));
    texts.push_back(std::move(text));
  }
  return texts;
}

Status read_names(Rule& rule, const json& from, bool native) {
  const std::array<std::pair<const char*, std::string*>, 4> names{{{"database_name", &rule.database},
                                                                   {"schema_name", &rule.schema},
                                                                   {"table_name", &rule.table},
                                                                   {"column_name", &rule.column}}};
  for (const auto& [key, target] : names) {
    if (from.contains(key)) {
      BFS_ASSIGN(*target, name_of(from[key], key, native));
    }
  }
  return {};
}

Status read_mask(Rule& rule, const std::string& word) {
  rule.text = word;
  if (word == "keep")
    rule.action = Action::keep;
  else if (word == "shuffle")
    rule.action = Action::shuffle;
  else if (word == "permute" || word == "digits" || word == "card" || word == "iban") {
    rule.action = Action::permute;
    rule.alphabet = word == "permute" ? "" : word == "card" ? "luhn" : word;
  } else {
    return refuse(fmt::format("unknown mask \"{}\"", word),
                  "use permute, digits, card, iban, shuffle or keep");
  }
  return {};
}

// Which of the four ways a rule may say what to do.
Status read_action(Rule& rule, const json& from) {
  std::vector<std::string> given;
  for (const char* key : {"masking_function", "masking_value", "mask", "truncate"}) {
    if (from.contains(key)) given.emplace_back(key);
  }
  if (given.empty())
    return refuse("it does not say what to do", "add \"masking_function\", \"masking_value\" or \"mask\"");
  if (given.size() > 1) return refuse(fmt::format("it has both {}", enumerate(given)), "leave one of them");
  if (given[0] == "truncate") {
    BFS_ASSIGN(const bool truncate, flag_of(from["truncate"], "truncate"));
    if (!truncate) return refuse("\"truncate\" is false", "remove the rule");
    if (!rule.column.empty()) return refuse("\"truncate\" is for whole tables", "remove \"column_name\"");
    if (rule.table.empty()) return refuse("\"truncate\" needs \"table_name\"");
    rule.action = Action::truncate;
    rule.text = "truncate";
    return {};
  }
  if (rule.column.empty()) return refuse("\"column_name\" is missing");
  const bool lines = given[0] != "mask";
  BFS_ASSIGN(const std::string text, text_of(from[given[0]], given[0], lines));
  if (given[0] == "mask") return read_mask(rule, text);
  return set_expression(rule, given[0] == "masking_value" ? Action::value : Action::function, text);
}

Status read_conditions(Rule& rule, const json& from) {
  if (from.contains("json_path")) {
    BFS_ASSIGN(rule.json_path, texts_of(from["json_path"], "json_path"));
  }
  if (from.contains("seed")) {
    BFS_ASSIGN(rule.seed, texts_of(from["seed"], "seed"));
  }
  if (from.contains("preserve_null")) {
    BFS_ASSIGN(rule.preserve_null, flag_of(from["preserve_null"], "preserve_null"));
  }
  if (from.contains("reason")) {
    BFS_ASSIGN(rule.reason, text_of(from["reason"], "reason"));
  }
  if (from.contains("compat")) {
    BFS_ASSIGN(const std::string compat, text_of(from["compat"], "compat"));
    if (compat != "anon" && compat != "keyed") return refuse("\"compat\" is neither \"anon\" nor \"keyed\"");
    rule.compat_anon = compat == "anon";
  }
  if (from.contains("when")) {
    BFS_ASSIGN(const std::string text, text_of(from["when"], "when", true));
    auto condition = Expression::parse(text);
    if (!condition) return std::move(condition).error().context("\"when\"");
    if (!condition->functions().empty())
      return refuse("\"when\" calls a masking function", "compare columns with literals");
    rule.when = *std::move(condition);
  }
  const bool masks =
      rule.action == Action::function || rule.action == Action::value || rule.action == Action::permute;
  if (!rule.json_path.empty() && !masks)
    return refuse(fmt::format("\"json_path\" and {} do not go together", rule.text));
  const bool none = rule.action == Action::keep || rule.action == Action::truncate;
  if (none && (rule.when || !rule.seed.empty() || rule.preserve_null || rule.compat_anon)) {
    return refuse(fmt::format("a condition and {} do not go together", rule.text), "remove the condition");
  }
  if (!rule.seed.empty() && rule.action != Action::function)
    return refuse("\"seed\" is for masking functions alone");
  if (rule.action == Action::shuffle && rule.when) return refuse("\"when\" and shuffle do not go together");
  return {};
}

Result<Rule> read_rule(const json& from, std::size_t number, bool native) {
  Rule rule;
  rule.number = number;
  if (!from.is_object())
    return refuse(fmt::format("rule {} is a {}, not an object", number, from.type_name()));
  const auto read = [&]() -> Status {
    BFS_TRY(read_names(rule, from, native));
    if (native) {
      BFS_TRY(known_keys(
          from,
          {"database_name", "schema_name", "table_name", "column_name", "masking_function", "masking_value",
           "mask", "truncate", "json_path", "when", "seed", "preserve_null", "compat", "reason"},
          "a rule"));
    } else {
      BFS_TRY(known_keys(
          from,
          {"database_name", "schema_name", "table_name", "column_name", "masking_function", "masking_value"},
          "a rule (without \"version\" the file is in Neon's form)"));
      if (rule.table.empty()) return refuse("\"table_name\" is missing");
    }
    BFS_TRY(read_action(rule, from));
    return read_conditions(rule, from);
  };
  if (auto status = read(); !status) return context_of(rule, std::move(status).error());
  return rule;
}

Result<Policy> policy_of(const json& value, std::string_view key) {
  BFS_ASSIGN(const std::string word, text_of(value, key));
  if (word == "refuse") return Policy::refuse;
  if (word == "keep") return Policy::keep;
  if (word == "drop") return Policy::drop;
  return refuse(fmt::format("\"{}\" is \"{}\"", key, word), "use refuse, keep or drop");
}

Status read_defaults(Defaults& defaults, const json& from) {
  if (!from.is_object()) return refuse("\"defaults\" is not an object");
  BFS_TRY(known_keys(
      from, {"unmapped_columns", "preserve_null", "large_objects", "other_databases", "roles", "compat"},
      "\"defaults\""));
  const auto choose = [&](const char* key, const char* yes, const char* no, bool& target) -> Status {
    if (!from.contains(key)) return {};
    BFS_ASSIGN(const std::string word, text_of(from[key], key));
    if (word != yes && word != no)
      return refuse(fmt::format("\"{}\" is \"{}\"", key, word), fmt::format("use {} or {}", yes, no));
    target = word == yes;
    return {};
  };
  bool keep = defaults.unmapped_columns == UnmappedColumns::keep;
  BFS_TRY(choose("unmapped_columns", "keep", "refuse", keep));
  defaults.unmapped_columns = keep ? UnmappedColumns::keep : UnmappedColumns::refuse;
  BFS_TRY(choose("roles", "lock", "keep", defaults.lock_roles));
  BFS_TRY(choose("compat", "anon", "keyed", defaults.compat_anon));
  if (from.contains("preserve_null")) {
    BFS_ASSIGN(defaults.preserve_null, flag_of(from["preserve_null"], "preserve_null"));
  }
  if (from.contains("large_objects")) {
    BFS_ASSIGN(defaults.large_objects, policy_of(from["large_objects"], "large_objects"));
  }
  if (from.contains("other_databases")) {
    BFS_ASSIGN(defaults.other_databases, policy_of(from["other_databases"], "other_databases"));
  }
  return {};
}

// schema.table.column; parts with other signs in double quotes.
Result<std::vector<std::string>> column_parts(const std::string& text) {
  auto tokens = tokenize(text, Dialect::expression);
  if (!tokens) return std::move(tokens).error();
  std::vector<std::string> parts;
  for (std::size_t i = 0; i + 1 < tokens->size(); ++i) {
    const Token& token = (*tokens)[i];
    const bool wanted = i % 2 == 0 ? token.is_any_name() : token.is(".");
    if (!wanted) return refuse(fmt::format("\"{}\" is not schema.table.column", text));
    if (i % 2 == 0) parts.push_back(token.text);
  }
  if (tokens->size() % 2 != 0 || parts.size() < 3 || parts.size() > 4) {
    return refuse(fmt::format("\"{}\" is not schema.table.column", text));
  }
  if (parts.size() == 3) parts.insert(parts.begin(), "");
  return parts;
}

Status read_references(RuleSet& rules, const json& from) {
  if (!from.is_array()) return refuse("\"references\" is not a list");
  for (std::size_t i = 0; i < from.size(); ++i) {
    const std::string place = fmt::format("reference {}", i + 1);
    if (!from[i].is_object() || !from[i].contains("from") || !from[i].contains("to")) {
      return refuse(place + " is not {\"from\": …, \"to\": …}");
    }
    BFS_TRY(known_keys(from[i], {"from", "to"}, place));
    Reference reference;
    BFS_ASSIGN(reference.from, text_of(from[i]["from"], "from"));
    BFS_ASSIGN(reference.to, text_of(from[i]["to"], "to"));
    for (const auto& [text, parts] :
         {std::pair{&reference.from, &reference.from_parts}, {&reference.to, &reference.to_parts}}) {
      auto read = column_parts(*text);
      if (!read) return std::move(read).error().context(place);
      *parts = *std::move(read);
    }
    rules.references.push_back(std::move(reference));
  }
  return {};
}

Status read_key(RuleSet& rules, const json& from) {
  BFS_ASSIGN(rules.key, text_of(from, "key"));
  const bool file = rules.key.starts_with("file:") && rules.key.size() > 5;
  if (!file && rules.key != "ephemeral") return refuse("\"key\" is neither \"ephemeral\" nor \"file:PATH\"");
  return {};
}

Status read_native(RuleSet& rules, const json& document) {
  BFS_TRY(known_keys(document, {"version", "key", "defaults", "masking_rules", "references", "accepted"},
                     "the rule file"));
  if (document["version"] != json(1)) return refuse("\"version\" is not 1", "this branchfs reads version 1");
  if (document.contains("key")) BFS_TRY(read_key(rules, document["key"]));
  if (document.contains("defaults")) BFS_TRY(read_defaults(rules.defaults, document["defaults"]));
  if (document.contains("references")) BFS_TRY(read_references(rules, document["references"]));
  if (document.contains("accepted")) rules.accepted = document["accepted"];
  return {};
}

// The bodies of Neon's create and update requests.
Status read_neon(RuleSet& rules, const json& document) {
  BFS_TRY(known_keys(document, {"masking_rules", "branch_create", "start_anonymization"},
                     "the rule file (without \"version\": 1 it is in Neon's form)"));
  rules.defaults.unmapped_columns = UnmappedColumns::keep;
  for (const char* key : {"branch_create", "start_anonymization"}) {
    if (document.contains(key))
      rules.warnings.push_back(fmt::format("\"{}\" means nothing here and is ignored", key));
  }
  return {};
}

}  // namespace

Error context_of(const Rule& rule, Error error) { return std::move(error).context(rule.describe()); }

Status set_expression(Rule& rule, Action action, std::string_view text) {
  auto expression = Expression::parse(text);
  if (!expression) return std::move(expression).error();
  rule.action = action;
  rule.text = expression->text();
  if (action == Action::value && !expression->is_constant()) {
    return refuse("the masking value is not constant",
                  "a text carries its own quotes: 'CONFIDENTIAL'; for functions use masking_function");
  }
  rule.expression = *std::move(expression);
  return {};
}

Result<json> json_of(std::string_view text) {
  std::vector<std::set<std::string>> keys;
  std::string objection;
  const auto check = [&](int depth, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end && !keys.empty()) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.empty() &&
        !keys.back().insert(parsed.get<std::string>()).second && objection.empty()) {
      const auto name = parsed.get<std::string>();
      objection = objection_to_text(name, false).empty()
                      ? fmt::format("the key \"{}\" occurs twice in one object", name)
                      : "a key occurs twice in one object";
    }
    if (depth > kDocumentDepth) objection = "it is nested too deep";
    return objection.empty();
  };
  try {
    json document = json::parse(text.begin(), text.end(), check);
    if (!objection.empty()) return refuse("no rule file: " + objection);
    return document;
  } catch (const json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 3, column 5: …": the library's own tag says
    // nothing to a reader.
    std::string_view what = error.what();
    if (const auto end = what.find("] "); end != std::string_view::npos) what.remove_prefix(end + 2);
    if (const auto quote = what.find("; last read"); quote != std::string_view::npos)
      what = what.substr(0, quote);
    return make_error(Kind::usage, fmt::format("no rule file: {}", what));
  }
}

Result<RuleSet> rules_of_document(const json& document) {
  if (!document.is_object())
    return make_error(Kind::usage, "no rule file: it is no object",
                      "begin with {\"version\": 1, \"masking_rules\": […]}");
  RuleSet rules;
  const bool native = document.contains("version");
  BFS_TRY(native ? read_native(rules, document) : read_neon(rules, document));
  if (!document.contains("masking_rules"))
    return make_error(Kind::usage, "no rule file: \"masking_rules\" is missing");
  const json& list = document["masking_rules"];
  if (!list.is_array()) return refuse("\"masking_rules\" is not a list");
  if (list.size() > kRuleLimit) return refuse(fmt::format("more than {} rules", kRuleLimit));
  for (const json& item : list) {
    BFS_ASSIGN(Rule rule, read_rule(item, rules.rules.size() + 1, native));
    rules.rules.push_back(std::move(rule));
  }
  rules.seal();
  return rules;
}

}  // namespace branchfs::mask
