// import --initdb.
#include "tests/postgres/import/import_support.h"

namespace branchfs::test {

TEST_CASE("an empty cluster is made with the options given, and no temporary directory stays") {
  const TestDir temporary;
  ::chmod(temporary.path().c_str(), 01777);
  ::setenv("TMPDIR", temporary.path().c_str(), 1);
  ImportRequest request;
  request.name = "empty";
  request.initdb = true;
  request.initdb_options = {"-U", "boss", "--wal-segsize=1"};
  {
    const TestStore store;
    const auto result = must(store.import(request));
    CHECK(result.manifest.origin == "initdb");
    CHECK(result.manifest.postgres.at("user") == "boss");
    const ExportedBranch branch(store, "empty");
    const auto server = TestCluster::on(branch.data());
    server->start();
    pg::Command ask = server->client("psql", {"-XAtqc", "SHOW wal_segment_size", "-U", "boss", "postgres"});
    CHECK(must(pg::succeed(ask)).out == "1MB\n");
  }
  const TestStore store;
  const auto before = store.files();
  request.initdb_options = {"--encoding=nonsense"};
  CHECK_FALSE(store.import(request).ok());
  request.initdb_options = {"--waldir=/tmp/x"};
  const auto waldir = store.import(request);
  REQUIRE_FALSE(waldir.ok());
  CHECK(waldir.error().kind == Kind::usage);
  CHECK(store.files() == before);
  ::unsetenv("TMPDIR");
  for (const auto& item : fs::directory_iterator(temporary.path())) {
    CHECK_FALSE(item.path().filename().string().starts_with("branchfs-import"));
  }
}

}  // namespace branchfs::test
