// Few descriptors, and a clock that jumps: neither loses anything (P2, P8).
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fmt/format.h>

#include "tests/unit/branch/support.h"

namespace branchfs::test {
namespace {

// The process may open `more` descriptors than it has now; until this goes.
class FewDescriptors {
 public:
  explicit FewDescriptors(int more) {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    // Numbers below the highest may be free: they are taken, so that the limit means what it says.
    const int first = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (taken_ = {first}; taken_.back() < highest();) taken_.push_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    ::rlimit few = before_;
    few.rlim_cur = static_cast<::rlim_t>(highest() + 1 + more);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  }
  ~FewDescriptors() {
    ::setrlimit(RLIMIT_NOFILE, &before_);
    for (const int fd : taken_) ::close(fd);
  }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  static int highest() {
    int most = 0;
    ::DIR* dir = ::opendir("/proc/self/fd");
    const int own = ::dirfd(dir);
    while (const ::dirent* entry = ::readdir(dir)) {
      const int fd = std::atoi(entry->d_name);
      if (fd != own) most = std::max(most, fd);
    }
    ::closedir(dir);
    return most;
  }
  ::rlimit before_{};
  std::vector<int> taken_;
};

std::string bytes_of(int file) { return std::string(20000, static_cast<char>('a' + file % 26)); }

TEST_CASE("a branch with more files than the process has descriptors", "[P2][P8]") {
  constexpr int kFiles = 150;
  ScratchStore store;
  store.make_root("main");
  auto branch = store.open("main");
  std::vector<Ino> files;
  for (int i = 0; i < kFiles; ++i) {
    files.push_back(make_file(*branch, fmt::format("f{}", i)));
    write(*branch, files.back(), 0, "first");
  }
  {
    const FewDescriptors few(6);  // fewer than are kept open for data files
    for (int i = 0; i < kFiles; ++i) write(*branch, files[i], 0, bytes_of(i));
    for (int i = 0; i < kFiles; i += 3) must(branch->sync(files[i], i % 2 == 0));
    for (int i = 0; i < kFiles; ++i) CHECK((must(try_read(*branch, files[i])) == bytes_of(i)));
    must(branch->sync_all());
    store.fork_live(*branch, "main", "child");
    for (int i = 0; i < kFiles; i += 2) write(*branch, files[i], 30000, "more");
    must(branch->sync_all());
    CHECK_FALSE(branch->read_only());
  }
  {
    const FewDescriptors none(0);
    // A file whose data file is open, and one that would have to be opened.
    const auto read = try_read(*branch, files[1]);
    if (!read) CHECK(read.error().to_errno() == EMFILE);
    const auto made = branch->create({kRootIno, "new", S_IFREG | 0600, 0, 0, 0, {}});
    if (made) {
      const Status written = branch->write(made->ino, 0, std::as_bytes(std::span("x", 1)));
      CHECK((written || written.error().to_errno() == EMFILE));
    }
  }
  CHECK_FALSE(branch->read_only());
  branch.reset();
  for (const char* name : {"main", "child"}) {
    auto again = store.open(name, OpenMode::read_only);
    for (int i = 0; i < kFiles; ++i) {
      std::string want = bytes_of(i);
      if (name == std::string("main") && i % 2 == 0) {
        want.resize(30000);
        want += "more";
      }
      CHECK((must(try_read(*again, ino_of(*again, fmt::format("f{}", i)))) == want));
    }
  }
  CHECK(must(verify_store(**store)).problems == 0);
}

TEST_CASE("verify does not take a want of descriptors for damage, gc not for freedom", "[P10]") {
  ScratchStore store;
  store.make_root("main");
  {
    auto branch = store.open("main");
    for (int i = 0; i < 5; ++i) {
      write(*branch, make_file(*branch, fmt::format("f{}", i)), 0, bytes_of(i));
      store.fork_live(*branch, "main", fmt::format("child{}", i));
    }
  }
  must(pack(**store, "child2"));
  for (int more = 0; more < 14; ++more) {
    INFO(more << " more descriptors");
    store.reopen();  // nothing is open yet
    const FewDescriptors few(more);
    const auto report = verify_store(**store);
    if (report) {
      CHECK(report->problems == 0);
    } else {
      CHECK(report.error().sys == EMFILE);
    }
    const auto collected = collect_garbage(**store);
    if (collected) CHECK((collected->layers == 0 && collected->deltas <= 5));  // those that child2's layers replace
  }
  CHECK(must(verify_store(**store)).problems == 0);
  for (int i = 0; i < 5; ++i) CHECK(read(store, fmt::format("child{}", i), fmt::format("f{}", i)) == shape(bytes_of(i)));
}

TEST_CASE("a clock that jumps back and forth changes times, and nothing else", "[P1][P2]") {
  constexpr std::int64_t kYear = 365 * 86400;
  HookEnv env;
  ScratchStore store(env);
  store.make_root("main");
  const std::int64_t now = env.now().tv_sec;
  std::vector<std::pair<std::string, std::int64_t>> expected;
  std::int64_t step = 0;
  for (const std::int64_t offset : {std::int64_t{0}, 20 * kYear, -20 * kYear, -now - 1000, std::int64_t{-1}, 5 * kYear}) {
    INFO("the clock is wrong by " << offset << " s");
    env.clock_offset = offset;
    auto branch = store.open("main", OpenMode::read_write, 1);
    const std::string name = fmt::format("f{}", step);
    const Ino ino = make_file(*branch, name);
    write(*branch, ino, 0, blocks('a', 2));
    must(branch->sync(ino, false));
    CHECK(std::abs(must(branch->getattr(ino)).mtime.tv_sec - (now + offset)) < 60);
    env.clock_offset = -offset;  // while it is open
    write(*branch, ino, kBlockSize, blocks('b', 1));
    const Ino dir = make_file(*branch, fmt::format("d{}", step), S_IFDIR | 0755);
    must(branch->sync_dir(dir));
    CHECK(std::abs(must(branch->getattr(dir)).mtime.tv_sec - (now - offset)) < 60);
    const std::string child = fmt::format("child{}", step);
    store.fork_live(*branch, "main", child);
    write(*branch, ino, 0, blocks('c', 1));
    branch.reset();
    expected.emplace_back(child, step);
    if (step % 2 == 1) must(pack(**store, ""));
    if (step == 4) must(compact(**store, "child1"));
    must(collect_garbage(**store));
    ++step;
  }
  for (const auto& [child, last] : expected) {
    CHECK(read(store, child, fmt::format("f{}", last)) == shape(blocks('a', 1) + blocks('b', 1)));
    for (std::int64_t i = 0; i < last; ++i) CHECK(read(store, child, fmt::format("f{}", i)) == shape(blocks('c', 1) + blocks('b', 1)));
    auto branch = store.open(child, OpenMode::read_only);
    CHECK(must(branch->list(kRootIno)).size() == static_cast<std::size_t>(2 * (last + 1)));
  }
  CHECK(must(verify_store(**store)).problems == 0);
}

// A look that fails is no answer: whoever takes it for a no replaces what is there.
TEST_CASE("a name that the host cannot look up is not free", "[P4][P8]") {
  HookEnv env;
  ScratchStore store{env};
  store.make_root("main");
  {
    auto branch = store.open("main");
    write(*branch, make_file(*branch, "mine"), 0, "kept");
    must(branch->sync_all());
  }
  must(create_branch(**store, "child", "main", {}));
  int failed = 0;
  for (int n = 0;; ++n) {
    int looks = 0;
    env.hook = [&](const std::string& call, const std::string& path) -> Status {
      const bool fails = call == "stat" && path.find("/branches/main") != std::string::npos && looks++ == n;
      return fails ? sys_error(call + " " + path, ENFILE) : Status{};
    };
    const auto made = create_branch(**store, "main", "child", {});
    const Status renamed = rename_branch(**store, "child", "main");
    env.hook = {};
    CHECK_FALSE(made);
    CHECK_FALSE(renamed);
    if (looks <= n) break;
    ++failed;
  }
  CHECK(failed > 0);
  CHECK(read(store, "main", "mine") == "1×k 1×e 1×p 1×t ");
  CHECK(read(store, "child", "mine") == "1×k 1×e 1×p 1×t ");
}

// A filesystem that never writes in place needs room even to make a file shorter, not to remove one.
TEST_CASE("where marking a change takes room, the mark is a file that is gone", "[P8][P10]") {
  HookEnv env;
  ScratchStore store{env};
  store.make_root("main");
  must(create_branch(**store, "child", "main", {}));
  const auto is_full = [&](const std::string& call, const std::string& path) -> Status {
    const bool takes_room = call == "truncate" || call == "write" || call == "rename" || (call == "open" && path.ends_with("/settled"));
    return takes_room ? sys_error(call + " " + path, EDQUOT) : Status{};
  };
  // Until the directory is synced, the store says so to whoever comes after this process.
  bool is_marked = false;
  env.hook = [&](const std::string& call, const std::string& path) -> Status {
    if (call == "sync_dir" && path == store->branches_dir()) is_marked = !posix_env().exists(store->dir() + "/settled");
    return is_full(call, path);
  };
  must(delete_branch(**store, "child"));
  CHECK(is_marked);
  CHECK_FALSE(store->has_branch("child"));
  env.hook = {};
  must(create_branch(**store, "child", "main", {}));
  CHECK(env.exists(store->dir() + "/settled"));
}

}  // namespace
}  // namespace branchfs::test
