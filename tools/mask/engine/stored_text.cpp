#include "tools/mask/engine/stored_text.h"

#include <algorithm>

namespace branchfs::mask {

Result<std::vector<pg::Session::Row>> query_as_stored(pg::Session& session, const std::string& sql,
                                                      const std::vector<std::string>& parameters) {
  const bool ascii = std::all_of(sql.begin(), sql.end(), [](unsigned char c) { return c < 0x80; });
  if (!ascii) return session.query(sql, parameters);
  BFS_TRY(session.query("SELECT pg_catalog.set_config('client_encoding', pg_catalog.getdatabaseencoding(), false)"));
  BFS_ASSIGN(auto rows, session.query(sql, parameters));
  BFS_TRY(session.execute("SET client_encoding = 'UTF8'"));
  return rows;
}

}  // namespace branchfs::mask
