// How a branch's masking is shown: the certificate in words and as JSON.
//
// Plain functions of a manifest; any thread.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "layers/store/manifest.h"

namespace branchfs {

// Lines of `branchfs show`; empty for a branch that is not anonymized.
std::string describe_masking(const Manifest& manifest);
std::string describe_certificate(const nlohmann::json& certificate);
// {"rules_hash","key_id","ephemeral_key","inherited","certificate"}, or null. Without the rules and the stack.
nlohmann::json masking_json(const Manifest& manifest);

}  // namespace branchfs
