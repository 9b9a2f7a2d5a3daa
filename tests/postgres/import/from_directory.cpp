// import --pgdata on real clusters.
#include <sys/mount.h>

#include <fstream>
#include <thread>

#include "tests/postgres/import/import_support.h"

namespace branchfs::test {
namespace {

void fill(const TestCluster& cluster) {
  cluster.psql("CREATE TABLE t AS SELECT i, md5(i::text) AS v FROM generate_series(1, 50000) AS i");
}
constexpr const char* kSum = "SELECT count(*) || ' ' || sum(hashtext(v)::bigint) FROM t";

// A failed import: the kind, a word of the reason, a word of the hint; the store is as before.
void check_refused(const TestStore& store, const ImportRequest& request, Kind kind, const std::string& why,
                   const std::string& hint) {
  const auto before = store.files();
  const auto result = store.import(request);
  REQUIRE_FALSE(result.ok());
  INFO(result.error().what << " (" << result.error().hint << ")");
  CHECK(result.error().kind == kind);
  CHECK(result.error().what.find(why) != std::string::npos);
  CHECK(result.error().hint.find(hint) != std::string::npos);
  CHECK(result.error().what.find('\n') == std::string::npos);
  CHECK(store.files() == before);
}

}  // namespace

TEST_CASE("a stopped cluster becomes a branch with the same bytes and the facts") {
  TestCluster source({"--data-checksums"});
  source.start();
  fill(source);
  const std::string sum = source.psql(kSum);
  source.psql("SELECT pg_create_physical_replication_slot('standby1', true)");
  source.stop();
  const TestStore store;
  const auto result = must(store.import(from_pgdata(source.data())));
  CHECK(result.manifest.origin == "pgdata");
  CHECK(result.manifest.postgres.at("major") == 15);
  CHECK(result.manifest.postgres.at("data_checksums") == true);
  CHECK(result.manifest.postgres.at("system_identifier") ==
        std::to_string(must(pg::read_control_file(source.data())).system_identifier));
  CHECK(result.logical_bytes > 20'000'000);
  CHECK(result.stored_bytes < result.logical_bytes);

  const ExportedBranch branch(store);
  check_same_bytes(source.data(), branch.data());
  CHECK_FALSE(branch.has("postmaster.pid"));
  CHECK_FALSE(branch.has("pg_replslot/standby1"));
  const auto server = TestCluster::on(branch.data());
  server->start();
  CHECK(server->psql(kSum) == sum);
  CHECK(server->psql("SHOW archive_mode") == "off");
  server->stop();
  server->as_server({server->program("pg_checksums"), "-c", "-D", branch.data()});
}

TEST_CASE("tablespaces, a linked pg_wal and other links are brought in and lead nowhere outside") {
  TestDir wal_parent;
  const auto who = server_user();
  if (::geteuid() == 0) REQUIRE(::chown(wal_parent.path().c_str(), who.uid, who.gid) == 0);
  TestCluster source({"--waldir", wal_parent / "wal"});
  source.start();
  const std::string space = source.make_dir("space");
  source.psql("CREATE TABLESPACE space LOCATION '" + space + "'");
  source.psql(
      "CREATE TABLE t TABLESPACE space AS SELECT i, md5(i::text) AS v FROM generate_series(1, 50000) AS i");
  source.psql("CREATE DATABASE other TABLESPACE space");
  const std::string sum = source.psql(kSum);
  source.stop();
  source.as_server({"mkdir", space + "/PG_14_202107181"});
  source.as_server({"mv", source.data() + "/pg_hba.conf", source.dir() + "/shared_hba.conf"});
  source.as_server({"ln", "-s", source.dir() + "/shared_hba.conf", source.data() + "/pg_hba.conf"});

  const TestStore store;
  const auto result = must(store.import(from_pgdata(source.data())));
  const ExportedBranch branch(store);
  for (const auto& item : fs::recursive_directory_iterator(branch.data())) CHECK_FALSE(item.is_symlink());
  const std::string oid = fs::directory_iterator(branch.data() + "/pg_tblspc")->path().filename();
  CHECK_FALSE(branch.has("pg_tblspc/" + oid + "/PG_14_202107181"));
  // A branch that reached out would find nothing there.
  source.as_server({"mv", space, space + ".gone"});
  source.as_server({"mv", source.data(), source.data() + ".gone"});
  must(posix_env().remove_tree(wal_parent / "wal"));

  auto server = TestCluster::on(branch.data());
  server->start();
  CHECK(server->psql(kSum) == sum);
  CHECK(server->psql("SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'space'") ==
        "pg_tblspc/" + oid);
  CHECK(server->psql("SELECT 1", "other") == "1");
  // A backup of the branch is whole, recovers, and keeps its tablespace to itself.
  const std::string backup = server->make_dir("backup");
  pg::Command command = server->client("pg_basebackup", {"-D", backup, "-X", "stream", "-c", "fast"});
  command.user = who;
  must(pg::succeed(command));
  // Crash recovery, and taking the tablespace away again.
  server->stop(SIGQUIT);
  server->start();
  server->psql("CREATE TABLE u (i int) TABLESPACE space");
  server->psql("DROP TABLE u");
  server->psql("DROP DATABASE other");
  server->psql("ALTER TABLE t SET TABLESPACE pg_default");
  server->psql("DROP TABLESPACE space");
  CHECK(fs::is_empty(branch.data() + "/pg_tblspc"));
  CHECK(server->psql(kSum) == sum);
  server->stop();

  const auto restored = TestCluster::on(backup);
  restored->start();
  CHECK(restored->psql(kSum) == sum);
}

TEST_CASE("Debian's split configuration is brought along with --config-dir") {
  TestCluster source;
  source.start();
  fill(source);
  source.stop();
  const std::string etc = source.make_dir("etc");
  for (const char* name : {"postgresql.conf", "pg_hba.conf", "pg_ident.conf"}) {
    fs::rename(source.data() + "/" + name, etc + "/" + name);
  }
  std::ofstream(etc + "/postgresql.conf", std::ios::app)
      << "data_directory = '" << source.data() << "'\nhba_file = '" << etc << "/pg_hba.conf'\nident_file = '"
      << etc << "/pg_ident.conf'\nwork_mem = '7MB'\narchive_mode = on\narchive_command = 'touch "
      << source.dir() << "/OUT'\n";
  const TestStore store;
  auto request = from_pgdata(source.data());
  request.config_dir = etc;
  must(store.import(request));
  const ExportedBranch branch(store);
  const auto server = TestCluster::on(branch.data());
  server->start();
  CHECK(server->psql("SHOW work_mem") == "7MB");
  CHECK(server->psql("SHOW data_directory") == branch.data());
  CHECK(server->psql("SHOW archive_mode") == "off");
  CHECK(server->psql("SELECT count(*) FROM t") == "50000");
}

TEST_CASE("a running cluster is busy, a crashed one refused, each with what to do") {
  TestCluster source;
  source.start();
  fill(source);
  const TestStore store;
  check_refused(store, from_pgdata(source.data()), Kind::busy, "running", "");
  source.stop(SIGKILL);
  check_refused(store, from_pgdata(source.data()), Kind::refused, "", "start");
}

TEST_CASE("a cleanly stopped standby becomes a primary branch") {
  TestCluster source;
  source.start();
  fill(source);
  const std::string copy = source.make_dir("copy");
  pg::Command command = source.client("pg_basebackup", {"-D", copy, "-X", "stream", "-c", "fast", "-R"});
  command.user = server_user();
  must(pg::succeed(command));
  auto standby = TestCluster::on(copy);
  standby->start();
  REQUIRE(standby->psql("SELECT pg_is_in_recovery()") == "t");
  standby->stop();
  source.stop();
  const TestStore store;
  must(store.import(from_pgdata(copy)));
  const ExportedBranch branch(store);
  CHECK_FALSE(branch.has("standby.signal"));
  const auto server = TestCluster::on(branch.data());
  server->start();
  CHECK(server->psql("SELECT pg_is_in_recovery()") == "f");
  CHECK(server->psql("SELECT count(*) FROM t") == "50000");
}

TEST_CASE("wrong directories are refused with one line") {
  const TestStore store;
  const TestDir empty;
  check_refused(store, from_pgdata(empty / "none"), Kind::not_found, "", "");
  check_refused(store, from_pgdata(empty.path()), Kind::refused, "", "");
  TestCluster source;
  const std::string victim = source.data() + "/base/1/1259";
  REQUIRE(::chmod(victim.c_str(), 0) == 0);
  check_refused(store, from_pgdata(source.data()), Kind::failed, "base/1/1259", "owner");
  REQUIRE(::chmod(victim.c_str(), 0600) == 0);
  source.as_server({"ln", "-s", "/etc", source.data() + "/elsewhere"});
  check_refused(store, from_pgdata(source.data()), Kind::refused, "elsewhere", "remove the link");
  fs::remove(source.data() + "/elsewhere");
  must(store.import(from_pgdata(source.data())));
  check_refused(store, from_pgdata(source.data()), Kind::exists, "exists", "");
}

TEST_CASE("the same cluster again stores almost nothing") {
  TestCluster source;
  source.start();
  fill(source);
  source.stop();
  const TestStore store;
  const auto first = must(store.import(from_pgdata(source.data())));
  auto request = from_pgdata(source.data());
  request.name = "again";
  const auto second = must(store.import(request));
  CHECK(second.stored_bytes < first.stored_bytes / 10);
}

TEST_CASE("a signal midway leaves the store as it was") {
  TestCluster source;
  source.start();
  source.psql("CREATE TABLE big AS SELECT i, md5(i::text) FROM generate_series(1, 1000000) AS i");
  source.stop();
  const TestStore store;
  const auto before = store.files();
  std::thread killer([&] {
    while (!store.busy()) std::this_thread::yield();
    ::kill(::getpid(), SIGTERM);
  });
  const auto result = store.import(from_pgdata(source.data()));
  killer.join();
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().what.find("interrupted") != std::string::npos);
  CHECK(store.files() == before);
}

TEST_CASE("a full disk is said, and leaves the store as it was") {
  if (::geteuid() != 0) {
    WARN("needs root to mount a small filesystem");
    return;
  }
  TestCluster source;
  source.start();
  // Random bytes do not compress, so that it is the copy and not the check before it that meets the end.
  source.psql(
      "CREATE TABLE big AS SELECT i, (SELECT string_agg(md5(random()::text || k + i), '') "
      "FROM generate_series(1, 60) AS k) FROM generate_series(1, 40000) AS g(i)");
  source.stop();
  const TestDir dir;
  REQUIRE(::mount("tmpfs", dir.path().c_str(), "tmpfs", 0, "size=48m") == 0);
  struct Unmount {
    const std::string& path;
    ~Unmount() { ::umount2(path.c_str(), MNT_DETACH); }
  } unmount{dir.path()};
  const TestStore store(dir.path());
  check_refused(store, from_pgdata(source.data()), Kind::failed, "space", "");
}

}  // namespace branchfs::test
