// A file that is empty when its delta freezes has no data file there (P7).
#include "tests/unit/branch/support.h"

namespace branchfs::test {
namespace {

TEST_CASE("a file that was empty at a freeze reads as zeros where it grew later", "[P7]") {
  ScratchStore store;
  store.make_root("main");
  auto branch = store.open("main");
  const Ino grown = make_file(*branch, "grown");
  const Ino resized = make_file(*branch, "resized");
  const Ino copy = make_file(*branch, "copy");
  write(*branch, copy, 0, blocks('c', 3));
  store.fork_live(*branch, "main", "child");
  write(*branch, grown, 2 * kBlockSize, "x");
  resize(*branch, resized, 2 * kBlockSize);
  CHECK(must(branch->copy_range(resized, 0, copy, 0, 2 * kBlockSize)) == 2 * kBlockSize);
  const std::string zeros(2 * kBlockSize, '\0');
  CHECK(read(*branch, "grown") == shape(zeros + "x"));
  CHECK(read(*branch, "resized") == shape(zeros));
  CHECK(read(*branch, "copy") == shape(zeros + blocks('c', 1)));
  must(branch->sync_all());
  branch.reset();
  CHECK(read(store, "main", "grown") == shape(zeros + "x"));
  CHECK(read(store, "main", "resized") == shape(zeros));
  CHECK(read(store, "main", "copy") == shape(zeros + blocks('c', 1)));
  CHECK(read(store, "child", "grown").empty());
}

}  // namespace
}  // namespace branchfs::test
