// Names of PostgreSQL's own data types, as a rule may write them, and their one name in pg_catalog.
//
// Static data; any thread.
#pragma once

#include <string_view>

namespace branchfs::mask {

// "integer" → "int4", "timestamp with time zone" → "timestamptz", "text" → "text"; lower case. Empty: no type
// that a rule may name.
std::string_view builtin_type(std::string_view name);
bool is_text_type(std::string_view type);  // of pg_catalog: text, varchar, bpchar, name

}  // namespace branchfs::mask
