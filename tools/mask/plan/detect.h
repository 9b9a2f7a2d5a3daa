// Finds columns that look like personal data, by their names (English and French) and by a sample of their
// values, and writes a rule file to begin with.
//
// The rule file is complete: a rule for every column of every table, a mask with its reason where something
// was detected, "keep" elsewhere; make_plan() accepts it. It is a beginning and no verdict: whoever runs it
// reads it first. `ask` runs one query a table. Values; any thread. Errors: those of `ask`.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/mask/plan/plan.h"

namespace branchfs::mask {

enum class Pii : std::uint8_t {
  none,
  email,
  phone,
  first_name,
  last_name,
  full_name,
  user_name,
  address,
  city,
  postcode,
  company,
  iban,
  card,
  national_id,  // social security, tax, passport
  birth,
  ip,
  secret,     // passwords, tokens, keys
  free_text,  // notes and comments
  binary,     // pictures, signatures, scans
};
const char* to_string(Pii kind);

struct Detection {
  std::string table, column;  // "public.users"; a place inside JSON: "profile.emails.*"
  Pii kind = Pii::none;
  std::string reason;  // "its name", "951 of 1000 values look like e-mail addresses"
  bool masked = true;  // false: no mask fits; the rule keeps it and says so
};

struct DetectedRules {
  nlohmann::json document;  // native form; dump(2) is the file
  std::vector<Detection> found;
};

Result<DetectedRules> detect(const Schema& schema, const Ask& ask);

// What a name says; `table` decides about "name" alone. What most of the values say.
Pii kind_of_name(const std::string& table, const std::string& column);
struct ValueCount {
  Pii kind = Pii::none;
  std::size_t hits = 0, values = 0;
};
ValueCount kind_of_values(const std::vector<std::string>& values);

}  // namespace branchfs::mask
