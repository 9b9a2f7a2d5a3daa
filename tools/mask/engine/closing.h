// The closing drill: what of production would stay behind after every table is rewritten, and how it goes.
//
// clear_cluster(), close_database() for each, close_cluster() work on the running sealed server, wipe_directory() on its stopped data directory. Each step has a name
// (steps.h) and is undone by nothing. In order: roles and settings that hold secrets, labels, large objects; statistics; catalogs rewritten (their dead rows
// held originals); write-ahead log switched away; then every file that an allow-list does not know. Errors: those of the server or the system.
#pragma once

#include <string>
#include <vector>

#include "tools/mask/engine/relations.h"
#include "tools/mask/engine/sealed.h"
#include "tools/mask/rules/rules.h"

namespace branchfs::mask {

struct Cleared {
  std::vector<std::string> done;  // for the certificate: "passwords of 3 roles", "setting app.secret of database app"
};

// `masked`: its tables changed; otherwise only what may hold traces of data is rewritten.
Status close_database(pg::Session& session, const Defaults& defaults, bool masked, Cleared& cleared);
// Once, in any database, before the databases are closed, whose statistics quote shared catalogs: passwords and settings.
Status clear_cluster(pg::Session& session, const Defaults& defaults, Cleared& cleared);
// Once, after the databases: what shared catalogs remember.
Status close_cluster(pg::Session& session);
// Leaves one segment of write-ahead log that tells nothing.
Status flush_wal(pg::Session& session);

// `known`: the relations of every database that was connected to (`databases`, by oid). Of the directories of databases only these and
// template0's stay.
Status wipe_directory(const pg::ServerSpec& server, const RelationMap& known, const std::vector<std::string>& databases,
                      const std::string& template0, Cleared& cleared);

}  // namespace branchfs::mask
