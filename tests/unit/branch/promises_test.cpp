// One test for each way in which a promise of the storage engine could quietly be broken.
#include <fcntl.h>
#include <fmt/format.h>

#include <utility>

#include "tests/unit/branch/support.h"

namespace branchfs::test {
namespace {

void flip_byte(const std::string& path, std::uint64_t offset) {
  auto file = must(posix_env().open(path, O_RDWR));
  std::byte b{};
  must(file->read_at({&b, 1}, offset));
  b ^= std::byte{1};
  must(file->write_at({&b, 1}, offset));
}
std::uint64_t size_of(const std::string& path) {
  return static_cast<std::uint64_t>(must(posix_env().stat(path)).st_size);
}

TEST_CASE("a flipped byte of a layer is EIO and a line that says where", "[P3]") {
  ScratchStore store;
  store.make_root("main");
  Ino ino;
  {
    auto branch = store.open("main");
    ino = make_file(*branch, "f");
    write(*branch, ino, 0, std::string(3 * kBlockSize, 'x'));
  }
  must(create_branch(**store, "child", "main", {}));
  must(pack(**store, "main"));
  ObjectId layer = must(store->read_manifest("main")).stack.front();
  flip_byte(store->layer_path(layer), 4096);
  store.reopen();
  auto branch = store.open("child");
  auto got = try_read(*branch, ino_of(*branch, "f"));
  REQUIRE(!got);
  CHECK(got.error().to_errno() == EIO);
  CHECK_THAT(got.error().what, Catch::Contains(layer.hex()) && Catch::Contains(fmt::format("inode {}", ino.v)) &&
                                   Catch::Contains("block 0"));
}

TEST_CASE("a data file that is gone is damage, not zeros", "[P8]") {
  ScratchStore store;
  store.make_root("main");
  auto branch = store.open("main");
  Ino ino = make_file(*branch, "f");
  write(*branch, ino, 0, "data");
  must(branch->sync(ino, true));
  store.fork_live(*branch, "main", "child");
  write(*branch, ino, 3 * kBlockSize, "more");  // part of it shadows now
  branch.reset();
  ObjectId delta = must(store->read_manifest("main")).delta;
  must(posix_env().unlink(fmt::format("{}/f/{:016x}", store->delta_dir(delta), ino.v)));
  branch = store.open("main", OpenMode::read_only);
  auto got = try_read(*branch, ino_of(*branch, "f"));
  REQUIRE(!got);
  CHECK(got.error().to_errno() == EIO);
}

TEST_CASE("branches do not see each other's writes", "[P4]") {
  ScratchStore store;
  store.make_root("main");
  auto main = store.open("main");
  Ino ino = make_file(*main, "f");
  write(*main, ino, 0, blocks('a', 2));
  store.fork_live(*main, "main", "child");
  auto child = store.open("child");
  write(*main, ino, 0, blocks('m', 1));
  write(*child, ino, kBlockSize, blocks('c', 1));
  make_file(*child, "only in the child");
  CHECK(read(*main, "f") == shape(blocks('m', 1) + blocks('a', 1)));
  CHECK(read(*child, "f") == shape(blocks('a', 1) + blocks('c', 1)));
  CHECK(!main->lookup(kRootIno, "only in the child"));
}

TEST_CASE("what was cut off reads as zeros when the file grows again", "[P7]") {
  ScratchStore store;
  store.make_root("base");
  {
    auto base = store.open("base");
    write(*base, make_file(*base, "f"), 0, blocks('a', 3));
  }
  must(create_branch(**store, "main", "base", {}));
  if (GENERATE(false, true)) must(pack(**store, "base"));
  {
    auto branch = store.open("main");
    Ino ino = ino_of(*branch, "f");
    if (GENERATE(false, true)) write(*branch, ino, 0, blocks('b', 2));
    resize(*branch, ino, 100);
    if (GENERATE(false, true)) must(branch->sync(ino, true));
    resize(*branch, ino, 3 * kBlockSize);
    char first = read(*branch, "f").find("b") == std::string::npos ? 'a' : 'b';
    std::string want = shape(std::string(100, first) + std::string(3 * kBlockSize - 100, '\0'));
    CHECK(read(*branch, "f") == want);
    branch.reset();
    CHECK(read(store, "main", "f") == want);
  }
}

// A branch that synced the creation of "a", then of "b".
std::string two_records(ScratchStore& store) {
  store.make_root("main");
  auto branch = store.open("main");
  for (const char* name : {"a", "b", "c"}) {
    make_file(*branch, name);
    must(branch->sync_dir(kRootIno));
  }
  return store->delta_dir(must(store->read_manifest("main")).delta) + "/journal";
}

TEST_CASE("a torn end of a journal is cut off, damage before it is not", "[P8]") {
  ScratchStore store;
  std::string journal = two_records(store);
  SECTION("garbage behind the end") {
    std::uint64_t size = size_of(journal);
    must(must(posix_env().open(journal, O_RDWR))->write_at(std::as_bytes(std::span("torn torn torn torn")), size));
    auto branch = store.open("main");
    CHECK(branch->lookup(kRootIno, "c").ok());
    CHECK(size_of(journal) == size);
  }
  SECTION("a byte in the middle") {
    flip_byte(journal, 100);
    BranchOptions options;
    auto opened = Branch::open(*store, "main", options);
    REQUIRE(!opened);
    CHECK(opened.error().kind == Kind::damaged);
  }
}

TEST_CASE("a sealed journal that became shorter is damage", "[P8]") {
  ScratchStore store;
  std::string journal = two_records(store);
  must(create_branch(**store, "child", "main", {}));
  ObjectId frozen = must(store->read_manifest("main")).stack.front();
  must(must(Delta::open(posix_env(), store->delta_dir(frozen), frozen, false,
                        [](const Edit&, Told) { return Status{}; }))->seal());
  flip_byte(journal, size_of(journal) - 4);  // the last record: nothing behind it testifies
  auto opened = Branch::open(*store, "child", {});
  REQUIRE(!opened);
  CHECK(opened.error().kind == Kind::damaged);
}

TEST_CASE("a branch has one writer, and the second is told who", "[P9]") {
  ScratchStore store;
  store.make_root("main");
  BranchOptions options;
  options.holder = {{"pid", 4711}, {"mountpoint", "/somewhere"}};
  auto first = must(Branch::open(*store, "main", options));
  for (OpenMode mode : {OpenMode::read_write, OpenMode::read_only}) {
    options.mode = mode;
    auto second = Branch::open(*store, "main", options);
    REQUIRE(!second);
    CHECK(second.error().kind == Kind::busy);
    CHECK_THAT(second.error().what, Catch::Contains("4711") && Catch::Contains("/somewhere"));
  }
}

TEST_CASE("a branch that is open for reading can be branched from", "[P5]") {
  ScratchStore store;
  store.make_root("main");
  { make_file(*store.open("main"), "f"); }
  auto reader = store.open("main", OpenMode::read_only);
  must(create_branch(**store, "child", "main", {}));
  CHECK(store.open("child")->lookup(kRootIno, "f").ok());
  CHECK(reader->lookup(kRootIno, "f").ok());
}

TEST_CASE("after a kill, data of a deleted file goes only when its deletion is durable", "[P8]") {
  HookEnv env;
  ScratchStore store(env);
  store.make_root("main");
  in_killed_process([&] {
    auto branch = store.open("main");
    Ino ino = make_file(*branch, "f");
    write(*branch, ino, 0, "data");
    must(branch->sync(ino, true));
    must(branch->unlink(kRootIno, "f"));
    branch->forget(ino, 1);
    must(branch->flush());
    static_cast<void>(branch.release());
  });
  bool synced = false;
  bool removed = false;
  env.hook = [&](const std::string& call, const std::string& path) -> Status {
    if (call == "sync" && path.ends_with("/journal")) synced = true;
    if (call == "unlink" && path.find("/f/") != std::string::npos) {
      CHECK(synced);
      removed = true;
    }
    return {};
  };
  store.open("main");
  CHECK(removed);
}

TEST_CASE("a delta that is collected while it is opened is read as the layer it became", "[P10]") {
  HookEnv env;
  ScratchStore store(env);
  store.make_root("main");
  {
    auto branch = store.open("main");
    write(*branch, make_file(*branch, "f"), 0, blocks('a', 2));
  }
  must(create_branch(**store, "child", "main", {}));
  env.hook = [&](const std::string& call, const std::string& path) -> Status {
    if (call != "opened" || !path.ends_with("/journal")) return {};
    env.hook = {};
    auto other = must(Store::open(posix_env(), store.path()));
    must(pack(*other, ""));
    must(collect_garbage(*other));
    return {};
  };
  CHECK(read(store, "child", "f") == shape(blocks('a', 2)));
}

TEST_CASE("nothing is collected when the host cannot say what is needed", "[P10]") {
  HookEnv env;
  ScratchStore store(env);
  store.make_root("main");
  {
    auto branch = store.open("main");
    write(*branch, make_file(*branch, "f"), 0, "data");
  }
  must(create_branch(**store, "child", "main", {}));
  must(pack(**store, "main"));
  std::string what = GENERATE(as<std::string>(), "/manifest", ".layer");
  env.hook = [&](const std::string& call, const std::string& path) -> Status {
    return call == "stat" && path.ends_with(what) ? Status{posix_error(EIO)} : Status{};
  };
  auto report = collect_garbage(**store);
  env.hook = {};
  CHECK((!report || report->layers == 0));
  CHECK(read(store, "child", "f") == shape("data"));
}

TEST_CASE("deleting leaves what a branch with a damaged manifest may need", "[P10]") {
  ScratchStore store;
  store.make_root("main");
  {
    auto branch = store.open("main");
    write(*branch, make_file(*branch, "f"), 0, "data");
  }
  must(create_branch(**store, "child", "main", {}));
  must(create_branch(**store, "other", "child", {}));
  std::string manifest = store->branch_dir("child") + "/manifest";
  flip_byte(manifest, 200);
  must(delete_branch(**store, "other"));
  must(delete_branch(**store, "main", true));
  flip_byte(manifest, 200);
  CHECK(read(store, "child", "f") == shape("data"));
}

TEST_CASE("a family goes in one transaction, or nobody of it", "[P10]") {
  ScratchStore store;
  store.make_root("main");
  auto grow = [&](const std::string& name, const std::string& parent) {
    must(create_branch(**store, name, parent, {}));
    auto branch = store.open(name);
    write(*branch, make_file(*branch, name), 0, blocks('x', 2));
  };
  grow("stage", "main");
  grow("dev", "stage");
  grow("test", "stage");
  grow("aside", "main");
  auto number = [&] { return store->list()->size(); };
  const std::vector<std::string> family{"dev", "test", "stage"};
  {
    auto open = store.open("test");
    Status refused = delete_branches(**store, family);
    REQUIRE(!refused);
    CHECK(refused.error().kind == Kind::busy);
    CHECK(number() == 5);
  }
  Status refused = delete_branches(**store, std::vector<std::string>{"dev", "stage"});
  REQUIRE(!refused);
  CHECK(refused.error().kind == Kind::refused);
  CHECK(refused.error().what.find("test") != std::string::npos);
  CHECK(number() == 5);
  must(delete_branches(**store, family));
  CHECK(number() == 2);
  CHECK(read(store, "aside", "aside") == shape(blocks('x', 2)));
  // The root's, and the one that "aside" writes to: what the family alone had is gone at once.
  CHECK(store->env().list(store->deltas_dir())->size() == 2);
  must(collect_garbage(**store));
  CHECK(store->env().list(store->deltas_dir())->size() == 2);
}

TEST_CASE("collecting after every operation takes nothing that is needed", "[P10]") {
  ScratchStore store;
  store.make_root("main");
  std::string want;
  auto check = [&] {
    must(collect_garbage(**store));
    store.reopen();
    CHECK(read(store, "main", "f") == want);
    auto report = must(verify_store(**store));
    for (const auto& line : report.lines) UNSCOPED_INFO(line);
    CHECK(report.problems == 0);
  };
  {
    auto branch = store.open("main");
    write(*branch, make_file(*branch, "f"), 0, blocks('a', 4));
    write(*branch, make_file(*branch, "g"), 0, blocks('g', 4));
  }
  want = shape(blocks('a', 4));
  check();
  must(create_branch(**store, "one", "main", {}));
  check();
  must(pack(**store, ""));
  check();
  {
    auto branch = store.open("main");
    must(branch->copy_range(ino_of(*branch, "g"), 0, ino_of(*branch, "f"), kBlockSize, kBlockSize));
    must(branch->unlink(kRootIno, "g"));
    must(branch->flush());
    must(collect_garbage(**store));
  }
  want = shape(blocks('a', 1) + blocks('g', 1) + blocks('a', 2));
  check();
  must(compact(**store, "main"));
  check();
  must(delete_branch(**store, "one"));
  check();
  must(create_branch(**store, "two", "main", {}));
  must(pack(**store, ""));
  check();
  must(compact(**store, "main"));
  check();
  must(reset_branch(**store, "two"));
  check();
  must(delete_branch(**store, "two"));
  check();
  CHECK(store->env().list(store->layers_dir())->size() == 1);
}

TEST_CASE("no directory goes below itself, moved or exchanged", "[P8]") {
  ScratchStore store;
  store.make_root("main");
  auto branch = store.open("main");
  const Ino dir = make_file(*branch, "dir", S_IFDIR | 0700);
  NewNode node;
  node.parent = dir;
  node.name = "below";
  node.mode = S_IFDIR | 0700;
  const Ino below = must(branch->create(node)).ino;
  constexpr unsigned kExchange = 2;  // RENAME_EXCHANGE
  CHECK(branch->rename(kRootIno, "dir", below, "dir", 0).error().to_errno() == EINVAL);
  CHECK(branch->rename(kRootIno, "dir", dir, "below", kExchange).error().to_errno() == EINVAL);
  CHECK(branch->rename(dir, "below", kRootIno, "dir", kExchange).error().to_errno() == EINVAL);
  CHECK(branch->lookup(dir, "below"));
  branch.reset();
  CHECK(must(verify_store(**store)).problems == 0);
}

}  // namespace
}  // namespace branchfs::test
