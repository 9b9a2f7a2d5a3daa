#include "tools/mask/engine/relations.h"

#include "tests/catch.h"

namespace branchfs::test {
namespace {

using mask::relation_path;

TEST_CASE("segments and forks belong to their relation, all else to none") {
  CHECK(relation_path("base/16384/16390") == "base/16384/16390");
  CHECK(relation_path("base/16384/16390.12") == "base/16384/16390");
  CHECK(relation_path("base/16384/16390_fsm") == "base/16384/16390");
  CHECK(relation_path("base/16384/16390_vm.1") == "base/16384/16390");
  CHECK(relation_path("base/16384/16390_init") == "base/16384/16390");
  CHECK(relation_path("pg_tblspc/16400/PG_15_202209061/16384/16390") == "pg_tblspc/16400/PG_15_202209061/16384/16390");
  for (const char* other : {"base/16384/t3_16390", "base/16384/16390_tmp", "base/16384/16390.x", "base/16384/PG_VERSION",
                            "base/16384/", "16390", "base/16384/16390."}) {
    INFO(other);
    CHECK_FALSE(relation_path(other));
  }
}

}  // namespace
}  // namespace branchfs::test
