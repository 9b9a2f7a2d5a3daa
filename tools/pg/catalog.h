// What must be looked up or changed in the catalogs of a branch, once, at its first start.
//
// Each works on a superuser's session of the running branch and returns what it did, for the manifest;
// applying one twice does nothing more. Errors: failed with the server's message.
#pragma once

#include <string>
#include <vector>

#include "tools/pg/binaries.h"
#include "tools/pg/session.h"

namespace branchfs::pg {

// The database that a URL should name: the only one besides "postgres", else "postgres", else the first.
Result<std::string> default_database(Session& superuser);

// Disables every subscription and takes its slot's name away, in every database that has one: enabling
// logical workers later must not connect to production, and DROP SUBSCRIPTION must not drop production's
// slot.
Result<std::vector<std::string>> quiet_subscriptions(Session& superuser);

// ALTER ROLE or DATABASE ... SET session_preload_libraries (or local_) may name a library that is not
// installed here: every connection concerned would fail. Such a setting is reset.
Result<std::vector<std::string>> reset_missing_preloads(Session& superuser, const Installation& installation);

}  // namespace branchfs::pg
