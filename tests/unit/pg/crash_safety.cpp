// Which configurations promise that a server recovers from a power cut.
#include "tools/pg/crash_safety.h"

#include "tests/catch.h"
#include "tests/unit/pg/fake_source.h"

using namespace branchfs;
using namespace branchfs::pg;

namespace {

bool survives(const std::string& conf, const std::string& by_alter_system = "") {
  FakeSource source;
  source.files = {{"postgresql.conf", conf},
                  {"postgresql.auto.conf", by_alter_system},
                  {"loads.conf", "Full_Page_Writes = 'off'\n"}};
  const auto answer = survives_power_cut(source);
  REQUIRE(answer.ok());
  return *answer;
}

}  // namespace

TEST_CASE("fsync and full_page_writes, both on, wherever and however they are set") {
  CHECK(survives(""));
  CHECK(survives("fsync = on\nfull_page_writes = true\n"));
  CHECK(survives("fsync = YES\nfull_page_writes = 1\n"));
  CHECK(survives("fsync = off\nfsync = t\n"));  // the last one wins
  CHECK(survives("fsync = off\n", "fsync = 'on'\n"));
  CHECK(survives("synchronous_commit = off\n"));  // what was not acknowledged as durable may be lost
}

TEST_CASE("one of them off, or not readable, promises nothing") {
  CHECK_FALSE(survives("fsync = off\n"));
  CHECK_FALSE(survives("fsync = no\n"));
  CHECK_FALSE(survives("fsync = 0\n"));
  CHECK_FALSE(survives("fsync = perhaps\n"));
  CHECK_FALSE(survives("full_page_writes = off\n"));
  CHECK_FALSE(survives("include 'loads.conf'\n"));
  CHECK_FALSE(survives("fsync = on\n", "fsync = 'off'\n"));
}

TEST_CASE("a configuration that cannot be read is an error") {
  class Unreadable : public FakeSource {
    Result<std::optional<std::string>> read(const std::string& path) override {
      return make_error(Kind::failed, "read " + path + ": no");
    }
  };
  Unreadable source;
  CHECK_FALSE(survives_power_cut(source).ok());
}
