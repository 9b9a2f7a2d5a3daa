// Which file of the data directory belongs to which relation: to tell what was rewritten, what is left over, and to name a file for people.
//
// Read over a session per database, kept as a value. A relation is known by its path without segment number or fork: "base/16384/16390". Any
// thread. Errors: those of the session.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "tools/pg/session.h"

namespace branchfs::mask {

struct Relation {
  std::string database;       // "" for shared catalogs
  std::uint32_t oid = 0;
  std::uint32_t table = 0;    // whose data it holds: its own oid, or that of the table an index or TOAST relation belongs to
  char kind = 'r';            // relkind
  bool catalog = false;       // of pg_catalog, with TOAST and indexes
  bool toast = false;         // a TOAST table (not its index)
  std::string name;           // schema.name
};

// By path.
using RelationMap = std::map<std::string, Relation>;
Status add_relations(pg::Session& session, RelationMap& map);

// "base/16384/16390.2" and "base/16384/16390_fsm" → "base/16384/16390"; nothing for what is no relation's file.
std::optional<std::string> relation_path(const std::string& path);
const Relation* relation_of(const RelationMap& map, const std::string& path);

}  // namespace branchfs::mask
