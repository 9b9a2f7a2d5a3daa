#include "tools/import/paths.h"

#include "tests/catch.h"

namespace branchfs {

TEST_CASE("what a server recreates, and what is another process's, is left out") {
  for (const char* path :
       {"postmaster.pid", "postmaster.opts", "pg_replslot/standby1", "pg_stat_tmp/global.stat",
        "pg_notify/0000", "pg_subtrans/0000", "base/5/pg_internal.init", "global/pg_internal.init.77",
        "base/pgsql_tmp", "base/5/t3_16400", "base/5/t3_16400_fsm", "base/5/t3_16400.1", "core", "core.4711",
        "vgcore.12", "lost+found", "pg_wal/archive_status/000000010000000000000001.done",
        "pg_tblspc/16385/pgsql_tmp4"}) {
    INFO(path);
    CHECK(leave_out(path));
  }
}

TEST_CASE("everything else of a cluster is taken, also what looks similar") {
  for (const char* path : {"PG_VERSION",
                           "postgresql.conf",
                           "postgresql.auto.conf",
                           "pg_replslot",
                           "pg_notify",
                           "base",
                           "base/5/16400",
                           "base/5/16400_fsm",
                           "base/5/16400.1",
                           "global/pg_control",
                           "backup_label",
                           "pg_wal/archive_status",
                           "pg_wal/000000010000000000000001",
                           "pg_subtransport",
                           "corefile",
                           "core.dumps",
                           "base/5/t3_x",
                           "pg_stat/pgstat.stat",
                           "standby.signal",
                           "t3_16400"}) {
    INFO(path);
    CHECK_FALSE(leave_out(path));
  }
}

TEST_CASE("a path from outside may not leave its root") {
  for (const char* path : {"", "/", "/etc/passwd", "..", "a/../b", "a//b", "a/", "./a", "a/."}) {
    INFO(path);
    CHECK_FALSE(safe_relative_path(path));
  }
  CHECK(safe_relative_path("a"));
  CHECK(safe_relative_path("base/5/..16400"));
}

}  // namespace branchfs
