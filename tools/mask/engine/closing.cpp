#include "tools/mask/engine/closing.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <system_error>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/interrupt.h"
#include "tools/mask/engine/steps.h"
#include "tools/mask/module/module.h"
#include "tools/mask/rules/expression.h"
#include "tools/pg/control_file.h"
#include "tools/pg/identity.h"
#include "tools/pg/text.h"

namespace branchfs::mask {
namespace {

namespace fs = std::filesystem;

// Catalogs whose dead or live rows may quote data, for databases in which nothing was masked.
constexpr const char* kTellingCatalogs =
    "('pg_statistic', 'pg_statistic_ext_data', 'pg_attribute', 'pg_attrdef', 'pg_largeobject', 'pg_description')";

Status vacuum_catalogs(pg::Session& session, const std::string& condition) {
  BFS_ASSIGN(const auto rows, session.query(fmt::format(
                                  "SELECT pg_catalog.string_agg('pg_catalog.' || pg_catalog.quote_ident(relname), ', ' ORDER BY oid) "
                                  "FROM pg_catalog.pg_class WHERE relnamespace = 'pg_catalog'::pg_catalog.regnamespace "
                                  "AND relkind = 'r' AND {}",
                                  condition)));
  if (rows.empty() || rows[0][0].empty()) return {};
  return session.execute("VACUUM (FULL) " + rows[0][0]);
}

// Settings of roles and databases with a dot in their name are an application's own: keys and tokens live there.
Status reset_settings(pg::Session& session, Cleared& cleared) {
  BFS_ASSIGN(const auto rows, session.query(R"(
    SELECT pg_catalog.split_part(setting, '=', 1), COALESCE(r.rolname, ''), COALESCE(d.datname, '')
    FROM pg_catalog.pg_db_role_setting s CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS setting
    LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
    WHERE pg_catalog.strpos(pg_catalog.split_part(setting, '=', 1), '.') > 0)"));
  for (const auto& row : rows) {
    std::string target;
    if (row[1].empty() && row[2].empty()) {
      target = "ROLE ALL";
    } else if (row[1].empty()) {
      target = "DATABASE " + quote_name(row[2]);
    } else {
      target = "ROLE " + quote_name(row[1]) + (row[2].empty() ? "" : " IN DATABASE " + quote_name(row[2]));
    }
    // "a.b" is a name of two parts.
    const std::size_t dot = row[0].find('.');
    BFS_TRY(session.execute(fmt::format("ALTER {} RESET {}.{}", target, quote_name(row[0].substr(0, dot)),
                                        quote_name(row[0].substr(dot + 1)))));
    cleared.done.push_back(fmt::format("setting {} of {}", row[0], target));
  }
  return {};
}

Status clear_roles(pg::Session& session, Cleared& cleared) {
  BFS_ASSIGN(const auto rows,
             session.query("SELECT rolname FROM pg_catalog.pg_authid WHERE rolpassword IS NOT NULL ORDER BY 1"));
  for (const auto& row : rows) BFS_TRY(session.execute(fmt::format("ALTER ROLE {} PASSWORD NULL", quote_name(row[0]))));
  if (!rows.empty()) cleared.done.push_back(fmt::format("passwords of {} roles", rows.size()));
  return {};
}

Status clear_mappings(pg::Session& session, Cleared& cleared) {
  BFS_ASSIGN(const auto rows, session.query(R"(
    SELECT CASE WHEN m.umuser = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(r.rolname) END, s.srvname,
           pg_catalog.split_part(o, '=', 1)
    FROM pg_catalog.pg_user_mapping m JOIN pg_catalog.pg_foreign_server s ON s.oid = m.umserver
    LEFT JOIN pg_catalog.pg_roles r ON r.oid = m.umuser CROSS JOIN LATERAL pg_catalog.unnest(m.umoptions) AS o)"));
  for (const auto& row : rows) {
    // Without validation by a wrapper that is not installed: the row itself.
    BFS_TRY(session.execute(fmt::format("ALTER USER MAPPING FOR {} SERVER {} OPTIONS (DROP {})", row[0], quote_name(row[1]),
                                        quote_name(row[2]))));
  }
  if (!rows.empty()) cleared.done.push_back(fmt::format("{} options of user mappings", rows.size()));
  return {};
}

Status clear_subscriptions(pg::Session& session, Cleared& cleared) {
  BFS_ASSIGN(const auto rows, session.query("SELECT s.subname FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d "
                                            "ON d.oid = s.subdbid WHERE d.datname = pg_catalog.current_database()"));
  for (const auto& row : rows) {
    BFS_TRY(session.execute(fmt::format("ALTER SUBSCRIPTION {} CONNECTION ''", quote_name(row[0]))));
    cleared.done.push_back(fmt::format("connection of subscription {}", row[0]));
  }
  return {};
}

Status drop_large_objects(pg::Session& session, const Defaults& defaults, Cleared& cleared) {
  if (defaults.large_objects != Policy::drop) return {};
  BFS_ASSIGN(const auto rows, session.query("SELECT count(pg_catalog.lo_unlink(oid)) FROM pg_catalog.pg_largeobject_metadata"));
  if (rows[0][0] != "0") cleared.done.push_back(fmt::format("{} large objects", rows[0][0]));
  return {};
}

// What crashed sessions left in production, and the schemas of the rewrite's own temporary tables. Nobody is connected.
Status drop_temporary(pg::Session& session) {
  BFS_ASSIGN(const auto rows, session.query("SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname ~ '^pg_(toast_)?temp_[0-9]+$'"));
  for (const auto& row : rows) BFS_TRY(session.execute(fmt::format("DROP SCHEMA {} CASCADE", quote_name(row[0]))));
  return {};
}

// ANALYZE leaves the statistics of an empty table as they were. Those of catalogs quote names and options.
Status renew_statistics(pg::Session& session) {
  BFS_TRY(session.execute("DELETE FROM pg_catalog.pg_statistic"));
  BFS_TRY(session.execute("DELETE FROM pg_catalog.pg_statistic_ext_data"));
  return session.execute("ANALYZE");
}

// --- files -------------------------------------------------------------------------------------------

constexpr std::array kTopLevel = {"PG_VERSION",      "base",         "global",       "pg_commit_ts",
                                  "pg_dynshmem",     "pg_logical",   "pg_multixact", "pg_notify",
                                  "pg_replslot",     "pg_serial",    "pg_snapshots", "pg_stat",
                                  "pg_stat_tmp",     "pg_subtrans",  "pg_tblspc",    "pg_twophase",
                                  "pg_wal",          "pg_xact",      "postgresql.conf", "postgresql.auto.conf",
                                  "branchfs.conf",   "pg_hba.conf",  "pg_ident.conf", "branchfs.crt",
                                  "branchfs.key"};
// Emptied; the server fills them again.
constexpr std::array kEmptied = {"pg_dynshmem", "pg_notify",   "pg_replslot", "pg_serial", "pg_snapshots",
                                 "pg_stat",     "pg_stat_tmp", "pg_twophase", "pg_wal/archive_status",
                                 "pg_logical/snapshots", "pg_logical/mappings"};

template <class Names>
bool contains(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Status remove_path(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) return sys_error(fmt::format("remove {}", path.filename().string()), error.value());
  return {};
}

Result<std::vector<fs::directory_entry>> entries(const fs::path& dir) {
  std::vector<fs::directory_entry> found;
  std::error_code error;
  fs::directory_iterator walk(dir, error);
  if (error == std::errc::no_such_file_or_directory) return found;
  for (; !error && walk != fs::directory_iterator(); walk.increment(error)) found.push_back(*walk);
  if (error) return sys_error(fmt::format("read {}", dir.filename().string()), error.value());
  return found;
}

// Where the write-ahead log of a cleanly stopped server ends.
struct WalEnd {
  std::string segment;
  std::uint64_t used = 0, size = 0;  // of the segment's bytes
};
constexpr std::uint64_t kLongestCheckpoint = 1024;  // a record of some 120 bytes
constexpr std::uint64_t kWalPage = 8192;

Result<WalEnd> end_of_wal(const pg::ServerSpec& server) {
  BFS_ASSIGN(const pg::ControlFile control, pg::read_control_file(server.data_dir));
  if (control.wal_segment_size == 0) return make_error(Kind::damaged, "pg_control names no segment size");
  if (!control.cleanly_stopped()) return make_error(Kind::failed, "the sealed server was not stopped cleanly");
  const std::uint64_t segment = control.redo / control.wal_segment_size;
  const std::uint64_t per_file = (std::uint64_t{1} << 32U) / control.wal_segment_size;
  // The shutdown checkpoint is the last record; the page that it ends in was written whole.
  const std::uint64_t end = control.redo % control.wal_segment_size + kLongestCheckpoint;
  const std::uint64_t used = (end + kWalPage - 1) / kWalPage * kWalPage;
  return WalEnd{fmt::format("{:08X}{:08X}{:08X}", control.timeline, segment / per_file, segment % per_file),
                std::min<std::uint64_t>(used, control.wal_segment_size), control.wal_segment_size};
}

struct Wiper {
  fs::path root;
  std::vector<std::string> removed;

  Status remove(const fs::path& path) {
    BFS_TRY(remove_path(path));
    removed.push_back(path.lexically_relative(root).string());
    return {};
  }

  Status unknown_entries() {
    BFS_ASSIGN(const auto all, entries(root));
    for (const auto& entry : all) {
      if (!contains(kTopLevel, entry.path().filename().string())) BFS_TRY(remove(entry.path()));
    }
    return {};
  }

  Status emptied() {
    for (const char* name : kEmptied) {
      BFS_ASSIGN(const auto all, entries(root / name));
      for (const auto& entry : all) BFS_TRY(remove(entry.path()));
    }
    return {};
  }

  // All but the segment in which the next start begins to read: later ones are recycled, with old records in them. So is the
  // rest of that one, which reads as zeros from here on.
  Status wal(const WalEnd& end) {
    BFS_ASSIGN(const auto all, entries(root / "pg_wal"));
    for (const auto& entry : all) {
      const std::string name = entry.path().filename().string();
      if (name == "archive_status" || name == end.segment) continue;
      BFS_TRY(remove(entry.path()));
    }
    const fs::path segment = root / "pg_wal" / end.segment;
    std::error_code error;
    fs::resize_file(segment, end.used, error);
    if (!error) fs::resize_file(segment, end.size, error);
    if (error) return sys_error(fmt::format("clear the end of pg_wal/{}", end.segment), error.value());
    return {};
  }

  // Files of a database's directory ("base/16384") that no relation of it has: left by crashes, temporary tables, caches.
  Status database(const std::string& dir, const RelationMap& known) {
    BFS_ASSIGN(const auto all, entries(root / dir));
    for (const auto& entry : all) {
      const std::string name = entry.path().filename().string();
      if (name == "PG_VERSION" || name == "pg_filenode.map" || name == "pg_control") continue;
      if (relation_of(known, dir + "/" + name) != nullptr) continue;
      BFS_TRY(remove(entry.path()));
    }
    return {};
  }

  // What lies among the databases' directories and is none: temporary files, databases that a crash left half made or half gone.
  Status strangers(const std::string& space, const std::vector<std::string>& databases, const std::string& template0) {
    BFS_ASSIGN(const auto all, entries(root / space));
    for (const auto& entry : all) {
      const std::string name = entry.path().filename().string();
      if (name != template0 && !contains(databases, name)) BFS_TRY(remove(entry.path()));
    }
    return {};
  }
};

// Comments quote what production's configuration said; settings with a dot in their name are an application's own.
Status strip_configuration(const fs::path& path, Cleared& cleared) {
  auto text = pg::read_file(path.string());
  if (!text) return {};  // a file that is not there says nothing
  std::string kept;
  for (const std::string& line : pg::split(*text, '\n')) {
    const std::string_view content = pg::trim(line);
    if (content.empty() || content.front() == '#') continue;
    const std::string_view setting = content.substr(0, content.find_first_of(" \t="));
    if (path.extension() == ".conf" && setting.find('.') != std::string_view::npos &&
        path.filename().string().starts_with("postgresql")) {
      cleared.done.push_back(fmt::format("setting {} of {}", setting, path.filename().string()));
      continue;
    }
    kept += line + "\n";
  }
  return pg::write_file(path.string(), kept);
}

// What the run itself made, or has taken away: nobody could tell a branch that has it from one whose masking ended half-way.
Status no_own_traces(pg::Session& session) {
  BFS_ASSIGN(const auto rows, session.query(fmt::format(R"(
    SELECT pg_catalog.string_agg(trace, ', ') FROM (
      SELECT 'schema ' || nspname FROM pg_catalog.pg_namespace WHERE nspname = '{}' OR nspname ~ '^pg_(toast_)?temp_[0-9]+$'
      UNION ALL SELECT DISTINCT 'labels of provider ' || provider FROM pg_catalog.pg_seclabel WHERE provider = 'anon') AS t (trace))",
                                                        kSchema)));
  if (rows[0][0].empty()) return {};
  return make_error(Kind::refused, fmt::format("traces of masking are left in database {}: {}", session.target().database, rows[0][0]),
                    "this is a defect of branchfs: please report it");
}

}  // namespace

Status close_database(pg::Session& session, const Defaults& defaults, bool masked, Cleared& cleared) {
  if (does_step("labels")) BFS_TRY(session.execute("DELETE FROM pg_catalog.pg_seclabel WHERE provider = 'anon'"));
  if (does_step("mappings")) BFS_TRY(clear_mappings(session, cleared));
  if (does_step("large-objects")) BFS_TRY(drop_large_objects(session, defaults, cleared));
  if (does_step("temporary")) BFS_TRY(drop_temporary(session));
  if (does_step("subscriptions")) BFS_TRY(clear_subscriptions(session, cleared));
  if (does_step("structure")) BFS_TRY(no_own_traces(session));
  if (does_step("statistics")) BFS_TRY(renew_statistics(session));
  BFS_TRY(Interrupt::check());
  if (!does_step("catalogs")) return {};
  return vacuum_catalogs(session, masked ? "NOT relisshared" : fmt::format("relname IN {}", kTellingCatalogs));
}

Status clear_cluster(pg::Session& session, const Defaults& defaults, Cleared& cleared) {
  if (defaults.lock_roles && does_step("roles")) BFS_TRY(clear_roles(session, cleared));
  if (does_step("settings")) BFS_TRY(reset_settings(session, cleared));
  return {};
}

Status close_cluster(pg::Session& session) {
  if (!does_step("shared-catalogs")) return {};
  return vacuum_catalogs(session, "relisshared");
}

Status flush_wal(pg::Session& session) {
  if (!does_step("wal")) return session.execute("CHECKPOINT");
  for (int round = 0; round < 2; ++round) {
    BFS_TRY(session.execute("CHECKPOINT"));
    BFS_TRY(session.execute("SELECT pg_catalog.pg_switch_wal()"));
  }
  return session.execute("CHECKPOINT");
}

Status wipe_directory(const pg::ServerSpec& server, const RelationMap& known, const std::vector<std::string>& databases,
                      const std::string& template0, Cleared& cleared) {
  const pg::ActAs owner(server.user);
  Wiper wiper{server.data_dir, {}};
  if (does_step("allow-list")) BFS_TRY(wiper.unknown_entries());
  if (does_step("server-state")) BFS_TRY(wiper.emptied());
  if (does_step("wal")) {
    BFS_ASSIGN(const WalEnd end, end_of_wal(server));
    BFS_TRY(wiper.wal(end));
  }
  if (does_step("orphans")) {
    std::set<std::string> spaces = {"base"};
    BFS_ASSIGN(const auto tablespaces, entries(wiper.root / "pg_tblspc"));
    for (const auto& space : tablespaces) {
      BFS_ASSIGN(const auto versions, entries(space.path()));
      for (const auto& version : versions) spaces.insert(version.path().lexically_relative(wiper.root).string());
    }
    BFS_TRY(wiper.database("global", known));
    for (const std::string& space : spaces) {
      BFS_TRY(wiper.strangers(space, databases, template0));
      for (const std::string& oid : databases) BFS_TRY(wiper.database(space + "/" + oid, known));
    }
  }
  if (does_step("configuration")) {
    for (const char* name : {"postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf"}) {
      BFS_TRY(strip_configuration(wiper.root / name, cleared));
    }
  }
  if (!wiper.removed.empty()) cleared.done.push_back(fmt::format("{} files that no relation owns", wiper.removed.size()));
  return {};
}

}  // namespace branchfs::mask
