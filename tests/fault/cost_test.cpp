// What operations cost, counted in calls to the disk and bytes on it (P5, P6): a count does not depend on the machine.
#include "tests/fault/crash_lab.h"
#include "tests/support/must.h"

namespace branchfs::test {
namespace {

std::map<std::string, std::size_t> many_files(std::size_t count, std::size_t sectors) {
  std::map<std::string, std::size_t> files;
  for (std::size_t i = 0; i < count; ++i) files["f" + std::to_string(i)] = sectors;
  return files;
}

CrashLab::Calls cost_of_create(std::size_t files, std::size_t sectors, std::size_t written) {
  CrashLab lab;
  must(lab.import("base", many_files(files, sectors)));
  must(lab.create_offline("parent", "base"));
  must(lab.open("parent"));
  for (std::size_t i = 0; i < written; ++i) must(lab.write("f" + std::to_string(i), 0, 3));
  must(lab.sync_all());
  lab.close();
  lab.take_calls();
  must(lab.create_offline("child", "parent"));
  return lab.take_calls();
}

TEST_CASE("creating a branch costs the same whatever the database and the parent's writes", "[P5]") {
  const CrashLab::Calls small = cost_of_create(2, 4, 1);
  const CrashLab::Calls large = cost_of_create(300, 40, 200);
  CHECK(small.changes == large.changes);
  CHECK(small.reads == large.reads);
  CHECK(small.changes < 40);
}

CrashLab::Calls cost_of_live_create(std::size_t written) {
  CrashLab lab;
  must(lab.import("base", many_files(300, 40)));
  must(lab.create_offline("parent", "base"));
  must(lab.open("parent"));
  for (std::size_t i = 0; i < written; ++i) must(lab.write("f" + std::to_string(i), 0, 3));
  lab.take_calls();
  must(lab.create_live("child"));
  return lab.take_calls();
}

TEST_CASE("creating a branch of an open parent costs the same whatever the parent wrote", "[P5]") {
  const CrashLab::Calls little = cost_of_live_create(1);
  const CrashLab::Calls much = cost_of_live_create(200);
  CHECK(little.changes == much.changes);
  CHECK(little.reads == much.reads);
}

TEST_CASE("looking after files copies no data", "[P5]") {
  CrashLab lab;
  must(lab.import("base", many_files(20, 400)));  // 4 MB
  must(lab.create_offline("child", "base"));
  must(lab.open("child"));
  const std::uint64_t before = lab.disk().used();
  for (int i = 0; i < 20; ++i) {
    const std::string name = "f" + std::to_string(i);
    must(lab.chmod(name, 0640));
    must(lab.sync(name, false));
    must(lab.rename(name, "g" + std::to_string(i)));
  }
  must(lab.sync_all());
  CHECK(lab.disk().used() - before < 20 * 1024);
  must(lab.write("g3", 16, 16));  // one block
  must(lab.sync("g3", false));
  const std::uint64_t end_of_the_block = 2 * kBlockSize;  // data files are sparse, which a disk in memory does not know
  CHECK(lab.disk().used() - before < 20 * 1024 + end_of_the_block);
}

// Reads that it takes to read everything, `depth` generations above the base, each of which wrote the same two blocks.
std::size_t reads_at(std::size_t depth, bool packed) {
  CrashLab lab;
  must(lab.import("base", many_files(3, 640)));
  std::string parent = "base";
  for (std::size_t i = 0; i < depth; ++i) {
    const std::string name = "g" + std::to_string(i);
    must(lab.create_offline(name, parent));
    must(lab.open(name));
    must(lab.write("f1", 32, 16));
    must(lab.write("f2", 320, 16));
    lab.close();
    parent = name;
    if (packed && i % 8 == 7) {
      must(lab.create_offline("p" + std::to_string(i), name));  // what is open is packed once somebody branches from it
      must(lab.pack("p" + std::to_string(i)));
      parent = "p" + std::to_string(i);
    }
  }
  must(lab.open(parent));
  lab.check_now();  // index pages are read once
  lab.take_calls();
  lab.check_now();
  return lab.take_calls().reads;
}

TEST_CASE("reading through many generations costs what reading through one costs", "[P6]") {
  const std::size_t one = reads_at(1, false);
  CHECK(one > 10);
  CHECK(reads_at(64, false) == one);
  CHECK(reads_at(64, true) == one);
}

}  // namespace
}  // namespace branchfs::test
