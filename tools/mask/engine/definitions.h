// The literals of definitions: defaults, checks, predicates, views, partition bounds.
//
// Catalogs keep them as trees in which a string is a list of numbers, so that no search of files finds it; the server
// turns them back into text. Read over a session per database while the branch runs, searched once the witnesses are sealed.
// Errors: those of the session; refused when there is an original in one.
#pragma once

#include <string>
#include <vector>

#include "tools/mask/proof/witness.h"
#include "tools/pg/session.h"

namespace branchfs::mask {

struct Definition {
  std::string catalog;  // "pg_attrdef"
  std::string object;   // "default value for column email of table users in app"
  std::string text;     // in the server's encoding, with quotes undone
};
Status add_definitions(pg::Session& session, const std::string& database, std::vector<Definition>& definitions);
// Names the objects, which the search of files has found to be free of originals before.
Status no_originals_in(const std::vector<Definition>& definitions, const WitnessSet& witnesses);

}  // namespace branchfs::mask
