// A disk without room: what fails leaves everything as it was, and what frees space needs none (P8).
#include <atomic>

#include "tests/unit/branch/support.h"

namespace branchfs::test {
namespace {

bool is_trash(const std::string& path) { return path.find("/trash/") != std::string::npos; }

// A branch "main" with writes that are not synced, on a disk that gets full.
struct Filling {
  HookEnv env;
  ScratchStore store{env};
  std::unique_ptr<Branch> branch;
  Ino synced, unsynced;

  Filling() {
    store.make_root("main");
    branch = store.open("main");
    synced = make_file(*branch, "synced");
    write(*branch, synced, 0, blocks('a', 2));
    must(branch->sync(synced, false));
    unsynced = make_file(*branch, "unsynced");
    write(*branch, unsynced, 0, blocks('b', 3));
  }

  // From the n-th call on that takes room nothing fits. Room that a journal has reserved stays. The thread that seals calls as well.
  void full_from(std::size_t n) {
    is_full_ = true;
    env.hook = [this, n](const std::string& call, const std::string& path) -> Status {
      if (!is_full_) return {};
      const bool takes_room = call == "allocate" || (call == "write" && (!path.ends_with("/journal") || !is_reserved_));
      if (call == "allocate" && seen_ < n) is_reserved_ = true;
      if (!takes_room || seen_++ < n) return {};
      met_ = true;
      return sys_error(call + " " + path, ENOSPC);
    };
  }
  void has_room() { is_full_ = false; }
  [[nodiscard]] bool met() const { return met_; }

 private:
  std::atomic<std::size_t> seen_{0};
  std::atomic<bool> is_full_{false};
  std::atomic<bool> is_reserved_{false};
  std::atomic<bool> met_{false};
};

TEST_CASE("a create that finds no room leaves its open parent writable, and says why", "[P8]") {
  std::size_t refusals = 0;
  for (std::size_t n = 0;; ++n) {
    INFO("full from call " << n);
    Filling disk;
    const std::size_t deltas = must(disk.env.list(disk.store->deltas_dir())).size();
    disk.full_from(n);
    const Status forked = fork_live(**disk.store, *disk.branch, "main", "child");
    disk.has_room();
    if (!disk.met()) break;
    if (!forked) {
      ++refusals;
      CHECK(forked.error().sys == ENOSPC);
      CHECK(!hint_of(forked.error()).empty());
      CHECK(!disk.store->has_branch("child"));
    }
    CHECK(!disk.branch->read_only());
    write(*disk.branch, disk.unsynced, kBlockSize, blocks('c', 1));
    must(disk.branch->sync(disk.unsynced, false));
    CHECK(must(disk.env.list(disk.store->deltas_dir())).size() <= deltas + 1);
    disk.branch.reset();
    CHECK(read(disk.store, "main", "synced") == shape(blocks('a', 2)));
    CHECK(read(disk.store, "main", "unsynced") == shape(blocks('b', 1) + blocks('c', 1) + blocks('b', 1)));
    if (forked) CHECK(read(disk.store, "child", "unsynced") == shape(blocks('b', 3)));
    CHECK(must(verify_store(**disk.store)).problems == 0);
  }
  CHECK(refusals >= 4);  // delta, manifest, room in the journal, the child's manifest
}

TEST_CASE("a mark that finds no room fails nobody", "[P2][P8]") {
  Filling disk;
  std::atomic<bool> is_full{true};
  disk.env.hook = [&](const std::string& call, const std::string& path) -> Status {
    const bool is_mark = call == "write" && path.find("/sealed") != std::string::npos;
    return is_full && is_mark ? Status(sys_error(path, ENOSPC)) : Status{};
  };
  disk.store.fork_live(*disk.branch, "main", "child");
  must(disk.branch->sync_all());
  CHECK(!disk.branch->read_only());
  write(*disk.branch, disk.unsynced, 0, blocks('c', 1));
  must(disk.branch->sync(disk.unsynced, false));
  is_full = false;
  disk.branch.reset();
  CHECK(read(disk.store, "main", "unsynced") == shape(blocks('c', 1) + blocks('b', 2)));
  CHECK(read(disk.store, "child", "unsynced") == shape(blocks('b', 3)));
}

TEST_CASE("delete and gc work where not even a name fits into trash/", "[P8][P10]") {
  for (const int error : {ENOSPC, EDQUOT}) {
    HookEnv env;
    ScratchStore store{env};
    store.make_root("main");
    {
      auto branch = store.open("main");
      write(*branch, make_file(*branch, "f"), 0, blocks('a', 2));
      must(branch->sync_all());
    }
    must(create_branch(**store, "old", "main", {}));
    {
      auto branch = store.open("old");
      write(*branch, ino_of(*branch, "f"), 0, blocks('b', 1));
      must(branch->sync_all());
    }
    must(create_branch(**store, "gone", "old", {}));
    must(pack(**store, "gone"));
    const std::size_t deltas = must(env.list(store->deltas_dir())).size();
    const std::size_t layers = must(env.list(store->layers_dir())).size();
    env.hook = [error](const std::string& call, const std::string& path) -> Status {
      const bool takes_room = call == "write" || (call == "rename" && is_trash(path));
      return takes_room ? Status(sys_error(call + " " + path, error)) : Status{};
    };
    must(delete_branch(**store, "gone", false));
    must(delete_branch(**store, "old", false));
    must(collect_garbage(**store));
    env.hook = {};
    CHECK(must(env.list(store->deltas_dir())).size() < deltas);
    CHECK(must(env.list(store->branches_dir())).size() == 1);
    CHECK(must(env.list(store->layers_dir())).size() < layers);
    CHECK(must(env.list(store->trash_dir())).empty());
    CHECK(read(store, "main", "f") == shape(blocks('a', 2)));
    CHECK(must(verify_store(**store)).problems == 0);
  }
}

TEST_CASE("a delete in place that is killed half-way leaves no branch, and nothing that gc does not take", "[P8][P10]") {
  for (std::size_t n = 0;; ++n) {
    INFO("killed before removal " << n);
    HookEnv env;
    ScratchStore store{env};
    store.make_root("main");
    must(create_branch(**store, "old", "main", {}));
    {
      auto branch = store.open("old");
      write(*branch, make_file(*branch, "f"), 0, blocks('b', 1));
      must(branch->sync_all());
    }
    bool met = false;
    env.hook = [&met, n, seen = std::size_t{0}](const std::string& call, const std::string& path) mutable -> Status {
      if (call == "rename" && is_trash(path)) return sys_error(path, ENOSPC);
      if (call != "unlink" || seen++ < n) return {};
      met = true;
      return sys_error(path, EIO);  // and so does all that follows
    };
    ignore(delete_branch(**store, "old", false));  // as far as it came
    env.hook = {};
    if (!met) break;
    const bool is_there = store->has_branch("old");
    CHECK(is_there == (n == 0));
    if (is_there) CHECK(read(store, "old", "f") == shape(blocks('b', 1)));
    must(collect_garbage(**store));
    CHECK(must(env.list(store->branches_dir())).size() == (is_there ? 2U : 1U));
    CHECK(must(verify_store(**store)).problems == 0);
  }
}

TEST_CASE("files of a branch that is open read-only have a size on the disk") {
  ScratchStore store;
  store.make_root("main");
  {
    auto branch = store.open("main");
    write(*branch, make_file(*branch, "f"), 0, blocks('a', 2));
    must(branch->sync_all());
  }
  must(create_branch(**store, "child", "main", {}));
  must(pack(**store, "child"));
  auto branch = store.open("child", OpenMode::read_only);
  CHECK(must(branch->blocks_512(ino_of(*branch, "f"))) == 2 * kBlockSize / 512);
}

}  // namespace
}  // namespace branchfs::test
