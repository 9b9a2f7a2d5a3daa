#include "tools/mask/engine/relations.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

namespace branchfs::mask {
namespace {

// An index of a TOAST table belongs to the table of that TOAST table.
constexpr const char* kRelations = R"(
  SELECT pg_catalog.pg_relation_filepath(c.oid), c.oid, c.relkind, n.nspname || '.' || c.relname, c.relisshared,
         COALESCE(t.oid, i.indrelid, c.oid) AS own,
         COALESCE(tn.nspname, n.nspname) = 'pg_catalog' AS catalog
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
  LEFT JOIN pg_catalog.pg_class t ON t.reltoastrelid = COALESCE(i.indrelid, c.oid)
  LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
  WHERE pg_catalog.pg_relation_filepath(c.oid) IS NOT NULL)";

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

}  // namespace

Status add_relations(pg::Session& session, RelationMap& map) {
  BFS_ASSIGN(const auto rows, session.query(kRelations));
  for (const auto& row : rows) {
    Relation relation;
    relation.database = row[4] == "t" ? "" : session.target().database;
    relation.oid = static_cast<std::uint32_t>(std::strtoul(row[1].c_str(), nullptr, 10));
    relation.kind = row[2].empty() ? 'r' : row[2][0];
    relation.toast = relation.kind == 't';
    relation.name = row[3];
    relation.table = static_cast<std::uint32_t>(std::strtoul(row[5].c_str(), nullptr, 10));
    relation.catalog = row[6] == "t";
    map.insert_or_assign(row[0], std::move(relation));
  }
  return {};
}

std::optional<std::string> relation_path(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return std::nullopt;
  std::string name = path.substr(slash + 1);
  if (const std::size_t dot = name.find('.'); dot != std::string::npos) {
    if (!all_digits(std::string_view(name).substr(dot + 1))) return std::nullopt;
    name.resize(dot);
  }
  if (const std::size_t fork = name.find('_'); fork != std::string::npos) {
    const std::string word = name.substr(fork + 1);
    if (word != "fsm" && word != "vm" && word != "init") return std::nullopt;
    name.resize(fork);
  }
  if (!all_digits(name)) return std::nullopt;
  return path.substr(0, slash + 1) + name;
}

const Relation* relation_of(const RelationMap& map, const std::string& path) {
  const auto key = relation_path(path);
  if (!key) return nullptr;
  const auto found = map.find(*key);
  return found == map.end() ? nullptr : &found->second;
}

}  // namespace branchfs::mask
