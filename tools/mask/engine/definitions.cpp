#include "tools/mask/engine/definitions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <span>

#include "tools/mask/engine/stored_text.h"

namespace branchfs::mask {
namespace {

constexpr std::size_t kNamed = 5;

// What initdb made is no one's data.
constexpr const char* kDefinitions = R"(
  SELECT tableoid, oid, pg_catalog.pg_get_expr(adbin, adrelid) FROM pg_catalog.pg_attrdef
  UNION ALL SELECT tableoid, oid, pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint WHERE conbin IS NOT NULL
  UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, indexrelid, pg_catalog.pg_get_indexdef(indexrelid)
    FROM pg_catalog.pg_index WHERE indexprs IS NOT NULL OR indpred IS NOT NULL
  UNION ALL SELECT tableoid, oid, pg_catalog.pg_get_ruledef(oid) FROM pg_catalog.pg_rewrite WHERE oid >= 16384
  UNION ALL SELECT tableoid, oid, pg_catalog.concat(pg_catalog.pg_get_expr(polqual, polrelid), ' ',
                                                    pg_catalog.pg_get_expr(polwithcheck, polrelid)) FROM pg_catalog.pg_policy
  UNION ALL SELECT tableoid, oid, pg_catalog.pg_get_triggerdef(oid) FROM pg_catalog.pg_trigger WHERE tgqual IS NOT NULL
  UNION ALL SELECT tableoid, oid, pg_catalog.pg_get_functiondef(oid) FROM pg_catalog.pg_proc
    WHERE oid >= 16384 AND prokind IN ('f', 'p')
  UNION ALL SELECT tableoid, oid, pg_catalog.pg_get_expr(relpartbound, oid) FROM pg_catalog.pg_class WHERE relpartbound IS NOT NULL
  UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, partrelid, pg_catalog.pg_get_partkeydef(partrelid)
    FROM pg_catalog.pg_partitioned_table WHERE partexprs IS NOT NULL
  UNION ALL SELECT tableoid, oid, pg_catalog.pg_get_statisticsobjdef(oid) FROM pg_catalog.pg_statistic_ext)";
constexpr const char* kRowFilters = R"(
  UNION ALL SELECT tableoid, oid, pg_catalog.pg_get_expr(prqual, prrelid) FROM pg_catalog.pg_publication_rel WHERE prqual IS NOT NULL)";
constexpr int kRowFiltersSince = 15;

}  // namespace

Status add_definitions(pg::Session& session, const std::string& database,
                       std::vector<Definition>& definitions) {
  const std::string all =
      std::string(kDefinitions) + (session.target().major >= kRowFiltersSince ? kRowFilters : "");
  BFS_ASSIGN(const auto rows,
             query_as_stored(session, fmt::format(
                 "SELECT tableoid::pg_catalog.regclass, pg_catalog.pg_describe_object(tableoid, oid, 0), "
                 R"(pg_catalog.replace(pg_catalog.replace(text, '''''', ''''), '\\', '\') )"
                 "FROM ({}) AS d (tableoid, oid, text) WHERE text IS NOT NULL",
                 all)));
  for (const auto& row : rows)
    definitions.push_back({row[0], fmt::format("{} in {}", row[1], database), row[2]});
  return {};
}

Status no_originals_in(const std::vector<Definition>& definitions, const WitnessSet& witnesses) {
  std::vector<std::string> found;
  for (const Definition& definition : definitions) {
    if (found.size() == kNamed) break;
    witnesses.scan(std::as_bytes(std::span(definition.text)), [&](const WitnessSet::Hit& hit) {
      found.push_back(fmt::format("{} ({}): an original of {}", definition.object, definition.catalog,
                                  witnesses.column_name(hit.column)));
      return false;
    });
  }
  if (found.empty()) return {};
  return make_error(Kind::refused, fmt::format("definitions hold originals: {}", fmt::join(found, "; ")),
                    "take the values out of these definitions in production");
}

}  // namespace branchfs::mask
