#include "tools/pg/catalog.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/pg/conf_file.h"

namespace branchfs::pg {

Result<std::string> default_database(Session& superuser) {
  BFS_ASSIGN(const auto rows,
             superuser.query("SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate "
                             "ORDER BY datname = 'postgres', datname"));
  if (rows.empty()) return std::string("template1");
  const bool has_postgres = rows.back().front() == "postgres";
  if (rows.size() == 2 && has_postgres) return rows.front().front();
  return has_postgres ? rows.back().front() : rows.front().front();
}

Result<std::vector<std::string>> quiet_subscriptions(Session& superuser) {
  std::vector<std::string> done;
  BFS_ASSIGN(
      const auto rows,
      superuser.query("SELECT d.datname, s.subname, s.subenabled, s.subslotname IS NOT NULL, d.datallowconn "
                      "FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid "
                      "WHERE s.subenabled OR s.subslotname IS NOT NULL ORDER BY 1, 2"));
  for (const auto& row : rows) {
    const std::string label = fmt::format("subscription {} in {}", row[1], row[0]);
    if (row[4] != "t") {
      done.push_back(label + ": left alone (the database accepts no connections); it has no workers to run");
      continue;
    }
    SessionTarget target = superuser.target();
    target.database = row[0];
    BFS_ASSIGN(Session session, Session::open(target));
    const std::string alter = "ALTER SUBSCRIPTION " + session.quote_name(row[1]);
    if (row[2] == "t") BFS_TRY(session.execute(alter + " DISABLE"));
    if (row[3] == "t") BFS_TRY(session.execute(alter + " SET (slot_name = NONE)"));
    done.push_back(label + ": disabled, without a slot");
  }
  return done;
}

Result<std::vector<std::string>> reset_missing_preloads(Session& superuser,
                                                        const Installation& installation) {
  std::vector<std::string> done;
  BFS_ASSIGN(const auto rows,
             superuser.query(
                 "SELECT coalesce(d.datname, ''), coalesce(r.rolname, ''), split_part(c, '=', 1), "
                 "substr(c, strpos(c, '=') + 1) FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) c "
                 "LEFT JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole "
                 "WHERE c LIKE 'session\\_preload\\_libraries=%' OR c LIKE 'local\\_preload\\_libraries=%'"));
  for (const auto& row : rows) {
    const auto entries = parse_list(row[3]);
    const bool complete = std::all_of(entries.begin(), entries.end(), [&](const auto& entry) {
      return !installation.find_module(entry).empty();
    });
    if (complete) continue;
    const std::string& database = row[0];
    const std::string& role = row[1];
    std::string alter = role.empty()
                            ? database.empty() ? "ROLE ALL" : "DATABASE " + superuser.quote_name(database)
                            : "ROLE " + superuser.quote_name(role);
    if (!role.empty() && !database.empty()) alter += " IN DATABASE " + superuser.quote_name(database);
    BFS_TRY(superuser.execute(fmt::format("ALTER {} RESET {}", alter, row[2])));
    done.push_back(fmt::format("{} of {}: reset ({} is not installed here)", row[2], alter, row[3]));
  }
  return done;
}

}  // namespace branchfs::pg
