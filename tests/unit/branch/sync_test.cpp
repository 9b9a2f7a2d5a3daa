// Syncs and freezes that meet: what a sync acknowledged, and what was written before a freeze, is there afterwards (P1, P2).
#include <fcntl.h>
#include <fmt/format.h>

#include <utility>

#include "tests/unit/branch/support.h"

namespace branchfs::test {
namespace {

bool is_data_file(const std::string& path) { return path.find("/f/") != std::string::npos; }

// A store whose branch "main" has a packed file "f" of four blocks of 'a', so that writes shadow it.
struct Shadowing {
  HookEnv env;
  ScratchStore store{env};
  std::unique_ptr<Branch> branch;
  Ino ino;

  Shadowing() {
    store.make_root("base");
    {
      auto base = store.open("base");
      write(*base, make_file(*base, "f"), 0, blocks('a', 4));
    }
    must(create_branch(**store, "main", "base", {}));
    must(pack(**store, "base"));
    open();
  }
  void open() {
    branch.reset();
    branch = store.open("main");
    ino = ino_of(*branch, "f");
  }
  // Runs `work` once, in the middle of the next sync of a data file.
  void during_sync(std::function<void()> work) {
    env.hook = [this, work = std::move(work)](const std::string& call, const std::string& path) -> Status {
      if (call != "sync" || !is_data_file(path)) return {};
      auto once = std::exchange(env.hook, {});
      work();
      return {};
    };
  }
};

TEST_CASE("a freeze in the middle of a sync loses nothing of what the sync writes", "[P1][P2]") {
  Shadowing s;
  write(*s.branch, s.ino, kBlockSize, blocks('b', 1));
  s.during_sync([&] { s.store.fork_live(*s.branch, "main", "child"); });
  must(s.branch->sync(s.ino, true));
  REQUIRE(!s.env.hook);
  std::string want = shape(blocks('a', 1) + blocks('b', 1) + blocks('a', 2));
  CHECK(read(*s.branch, "f") == want);
  s.branch.reset();
  CHECK(read(s.store, "child", "f") == want);
  CHECK(read(s.store, "main", "f") == want);
}

TEST_CASE("a write in the middle of a sync that only makes the file longer is in the next sync", "[P2]") {
  Shadowing s;
  write(*s.branch, s.ino, 4 * kBlockSize, "one");
  s.during_sync([&] { write(*s.branch, s.ino, 4 * kBlockSize + 3, "two"); });
  must(s.branch->sync(s.ino, true));
  must(s.branch->sync(s.ino, true));
  s.branch.reset();
  CHECK(read(s.store, "main", "f") == shape(blocks('a', 4) + "onetwo"));
}

TEST_CASE("a file synced before a freeze keeps its size when its attributes change after it", "[P2]") {
  ScratchStore store;
  store.make_root("main");
  auto branch = store.open("main");
  Ino ino = make_file(*branch, "f");
  write(*branch, ino, 0, blocks('a', 3) + "x");
  must(branch->sync(ino, true));
  store.fork_live(*branch, "main", "child");
  chmod(*branch, ino, 0644);
  must(branch->sync(ino, true));
  branch.reset();
  CHECK(read(store, "main", "f") == shape(blocks('a', 3) + "x"));
  CHECK(read(store, "child", "f") == shape(blocks('a', 3) + "x"));
}

TEST_CASE("flush tells of a file that grew inside a block that was told before", "[P8]") {
  Shadowing s;
  write(*s.branch, s.ino, 4 * kBlockSize, "one");
  must(s.branch->flush());
  s.branch.reset();
  in_killed_process([&] {
    s.open();
    write(*s.branch, s.ino, 0, "A");
    write(*s.branch, s.ino, 4 * kBlockSize + 3, "two");
    must(s.branch->flush());
    write(*s.branch, s.ino, 4 * kBlockSize + 6, "three");
    must(s.branch->flush());
  });
  CHECK(read(s.store, "main", "f") == shape("A" + blocks('a', 4).substr(1) + "onetwothree"));
}

TEST_CASE("what was flushed outlives a cut behind it, also after a write that was not flushed", "[P8]") {
  Shadowing s;
  s.branch.reset();
  in_killed_process([&] {
    s.open();
    write(*s.branch, s.ino, 4 * kBlockSize, "one");
    must(s.branch->flush());
    write(*s.branch, s.ino, 8 * kBlockSize, "two");
    resize(*s.branch, s.ino, 6 * kBlockSize);  // hands its record over, because blocks are going to be removed
  });
  CHECK(read(s.store, "main", "f") == shape(blocks('a', 4) + "one" + std::string(2 * kBlockSize - 3, '\0')));
}

TEST_CASE("blocks shared over ones that were written but not synced stay shared after a kill", "[P8]") {
  Shadowing s;
  s.branch.reset();
  in_killed_process([&] {
    s.open();
    Ino other = make_file(*s.branch, "other");
    write(*s.branch, other, 0, blocks('o', 4));
    must(s.branch->sync_all());
    s.store.fork_live(*s.branch, "main", "child");
    write(*s.branch, s.ino, kBlockSize, blocks('b', 1));
    must(s.branch->flush());
    REQUIRE(must(s.branch->copy_range(other, 0, s.ino, kBlockSize, kBlockSize)) == kBlockSize);
    must(s.branch->flush());
  });
  std::string want = shape(blocks('a', 1) + blocks('o', 1) + blocks('a', 2));
  s.open();
  CHECK(read(*s.branch, "f") == want);
  s.open();  // syncs what was pending, and says so
  CHECK(read(*s.branch, "f") == want);
}

TEST_CASE("what was synced survives a killed process", "[P2]") {
  ScratchStore store;
  store.make_root("main");
  bool freeze = GENERATE(false, true);
  in_killed_process([&] {
    auto branch = store.open("main");
    Ino dir = make_file(*branch, "d", S_IFDIR | 0700);
    Ino ino = make_file(*branch, "f");
    write(*branch, ino, 100, "data");
    if (freeze) store.fork_live(*branch, "main", "child");
    write(*branch, ino, 104, " and more");
    must(branch->rename(kRootIno, "f", dir, "g", 0));
    must(branch->sync(ino, true));
    make_file(*branch, "h");
    must(branch->sync_dir(kRootIno));
    static_cast<void>(branch.release());
  });
  auto branch = store.open("main");
  Ino file = must(branch->lookup(ino_of(*branch, "d"), "g")).ino;
  CHECK(shape(must(try_read(*branch, file))) == shape(std::string(100, '\0') + "data and more"));
  CHECK(branch->lookup(kRootIno, "h").ok());
  CHECK(branch->lookup(kRootIno, "f").error().to_errno() == ENOENT);
  if (freeze) CHECK(read(store, "child", "f") == shape(std::string(100, '\0') + "data"));
}

// What a power cut does: the host has a new boot id, and data that was not synced is gone.
void cut_power(Shadowing& s, ObjectId delta) {
  must(must(posix_env().open(fmt::format("{}/f/{:016x}", s.store->delta_dir(delta), s.ino.v), O_RDWR))->truncate(0));
  s.env.boot += "+";
  s.store.reopen();
}

TEST_CASE("unsynced writes that a power cut took do not come back when the delta is sealed", "[P8]") {
  Shadowing s;
  ObjectId delta = must(s.store->read_manifest("main")).delta;
  s.branch.reset();
  in_killed_process([&] {
    s.open();
    write(*s.branch, s.ino, kBlockSize, blocks('b', 1));
    must(s.branch->flush());
  });
  CHECK(read(s.store, "main", "f") == shape(blocks('a', 1) + blocks('b', 1) + blocks('a', 2)));
  cut_power(s, delta);
  CHECK(read(s.store, "main", "f") == shape(blocks('a', 4)));
  must(create_branch(**s.store, "child", "main", {}));
  auto frozen = must(Delta::open(s.env, s.store->delta_dir(delta), delta, false, [](const Edit&, Told) { return Status{}; }));
  bool whole = GENERATE(true, false);
  must(whole ? frozen->seal() : frozen->confirm(s.ino));
  frozen.reset();
  CHECK(read(s.store, "main", "f") == shape(blocks('a', 4)));
  CHECK(read(s.store, "child", "f") == shape(blocks('a', 4)));
}

TEST_CASE("a sync of copied blocks does not depend on what they came from, which may not be durable", "[P2]") {
  Shadowing s;
  write(*s.branch, s.ino, kBlockSize, blocks('b', 1));
  Ino copy = make_file(*s.branch, "copy");
  s.env.hook = [](const std::string& call, const std::string& path) -> Status {  // the sealer does not get to its mark
    return call == "rename" && path.ends_with("/sealed") ? Status{posix_error(ENOENT)} : Status{};
  };
  s.store.fork_live(*s.branch, "main", "child");
  REQUIRE(must(s.branch->copy_range(s.ino, kBlockSize, copy, 0, kBlockSize)) == kBlockSize);
  must(s.branch->sync(copy, true));
  s.branch.reset();
  s.env.hook = {};
  s.env.boot += "+";
  s.store.reopen();
  CHECK(read(s.store, "main", "copy") == shape(blocks('b', 1)));
}

TEST_CASE("what is copied over synced blocks and may not be durable does not take these along", "[P2]") {
  Shadowing s;
  const ObjectId delta = must(s.store->read_manifest("main")).delta;
  s.branch.reset();
  in_killed_process([&] {
    s.open();
    const Ino target = make_file(*s.branch, "target");
    write(*s.branch, target, 0, blocks('t', 3));
    must(s.branch->sync(target, true));
    write(*s.branch, s.ino, kBlockSize, blocks('b', 1));
    s.env.hook = [](const std::string& call, const std::string& path) -> Status {  // the sealer does not get to its mark
      return call == "rename" && path.ends_with("/sealed") ? Status{posix_error(ENOENT)} : Status{};
    };
    s.store.fork_live(*s.branch, "main", "child");
    REQUIRE(must(s.branch->copy_range(s.ino, kBlockSize, target, kBlockSize, kBlockSize)) == kBlockSize);
    must(s.branch->sync_dir(kRootIno));
  });
  cut_power(s, delta);
  CHECK(read(s.store, "main", "target") == shape(blocks('t', 3)));
}

TEST_CASE("a size that was told outlives a later state, whoever vouches for it", "[P2][P8]") {
  Shadowing s;
  const ObjectId delta = must(s.store->read_manifest("main")).delta;
  s.branch.reset();
  in_killed_process([&] {
    s.open();
    write(*s.branch, s.ino, 4 * kBlockSize, "more");
    must(s.branch->flush());
    chmod(*s.branch, s.ino, 0640);
    must(s.branch->sync_dir(kRootIno));
  });
  const std::string want = shape(blocks('a', 4) + "more");
  must(create_branch(**s.store, "child", "main", {}));  // nobody opens the parent
  CHECK(read(s.store, "child", "f") == want);
  must(must(Delta::open(s.env, s.store->delta_dir(delta), delta, false, [](const Edit&, Told) { return Status{}; }))->seal());
  CHECK(read(s.store, "child", "f") == want);
  // A state that the child records says it too.
  in_killed_process([&] {
    auto child = s.store.open("child");
    chmod(*child, ino_of(*child, "f"), 0600);
    must(child->sync_dir(kRootIno));
    static_cast<void>(child.release());  // killed, not closed
  });
  CHECK(read(s.store, "child", "f") == want);
  must(pack(**s.store, "main"));
  CHECK(read(s.store, "main", "f") == want);
}

TEST_CASE("what a frozen delta sealed holds whatever the boot", "[P2]") {
  Shadowing s;
  ObjectId delta = must(s.store->read_manifest("main")).delta;
  write(*s.branch, s.ino, kBlockSize, blocks('b', 1));
  s.store.fork_live(*s.branch, "main", "child");
  bool whole = GENERATE(true, false);
  if (whole) {
    auto frozen = must(Delta::open(s.env, s.store->delta_dir(delta), delta, false, [](const Edit&, Told) { return Status{}; }));
    must(frozen->seal());
  } else {
    must(s.branch->sync(s.ino, true));
  }
  s.branch.reset();
  s.env.boot += "+";
  s.store.reopen();
  CHECK(read(s.store, "main", "f") == shape(blocks('a', 1) + blocks('b', 1) + blocks('a', 2)));
  CHECK(read(s.store, "child", "f") == shape(blocks('a', 1) + blocks('b', 1) + blocks('a', 2)));
}

TEST_CASE("a log over shared blocks seldom syncs the journal, and loses nothing to a power cut", "[P2]") {
  HookEnv env;
  ScratchStore store(env);
  store.make_root("base");
  {
    auto base = store.open("base");
    write(*base, make_file(*base, "f"), 0, blocks('a', 100));
  }
  must(create_branch(**store, "main", "base", {}));
  must(pack(**store, "base"));
  in_killed_process([&] {
    auto branch = store.open("main");
    const Ino ino = ino_of(*branch, "f");
    int journal_syncs = 0;
    env.hook = [&](const std::string& call, const std::string& path) -> Status {
      if (call == "sync" && path.ends_with("journal")) ++journal_syncs;
      return {};
    };
    for (std::uint64_t block = 0; block < 60; ++block) {
      write(*branch, ino, block * kBlockSize, blocks('b', 1));
      must(branch->sync(ino, true));
      write(*branch, ino, block * kBlockSize, blocks('c', 1));  // a log's last block grows
      must(branch->sync(ino, true));
    }
    CHECK(journal_syncs > 0);
    CHECK(journal_syncs < 12);
  });
  env.boot += "+";
  store.reopen();
  CHECK(read(store, "main", "f") == shape(blocks('c', 60) + blocks('a', 40)));
}

TEST_CASE("what a killed process recorded is durable before the next one acknowledges anything", "[P2]") {
  Shadowing s;
  s.branch.reset();
  in_killed_process([&] {
    auto branch = s.store.open("main");
    write(*branch, make_file(*branch, "new"), 0, "new");
    must(branch->flush());
  });
  int journal_syncs = 0;
  s.env.hook = [&](const std::string& call, const std::string& path) -> Status {
    if (call == "sync" && path.ends_with("journal")) ++journal_syncs;
    return {};
  };
  s.open();
  CHECK(journal_syncs > 0);
}

TEST_CASE("an fdatasync syncs the file's own name, and not what others recorded", "[P2]") {
  Shadowing s;
  const Ino mine = make_file(*s.branch, "mine");
  write(*s.branch, mine, 0, "mine");
  int journal_syncs = 0;
  s.env.hook = [&](const std::string& call, const std::string& path) -> Status {
    if (call == "sync" && path.ends_with("journal")) ++journal_syncs;
    return {};
  };
  must(s.branch->sync(mine, true));
  CHECK(journal_syncs == 1);
  make_file(*s.branch, "another");
  write(*s.branch, mine, 0, "more");
  must(s.branch->sync(mine, true));
  CHECK(journal_syncs == 1);
  must(s.branch->sync(mine, false));
  CHECK(journal_syncs == 2);
}

TEST_CASE("times that were shown are those after the next mount") {
  ScratchStore store;
  store.make_root("main");
  auto branch = store.open("main");
  const Ino ino = make_file(*branch, "f");
  write(*branch, ino, 0, blocks('a', 1));
  const bool data_only = GENERATE(true, false);
  must(branch->sync(ino, data_only));
  if (GENERATE(true, false)) write(*branch, ino, 0, "b");
  if (GENERATE(true, false)) store.fork_live(*branch, "main", "child");
  const Attr shown = must(branch->getattr(ino));
  branch.reset();
  branch = store.open("main");
  const Attr after = must(branch->lookup(kRootIno, "f"));
  const auto nanoseconds = [](const ::timespec& t) { return t.tv_sec * 1'000'000'000LL + t.tv_nsec; };
  CHECK(nanoseconds(after.mtime) == nanoseconds(shown.mtime));
  CHECK(nanoseconds(after.ctime) == nanoseconds(shown.ctime));
}

}  // namespace
}  // namespace branchfs::test
