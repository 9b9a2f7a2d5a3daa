// A private server with the masking functions installed, and what a run does with a plan, without branches.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/postgres/pg/place.h"
#include "tools/mask/module/module.h"
#include "tools/mask/plan/plan.h"
#include "tools/pg/session.h"

namespace branchfs::mask {

class MaskServer {
 public:
  MaskServer() : spec_(place_.server("db")) {
    place_.cluster("db");
    spec_.settings = {{"fsync", "off"}, {"autovacuum", "off"}, {"listen_addresses", ""}};
    pg::must(pg::start_server(spec_));
    const std::string module = pg::must(find_module(spec_.installation.major));
    // Where the server's user may read it.
    copy_ = spec_.runtime_dir + "/branchfs_mask.so";
    std::filesystem::copy_file(module, copy_);
    std::filesystem::permissions(copy_, std::filesystem::perms(0755));
  }

  pg::Session connect(const std::string& database = "postgres") {
    pg::SessionTarget target;
    target.socket_dir = spec_.runtime_dir;
    target.port = spec_.port;
    target.role = "postgres";
    target.database = database;
    target.major = spec_.installation.major;
    return pg::must(pg::Session::open(target));
  }
  // A session with the functions and a fixed key.
  pg::Session masking(const std::string& database = "postgres") {
    pg::Session session = connect(database);
    pg::must(session.execute(fmt::format("DROP SCHEMA IF EXISTS {} CASCADE", kSchema)));
    pg::must(session.execute(install_sql(copy_)));
    pg::must(session.execute_with_bytes(fmt::format("SELECT {}.set_key($1)", kSchema), std::string(32, 'k')));
    return session;
  }
  static Result<Plan> plan(pg::Session& session, const RuleSet& rules) {
    auto schema = read_schema(session);
    if (!schema) return std::move(schema).error();
    return make_plan(rules, *schema, [&](const std::string& sql) { return session.query(sql); });
  }
  static void run(pg::Session& session, const Plan& plan, const Schema& schema) {
    for (const ForeignKey& key : plan.drop_foreign_keys) {
      pg::must(session.execute(fmt::format("ALTER TABLE {} DROP CONSTRAINT {}",
                                           schema.table(key.from_table)->qualified(), quote_name(key.name))));
    }
    for (const TablePlan& table : plan.tables) {
      if (table.way == Way::keep) continue;
      INFO(table.qualified << ": " << table.statement);
      pg::must(session.execute("BEGIN"));
      for (const std::string& sql : table.before) pg::must(session.execute(sql));
      if (!table.statement.empty()) pg::must(session.execute(table.statement));
      pg::must(session.execute("COMMIT"));
      if (table.way == Way::rewrite) pg::must(session.execute("VACUUM (FULL) " + table.qualified));
      for (const std::string& sql : table.after) pg::must(session.execute(sql));
    }
    for (const ForeignKey& key : plan.drop_foreign_keys) {
      pg::must(session.execute(fmt::format("ALTER TABLE {} ADD CONSTRAINT {} {}",
                                           schema.table(key.from_table)->qualified(), quote_name(key.name),
                                           key.definition)));
    }
  }
  // The schema as pg_dump prints it, without what it makes up.
  std::string dump(const std::string& database = "postgres") {
    auto output = place_.as_user({spec_.installation.program("pg_dump"), "--schema-only", "--exclude-schema",
                                  kSchema, "-h", spec_.runtime_dir, "-p", std::to_string(spec_.port), "-U",
                                  "postgres", database});
    std::string text;
    for (const std::string& line : pg::split(output.out, '\n')) {
      if (!line.starts_with("\\restrict") && !line.starts_with("\\unrestrict")) text += line + "\n";
    }
    return text;
  }

 private:
  pg::Place place_;
  pg::ServerSpec spec_;
  std::string copy_;
};

inline std::string value(pg::Session& session, const std::string& sql) {
  const auto rows = pg::must(session.query(sql));
  return rows.empty() || rows[0].empty() ? "" : rows[0][0];
}

}  // namespace branchfs::mask
