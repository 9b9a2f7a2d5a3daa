// Text as the server's files have it, in the database's own encoding, because originals are looked for there.
//
// A plain function on a session that speaks UTF-8 before and after; one thread. Errors: the session's.
#pragma once

#include <string>
#include <vector>

#include "tools/pg/session.h"

namespace branchfs::mask {

// One statement; answers and $1 … in the database's encoding. A statement with names beyond ASCII stays in UTF-8, as it was written.
Result<std::vector<pg::Session::Row>> query_as_stored(pg::Session& session, const std::string& sql,
                                                      const std::vector<std::string>& parameters = {});

}  // namespace branchfs::mask
