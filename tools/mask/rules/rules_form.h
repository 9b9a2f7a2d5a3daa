// Between the readers: JSON to the model, label statements to the model. Not for others.
#pragma once

#include <string_view>

#include "tools/mask/rules/rules.h"

namespace branchfs::mask {

inline constexpr std::size_t kRuleLimit = 100'000;
inline constexpr int kDocumentDepth = 32;

Result<nlohmann::json> json_of(std::string_view text);       // strict: no duplicate keys, no comments
Result<nlohmann::json> yaml_to_json(std::string_view text);  // one document, no anchors, aliases and tags
Result<RuleSet> rules_of_document(const nlohmann::json& document);
Result<RuleSet> rules_of_statements(std::string_view sql);

// Sets expression and text; function or value.
Status set_expression(Rule& rule, Action action, std::string_view text);
// "MASKED WITH FUNCTION …" and kin onto the rule.
Status apply_label(Rule& rule, std::string_view label);
Error context_of(const Rule& rule, Error error);

}  // namespace branchfs::mask
