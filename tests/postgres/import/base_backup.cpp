// The base backup stream of a real server, unpacked into memory and written out again as a data directory.
#include "tools/import/base_backup.h"

#include <sys/stat.h>

#include <fstream>

#include "tests/postgres/import/test_cluster.h"
#include "tests/unit/import/memory_tree.h"
#include "tools/import/tar_import.h"

namespace branchfs::test {
namespace {

// Reads a whole backup; the tree's paths are the branch's.
Status read_backup(BaseBackup& backup, MemoryTree& tree) {
  Attr dir;
  dir.mode = S_IFDIR | 0700;
  must(Status(tree.add("pg_tblspc", dir) ? Status() : Status(make_error(Kind::failed, "add"))));
  while (true) {
    BFS_ASSIGN(const auto archive, backup.next_archive());
    if (!archive) break;
    TarOptions options;
    if (!archive->oid.empty()) {
      options.into = "pg_tblspc/" + archive->oid;
      BFS_ASSIGN([[maybe_unused]] const Ino ino, tree.add(options.into, dir));
    }
    BFS_TRY(import_tar(
        tree, [&] { return backup.read(); }, options));
  }
  return backup.finish();
}

void write_out(const MemoryTree& tree, const std::string& to, const TestCluster& owner) {
  for (const auto& [path, node] : tree.nodes) {
    const std::string real = to + "/" + path;
    if (S_ISDIR(node.attr.mode)) {
      ::mkdir(real.c_str(), 0700);
    } else {
      std::ofstream(real, std::ios::binary) << node.data;
      ::chmod(real.c_str(), 0600);
    }
  }
  if (::geteuid() == 0) must(pg::run({{"chown", "-R", "postgres:", to}, "", {}, {}, "/"}));
  static_cast<void>(owner);
}

}  // namespace

TEST_CASE("a base backup with tablespaces arrives whole and recovers with them in place") {
  TestCluster source;
  source.start();
  const std::string first = source.make_dir("first");
  const std::string second = source.make_dir("second");
  source.psql("CREATE TABLESPACE first LOCATION '" + first + "'");
  source.psql("CREATE TABLESPACE second LOCATION '" + second + "'");
  source.psql("CREATE TABLE a TABLESPACE first AS SELECT generate_series(1, 10000) AS i");
  source.psql("CREATE TABLE b TABLESPACE second AS SELECT generate_series(1, 20000) AS i");

  auto backup = must(BaseBackup::start(source.url()));
  CHECK(backup->server().superuser == "postgres");
  CHECK(backup->archives().size() == 3);
  CHECK(backup->estimated_bytes() > 10'000'000);
  MemoryTree tree;
  must(read_backup(*backup, tree));
  CHECK(tree.nodes.count("backup_label") == 1);
  CHECK(tree.nodes.count("postmaster.pid") == 0);

  const std::string copy = source.make_dir("copy");
  write_out(tree, copy, source);
  source.stop();
  // Whoever followed a link to the source would find nothing.
  must(posix_env().remove_tree(first));
  must(posix_env().remove_tree(second));
  const auto restored = TestCluster::on(copy);
  restored->configure("allow_in_place_tablespaces = on");
  restored->start();
  CHECK(restored->psql("SELECT count(*) FROM a") == "10000");
  CHECK(restored->psql("SELECT count(*) FROM b") == "20000");
}

TEST_CASE("what a server refuses is one line and says what to do") {
  TestCluster source;
  source.start({"-c", "wal_level=minimal", "-c", "max_wal_senders=0"});
  const auto minimal = BaseBackup::start(source.url());
  REQUIRE_FALSE(minimal.ok());
  CHECK(minimal.error().hint.find("max_wal_senders") != std::string::npos);
  source.stop();

  source.start();
  source.psql("CREATE ROLE plain LOGIN");
  const auto plain = BaseBackup::start(source.url("plain"));
  REQUIRE_FALSE(plain.ok());
  CHECK(plain.error().hint.find("REPLICATION") != std::string::npos);
  CHECK(plain.error().what.find('\n') == std::string::npos);
  source.stop();

  const auto down = BaseBackup::start(source.url());
  REQUIRE_FALSE(down.ok());
  CHECK(down.error().hint.find("check host and port") != std::string::npos);
}

TEST_CASE("a wrong password is refused and not repeated to the screen") {
  TestCluster source;
  source.start();
  source.psql("CREATE ROLE copier LOGIN REPLICATION PASSWORD 'right'");
  source.stop();
  std::ofstream(source.data() + "/pg_hba.conf", std::ios::trunc)
      << "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
         "host replication all 127.0.0.1/32 scram-sha-256\n";
  source.start();
  const std::string address = "@127.0.0.1:" + std::to_string(source.port()) + "/postgres";
  const auto wrong = BaseBackup::start("postgres://copier:wrongpw" + address);
  REQUIRE_FALSE(wrong.ok());
  CHECK(wrong.error().what.find("wrongpw") == std::string::npos);
  CHECK(wrong.error().hint.find("PGPASSWORD") != std::string::npos);
  CHECK(BaseBackup::start("postgres://copier:right" + address).ok());
}

}  // namespace branchfs::test
