// import --pgdata --move on real clusters.
#include "tests/postgres/import/import_support.h"

namespace branchfs::test {
namespace {

constexpr const char* kSum = "SELECT count(*) || ' ' || sum(hashtext(v)::bigint) FROM t";

ImportRequest moving(const std::string& dir) {
  auto request = from_pgdata(dir);
  request.move = true;
  return request;
}

// Names, kinds, link targets and contents below a directory.
std::map<std::string, std::string> picture(const std::string& dir) {
  std::map<std::string, std::string> found;
  for (const auto& item : fs::recursive_directory_iterator(dir)) {
    auto& text = found[item.path()];
    if (item.is_symlink()) {
      text = "-> " + fs::read_symlink(item.path()).string();
    } else if (item.is_regular_file()) {
      text = must(posix_env().read_file(item.path(), 1U << 30U));
    }
  }
  return found;
}

}  // namespace

TEST_CASE("--move takes the files over, tablespace included, and the source directory is gone") {
  TestCluster source;
  source.start();
  const std::string space = source.make_dir("space");
  source.psql("CREATE TABLESPACE space LOCATION '" + space + "'");
  source.psql(
      "CREATE TABLE t TABLESPACE space AS SELECT i, md5(i::text) AS v FROM generate_series(1, 50000) AS i");
  const std::string sum = source.psql(kSum);
  source.stop();
  const TestStore store;
  const auto result = must(store.import(moving(source.data())));
  CHECK(result.logical_bytes > 20'000'000);
  CHECK_FALSE(fs::exists(source.data()));
  const ExportedBranch branch(store);
  CHECK_FALSE(branch.has(".branchfs-undo"));
  const auto server = TestCluster::on(branch.data());
  server->start();
  CHECK(server->psql(kSum) == sum);
}

TEST_CASE("a --move that fails puts everything back") {
  TestCluster source;
  source.start();
  const std::string space = source.make_dir("space");
  source.psql("CREATE TABLESPACE space LOCATION '" + space + "'");
  source.psql(
      "CREATE TABLE t TABLESPACE space AS SELECT i, md5(i::text) AS v FROM generate_series(1, 50000) AS i");
  const std::string sum = source.psql(kSum);
  source.stop();
  const TestStore store;
  // A file where the store keeps its deltas: the last step fails.
  fs::remove(store.path() + "/deltas");
  must(posix_env().replace_file(store.path() + "/deltas", ""));
  const auto before = picture(source.dir());
  const auto result = store.import(moving(source.data()));
  REQUIRE_FALSE(result.ok());
  CHECK((picture(source.dir()) == before));
  source.start();
  CHECK(source.psql(kSum) == sum);
}

TEST_CASE("--move to another filesystem is refused and touches nothing") {
  if (must(posix_env().stat("/dev/shm")).st_dev == must(posix_env().stat("/tmp")).st_dev) {
    WARN("/dev/shm and /tmp are one filesystem");
    return;
  }
  TestCluster source;
  const auto before = picture(source.dir());
  std::string parent = "/dev/shm/branchfs-test.XXXXXX";
  REQUIRE(::mkdtemp(parent.data()) != nullptr);
  {
    const TestStore store(parent);
    const auto result = store.import(moving(source.data()));
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().kind == Kind::refused);
    CHECK(result.error().hint.find("without --move") != std::string::npos);
  }
  must(posix_env().remove_tree(parent));
  CHECK((picture(source.dir()) == before));
}

}  // namespace branchfs::test
