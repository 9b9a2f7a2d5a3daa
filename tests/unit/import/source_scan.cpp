#include "tools/import/source_scan.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "layers/io/env.h"
#include "tests/catch.h"

namespace branchfs::test {
namespace {

// A directory that looks like a cluster, and one beside it.
class Fake {
 public:
  Fake() {
    REQUIRE(::mkdtemp(dir_.data()) != nullptr);
    for (const char* name : {"/data", "/data/base", "/data/pg_tblspc", "/data/pg_xact", "/out", "/out/wal",
                             "/out/ts", "/out/ts/PG_15_202209061", "/out/ts/PG_14_202107181"}) {
      REQUIRE(::mkdir((dir_ + name).c_str(), 0700) == 0);
    }
    write("data/PG_VERSION", "15\n");
    write("out/wal/000000010000000000000001", "wal");
    write("out/ts/PG_15_202209061/1", "row");
    cluster.dir = dir_ + "/data";
    cluster.major = 15;
    cluster.control.catalog_version = 202209061;
    who = *pg::current_identity();
  }
  ~Fake() { ignore(posix_env().remove_tree(dir_)); }
  Fake(const Fake&) = delete;
  Fake& operator=(const Fake&) = delete;
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(dir_ + "/" + name) << text;
  }
  void link(const std::string& target, const std::string& name) const {
    REQUIRE(::symlink(target.c_str(), (dir_ + "/data/" + name).c_str()) == 0);
  }
  [[nodiscard]] Result<SourceScan> scan() const { return scan_source(cluster, who); }
  [[nodiscard]] const std::string& dir() const { return dir_; }

  pg::Cluster cluster;
  pg::Identity who;

 private:
  std::string dir_ = "/tmp/branchfs-scan.XXXXXX";
};

}  // namespace

TEST_CASE("a linked pg_wal is brought in, absolute links inside become relative, relative ones stay") {
  Fake fake;
  fake.link(fake.dir() + "/out/wal", "pg_wal");
  fake.link(fake.dir() + "/data/pg_xact", "pg_stat");
  fake.link("pg_xact", "pg_commit_ts");
  const auto scan = fake.scan();
  REQUIRE(scan.ok());
  REQUIRE(scan->grafts.size() == 1);
  CHECK(scan->grafts[0].path == "pg_wal");
  CHECK(scan->grafts[0].target == fake.dir() + "/out/wal");
  CHECK(scan->relinks.at("pg_stat") == "pg_xact");
  CHECK(scan->skips("pg_wal"));
  CHECK(scan->skips("pg_stat"));
  CHECK_FALSE(scan->skips("pg_commit_ts"));
}

TEST_CASE("of a tablespace only the cluster's own directory is taken") {
  Fake fake;
  fake.link(fake.dir() + "/out/ts", "pg_tblspc/16385");
  const auto scan = fake.scan();
  REQUIRE(scan.ok());
  REQUIRE(scan->tablespaces.size() == 1);
  CHECK(scan->tablespaces[0].oid == "16385");
  REQUIRE(scan->grafts.size() == 1);
  CHECK(scan->grafts[0].path == "pg_tblspc/16385/PG_15_202209061");
}

TEST_CASE("a tablespace that is not there is refused by name") {
  Fake fake;
  fake.link("/nowhere/ts", "pg_tblspc/16385");
  const auto scan = fake.scan();
  REQUIRE_FALSE(scan.ok());
  CHECK(scan.error().kind == Kind::refused);
  CHECK(scan.error().what.find("pg_tblspc/16385") != std::string::npos);
}

TEST_CASE("a link to a directory that is no part of a cluster is refused by name") {
  Fake fake;
  fake.link("/etc", "mine");
  const auto scan = fake.scan();
  REQUIRE_FALSE(scan.ok());
  CHECK(scan.error().kind == Kind::refused);
  CHECK(scan.error().what.find("/data/mine") != std::string::npos);
}

TEST_CASE("dangling links to nothing needed are left out with a warning, volatile directories start empty") {
  Fake fake;
  fake.link("/nowhere/server.key", "server.key");
  fake.link("/nowhere/stats", "pg_stat_tmp");
  fake.link(fake.dir() + "/out", "log");
  const auto scan = fake.scan();
  REQUIRE(scan.ok());
  REQUIRE(scan->warnings.size() == 1);
  CHECK(scan->warnings[0].find("server.key") != std::string::npos);
  CHECK(scan->skips("server.key"));
  REQUIRE(scan->grafts.size() == 2);
  CHECK(scan->grafts[0].target.empty());
  CHECK(scan->grafts[1].target.empty());
}

TEST_CASE("a linked file is brought in as a file") {
  Fake fake;
  fake.write("out/pg_hba.conf", "local all all peer\n");
  fake.link("../out/pg_hba.conf", "pg_hba.conf");
  const auto scan = fake.scan();
  REQUIRE(scan.ok());
  REQUIRE(scan->grafts.size() == 1);
  CHECK_FALSE(scan->grafts[0].directory);
}

TEST_CASE("WAL from before the last checkpoint stays out after a clean stop, and only then") {
  Fake fake;
  fake.cluster.control.state = pg::ClusterState::shut_down;
  fake.cluster.control.wal_segment_size = 16U << 20U;
  fake.cluster.control.redo = 0x1'0300'0028;  // segment 3 of file group 1
  const auto stopped = fake.scan();
  REQUIRE(stopped.ok());
  CHECK(stopped->skips("pg_wal/000000010000000100000002"));
  CHECK(stopped->skips("pg_wal/0000000100000000000000FF"));
  CHECK_FALSE(stopped->skips("pg_wal/000000010000000100000003"));
  CHECK_FALSE(stopped->skips("pg_wal/000000020000000100000004"));
  CHECK_FALSE(stopped->skips("pg_wal/00000002.history"));
  CHECK_FALSE(stopped->skips("pg_wal/archive_status"));

  fake.cluster.backup_label = true;
  const auto backup = fake.scan();
  REQUIRE(backup.ok());
  CHECK_FALSE(backup->skips("pg_wal/000000010000000100000002"));
}

TEST_CASE("an unapplied tablespace map is refused") {
  Fake fake;
  fake.write("data/tablespace_map", "16385 /srv/prod\n");
  const auto scan = fake.scan();
  REQUIRE_FALSE(scan.ok());
  CHECK(scan.error().kind == Kind::refused);
}

}  // namespace branchfs::test
