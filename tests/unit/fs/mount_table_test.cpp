#include "fs/mount_table.h"

#include "tests/catch.h"

using namespace branchfs;

TEST_CASE("a line of mountinfo, with tags and escapes") {
  const auto table = parse_mount_table(
      "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
      "40 22 0:39 / /mnt/a\\040b rw,nosuid shared:2 master:1 - fuse.branchfs /s\\054t:main rw,user_id=0\n"
      "41 22 0:40 / /mnt/c rw - tmpfs none rw\n");
  REQUIRE(table.size() == 3);
  CHECK(table[0].point == "/");
  CHECK(table[1].device == "0:39");
  CHECK(table[1].point == "/mnt/a b");
  CHECK(table[1].type == "fuse.branchfs");
  CHECK(table[1].source == "/s,t:main");
  CHECK(table[2].type == "tmpfs");
}

TEST_CASE("cut and foreign lines are left out") {
  CHECK(parse_mount_table("").empty());
  CHECK(parse_mount_table("garbage\n\n40 22 0:39 / /mnt\n").empty());
  CHECK(parse_mount_table("1 2 0:3 / /trailing\\04 rw - ext4 x rw")[0].point == "/trailing\\04");
}

TEST_CASE("the root is mounted, a new name is not") {
  const auto root = mounted_at("/");
  REQUIRE(root.ok());
  CHECK(root->has_value());
  const auto none = mounted_at("/no/such/mount/point");
  REQUIRE(none.ok());
  CHECK_FALSE(none->has_value());
  CHECK(detach_mount("/no/such/mount/point", "0:1").ok());
  const Status foreign = detach_mount("/", "0:0");
  REQUIRE_FALSE(foreign.ok());
  CHECK(foreign.error().kind == Kind::busy);
}
