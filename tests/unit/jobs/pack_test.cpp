// Packing and compacting change where blocks are, never what a branch shows.
#include <linux/falloc.h>

#include <atomic>
#include <thread>

#include "tests/unit/jobs/support.h"

namespace branchfs::test {
namespace {

// main: imported. Each generation changes files of every kind, and a child goes on from there.
std::string make_generations(ScratchStore& store, int count) {
  fs::path source = store.dir() + "/source";
  make_source(source);
  import_dir(store, source, "g0");
  std::string name = "g0";
  for (int i = 1; i <= count; ++i) {
    std::string child = "g" + std::to_string(i);
    must(create_branch(**store, child, name, {}));
    auto branch = store.open(child);
    Ino base = must(branch->lookup(kRootIno, "base")).ino;
    Ino one = must(branch->lookup(base, "1")).ino;
    Ino big = must(branch->lookup(one, "100")).ino;
    std::uint64_t n = static_cast<std::uint64_t>(i);
    write(*branch, big, n * 3 * kBlockSize, text(100 + n, kBlockSize));
    write(*branch, big, n * 5 * kBlockSize + 100, "a few bytes");
    Ino odd = must(branch->lookup(one, "odd")).ino;
    SetAttr cut;
    cut.size = 3 * kBlockSize + 70 - n;
    must(branch->setattr(odd, cut));
    make_file(*branch, one, "new" + std::to_string(i), text(n, n * 5000));
    SetAttr mode;
    mode.mode = 0644;
    must(branch->setattr(must(branch->lookup(kRootIno, "PG_VERSION")).ino, mode));
    if (i == 2) must(branch->unlink(base, "odd-too"));
    if (i == 3) must(branch->rename(one, "new1", kRootIno, "moved", 0));
    if (i == 4)
      must(
          branch->allocate(big, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 40 * kBlockSize, 9 * kBlockSize));
    if (i == 5) must(branch->rmdir(kRootIno, "empty"));
    must(branch->sync_all());
    name = child;
  }
  return name;
}

}  // namespace

TEST_CASE("shared blocks that end inside of a block are packed where the file has them, not where they came from") {
  ScratchStore store;
  fs::path source = store.dir() + "/source";
  fs::create_directory(source);
  std::ofstream(source / "long", std::ios::binary) << text(7, 40 * kBlockSize);
  import_dir(store, source, "main");
  must(create_branch(**store, "child", "main", {}));
  {
    auto branch = store.open("child");
    Ino from = must(branch->lookup(kRootIno, "long")).ino;
    for (const std::uint64_t blocks : {1, 2, 3}) {
      make_file(*branch, kRootIno, "part" + std::to_string(blocks), "");
      Ino to = must(branch->lookup(kRootIno, "part" + std::to_string(blocks))).ino;
      must(branch->copy_range(from, 25 * kBlockSize, to, 0, blocks * kBlockSize));
      SetAttr cut;
      cut.size = (blocks - 1) * kBlockSize + 490;
      must(branch->setattr(to, cut));
    }
    must(branch->sync_all());
  }
  const Picture before = picture_of(store, "child");
  must(create_branch(**store, "leaf", "child", {}));
  must(pack(**store, ""));
  store.reopen();
  CHECK(picture_of(store, "child") == before);
  check_clean(store);
}

TEST_CASE("packed branches show what they showed, and their deltas go") {
  ScratchStore store;
  constexpr int kGenerations = 6;
  make_generations(store, kGenerations);
  std::map<std::string, Picture> before;
  for (int i = 0; i <= kGenerations; ++i)
    before["g" + std::to_string(i)] = picture_of(store, "g" + std::to_string(i));
  check_clean(store);
  must(create_branch(**store, "leaf", "g6", {}));  // freezes the last delta too

  auto report = must(pack(**store, ""));
  CHECK(report.deltas == kGenerations);
  CHECK(must(pack(**store, "")).deltas == 0);
  check_clean(store);
  store.reopen();
  before["leaf"] = before["g6"];
  for (const auto& [name, picture] : before) {
    INFO(name);
    CHECK(picture_of(store, name) == picture);
  }
  must(collect_garbage(**store));
  CHECK(objects(store) == "7 layers, 0 deltas, 0 trash");
  store.reopen();
  for (const auto& [name, picture] : before) CHECK(picture_of(store, name) == picture);

  SECTION("compacted: one layer without dependencies; the rest stays as long as others need it") {
    auto compacted = must(compact(**store, "leaf"));
    CHECK(compacted.layers_before == 7);
    CHECK(compacted.layers_after == 1);
    CHECK(must(compact(**store, "leaf")).layers_before == 1);
    Manifest manifest = must(store->read_manifest("leaf"));
    REQUIRE(manifest.stack.size() == 1);
    CHECK(must(store->layers().open(manifest.stack[0]))->dependencies().empty());
    must(collect_garbage(**store));
    CHECK(objects(store) == "8 layers, 0 deltas, 0 trash");
    for (const auto& [name, picture] : before) CHECK(picture_of(store, name) == picture);
    check_clean(store);

    // Chain deleted from its end; the compacted leaf lives on alone.
    Manifest leaf = must(store->read_manifest("leaf"));
    leaf.parent = {};
    must(update_manifest(**store, "leaf", [](Manifest& m) {
      m.parent = {};
      return Status{};
    }));
    for (int i = kGenerations; i >= 0; --i) must(delete_branch(**store, "g" + std::to_string(i)));
    must(collect_garbage(**store));
    store.reopen();
    CHECK(objects(store) == "1 layers, 0 deltas, 0 trash");
    CHECK(picture_of(store, "leaf") == before["leaf"]);
    check_clean(store);
  }
  SECTION("a branch that is open is not compacted") {
    auto open = store.open("leaf");
    auto refused = compact(**store, "leaf");
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().kind == Kind::busy);
  }
}

TEST_CASE("packing under an open branch: it reads on, and its delta stays until it is closed") {
  ScratchStore store;
  store.make_root("main");
  auto branch = store.open("main");
  Ino file = make_file(*branch, kRootIno, "f", text(1, 100'000));
  store.fork_live(*branch, "main", "child");
  write(*branch, file, 8192, "newer");
  must(pack(**store, "main"));
  must(collect_garbage(**store));
  CHECK(objects(store) == "2 layers, 3 deltas, 0 trash");
  std::string got(100'000, '\0');
  must(branch->read(file, 0, std::as_writable_bytes(std::span(got))));
  std::string want = text(1, 100'000);
  want.replace(8192, 5, "newer");
  CHECK(got == want);
  branch.reset();
  must(collect_garbage(**store));
  CHECK(objects(store) == "2 layers, 1 deltas, 0 trash");
  CHECK(picture_of(store, "child")["f"] == line_of(S_IFREG | 0600, 100'000, 1, text(1, 100'000)));
  check_clean(store);
}

TEST_CASE("two packers of one delta do not collide") {
  ScratchStore store;
  store.make_root("main");
  { make_file(*store.open("main"), kRootIno, "f", text(1, 20'000'000)); }
  must(create_branch(**store, "child", "main", {}));
  std::atomic<std::uint64_t> packed{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      auto report = pack(**store, "");
      packed += report ? report->deltas : 1000;
    });
  }
  for (auto& t : threads) t.join();
  CHECK(packed == 2);
  check_clean(store);
}

TEST_CASE("a branch that is reset while the store is packed or verified does no harm") {
  ScratchStore store;
  fs::path source = store.dir() + "/source";
  make_source(source);
  import_dir(store, source, "main");
  for (const std::string name : {"a", "b"}) {
    must(create_branch(**store, name, "main", {}));
    {
      auto branch = store.open(name);
      make_file(*branch, kRootIno, "own", text(7, 50000));
      must(branch->sync_all());
    }
    // Freezes the delta, which then is the branch's alone.
    must(create_branch(**store, "child", name, {}));
    must(delete_branch(**store, "child"));
  }
  bool is_reset = false;
  auto reset_b = [&](std::uint64_t, std::uint64_t) {
    if (!is_reset) must(reset_branch(**store, "b"));
    is_reset = true;
    return true;
  };
  SECTION("pack") { CHECK(must(pack(**store, "", reset_b)).deltas == 1); }
  SECTION("verify") { CHECK(must(verify_branch(**store, "b", reset_b)).problems == 0); }
  CHECK(is_reset);
  check_clean(store);
}

}  // namespace branchfs::test
