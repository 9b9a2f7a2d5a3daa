// Tablespaces that lie behind links: those made in a branch by CREATE TABLESPACE ... LOCATION. (Import brings a
// source's tablespaces inside as plain directories, which need nothing.)
//
// A link names an absolute path, so a copy's link still leads where it was made: to files of the branch it was taken
// from. A location inside the data directory is found again inside the copy, and the link is set right; one outside
// of it is not part of any branch: only the branch that made it may use it. The same holds for a directory of the data directory that is a
// link (pg_wal on another disk).
// Durable when it returns. As root it acts with the rights of the directory's owner. Threads: any; no server runs on
// the directory. Errors: refused for a location outside of a directory that is somebody's copy.
#pragma once

#include <string>

#include "layers/base/result.h"
#include "tools/pg/identity.h"

namespace branchfs::pg {

// `copied`: nothing has run on this directory since it was made from another one.
Status settle_tablespaces(const std::string& dir, const Identity& owner, bool copied);

}  // namespace branchfs::pg
