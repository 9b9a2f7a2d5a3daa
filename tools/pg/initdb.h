// Makes an empty cluster with initdb.
//
// Defaults, each of which a given option replaces: UTF8, locale C.UTF-8, data checksums, superuser
// "postgres", trust on sockets and SCRAM on TCP. As root it runs as `user`, who gets the directory. Not
// durable when it returns
// (--no-sync): the caller imports the result into a store, or syncs it. Errors: failed with initdb's words.
#pragma once

#include <string>
#include <vector>

#include "tools/pg/binaries.h"
#include "tools/pg/identity.h"

namespace branchfs::pg {

// `dir` must be empty or absent, in a directory that `user` can enter.
Status run_initdb(const Installation& installation, const std::string& dir, const Identity& user,
                  const std::vector<std::string>& options = {});

// The arguments behind the program's name.
std::vector<std::string> initdb_arguments(const std::string& dir, const std::vector<std::string>& options);

}  // namespace branchfs::pg
