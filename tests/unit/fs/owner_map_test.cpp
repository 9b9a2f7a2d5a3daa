#include "fs/owner_map.h"

#include <set>

#include "tests/catch.h"

using branchfs::OwnerMap;

TEST_CASE("without a mapping owners are shown as stored") {
  const OwnerMap map;
  for (const std::uint32_t id : {0U, 1U, 26U, 65534U}) {
    CHECK(map.uid(id) == id);
    CHECK(map.gid(id) == id);
  }
}

TEST_CASE("the stored owner and the shown one change places, a bijection") {
  const OwnerMap map(26, 1000, 27, 100);
  CHECK(map.uid(26) == 1000);
  CHECK(map.uid(1000) == 26);
  CHECK(map.uid(0) == 0);
  CHECK(map.gid(27) == 100);
  CHECK(map.gid(100) == 27);
  CHECK(map.gid(26) == 26);
  std::set<std::uint32_t> shown;
  for (std::uint32_t id = 0; id < 2000; ++id) {
    CHECK(shown.insert(map.uid(id)).second);
    CHECK(map.uid(map.uid(id)) == id);
  }
}
