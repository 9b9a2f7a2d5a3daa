#include "tests/mount/mount_fixture.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include "fs/mount_table.h"
#include "layers/format/layer_writer.h"
#include "layers/io/env.h"
#include "layers/store/branches.h"
#include "layers/store/control.h"
#include "tests/catch.h"

namespace branchfs::test {
namespace {

// What a signal handler must clean up; plain arrays, because a handler may do nothing else.
constexpr std::size_t kSlots = 32;
struct Slot {
  std::atomic<::pid_t> pid{0};
  std::array<char, 256> point{};
};
std::array<Slot, kSlots> slots;

void clean_up(int signal) {
  for (Slot& slot : slots) {
    const ::pid_t pid = slot.pid.exchange(0);
    if (pid <= 0) continue;
    ::umount2(slot.point.data(), MNT_DETACH);
    ::kill(pid, SIGKILL);
  }
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

[[maybe_unused]] const bool handlers_installed = [] {
  for (const int s : {SIGINT, SIGTERM, SIGABRT, SIGSEGV}) ::signal(s, clean_up);
  return true;
}();

std::size_t take_slot(::pid_t pid, const std::string& point) {
  for (std::size_t i = 0; i < kSlots; ++i) {
    if (slots[i].pid.load() != 0) continue;
    std::strncpy(slots[i].point.data(), point.c_str(), slots[i].point.size() - 1);
    slots[i].pid.store(pid);
    return i;
  }
  FAIL("too many mounts at once");
  return 0;
}

// In a child: becomes the user, then the program. Opened before, because a checkout need not be reachable for everybody.
void exec(const std::vector<std::string>& argv, ::uid_t uid) {
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const int program = ::open(words[0], O_RDONLY | O_CLOEXEC);
  if (uid != 0 && (::setgroups(0, nullptr) != 0 || ::setgid(uid) != 0 || ::setuid(uid) != 0)) ::_exit(126);
  ::fexecve(program, words.data(), environ);
  ::_exit(127);
}

template <class Done>
bool poll_for(int seconds, Done done) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

// A layer that holds an empty top directory, as an import of an empty directory would make it.
Status make_base_layer(const Store& store, ObjectId id) {
  BFS_ASSIGN(const auto writer, LayerWriter::create(store.env(), store.layer_tmp_path(id), id, {}));
  Attr root;
  root.ino = kRootIno;
  root.mode = S_IFDIR | 0700;
  root.nlink = 2;
  root.atime = root.mtime = root.ctime = store.env().now();
  BFS_TRY(writer->add_inode(root));
  BFS_TRY(writer->finish(root.mtime.tv_sec));
  return store.env().rename(store.layer_tmp_path(id), store.layer_path(id));
}

Status make_store(const std::string& dir) {
  BFS_TRY(Store::init(posix_env(), dir));
  BFS_ASSIGN(const auto store, Store::open(posix_env(), dir));
  BFS_ASSIGN(const StoreLock lock, store->lock());
  Manifest manifest;
  manifest.origin = "test";
  manifest.stack = {store->env().new_id()};
  BFS_TRY(make_base_layer(*store, manifest.stack[0]));
  const auto root = create_root(*store, lock, "main", manifest);
  return root ? Status{} : Status{root.error()};
}

std::string make_temp_dir() {
  const char* base = std::getenv("TMPDIR");
  std::string path = std::string(base == nullptr ? "/tmp" : base) + "/branchfs-mount-XXXXXX";
  REQUIRE(::mkdtemp(path.data()) != nullptr);
  return path;
}

}  // namespace

bool keeps_writes() {
  const char* all = std::getenv("BRANCHFS_TEST_MOUNT_OPTIONS");
  return all != nullptr && std::string_view(all).find("writeback") != std::string_view::npos;
}

std::string mount_program() {
  const char* other = std::getenv("BRANCHFS_MOUNT_PROGRAM");
  return other != nullptr ? other : BRANCHFS_MOUNT_PROGRAM;
}

Mount::Mount(const std::string& store, const std::string& point, const std::string& branch,
             const std::string& options, ::uid_t uid)
    : point_(point) {
  const char* all = std::getenv("BRANCHFS_TEST_MOUNT_OPTIONS");  // of every mount of this run
  const std::vector<std::string> argv = {mount_program(), store, point, "-o",
                                         "branch=" + branch + ",foreground" + (all == nullptr ? "" : "," + std::string(all)) +
                                             (options.empty() ? "" : "," + options)};
  const int said = ::memfd_create("stderr", MFD_CLOEXEC);
  REQUIRE(said >= 0);
  pid_ = ::fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (std::getenv("BRANCHFS_TEST_VERBOSE") == nullptr) ::dup2(said, STDERR_FILENO);
    exec(argv, uid);
  }
  slot_ = take_slot(pid_, point_);
  mounted_ = poll_for(20,
                      [&] {
                        int status = 0;
                        if (::waitpid(pid_, &status, WNOHANG) == pid_) {
                          pid_ = -1;
                          slots[slot_].pid.store(0);
                          return true;
                        }
                        const auto entry = mounted_at(point_);
                        return entry.ok() && entry->has_value() && (*entry)->type == "fuse.branchfs";
                      }) &&
             pid_ > 0;
  // In the table is not yet in service: the first answer is.
  if (mounted_) {
    const auto answers = [](const std::string& path) {
      struct ::stat st {};
      return ::stat(path.c_str(), &st) == 0;
    };
    mounted_ = as_user(uid, uid, answers, point_);
  }
  if (!mounted_) {
    std::array<char, 2000> text{};
    if (::pread(said, text.data(), text.size() - 1, 0) > 0) WARN("mount.branchfs said: " << text.data());
    if (pid_ > 0) WARN("it runs, and its mount does not answer");
  }
  ::close(said);
}

Mount::~Mount() {
  if (pid_ > 0) umount();
}

int Mount::wait(int seconds) {
  if (pid_ <= 0) return -1;
  int status = -1;
  const bool ended = poll_for(seconds, [&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; });
  if (!ended) return -1;
  slots[slot_].pid.store(0);
  pid_ = -1;
  return status;
}

int Mount::umount(int flags) {
  if (pid_ <= 0) return -1;
  if (::umount2(point_.c_str(), flags) != 0) ::umount2(point_.c_str(), MNT_DETACH);
  const int status = wait();
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    wait();
    return -1;
  }
  return status;
}

void Mount::kill(int signal) const {
  if (pid_ > 0) ::kill(pid_, signal);
}

Place::Place(::uid_t owner) : dir(make_temp_dir()), store(dir + "/store"), point(dir + "/mnt") {
  REQUIRE(::mkdir(point.c_str(), 0755) == 0);
  REQUIRE(::chmod(dir.c_str(), 0755) == 0);
  const Status made = make_store(store);
  INFO((made ? "" : made.error().what));
  REQUIRE(made.ok());
  if (owner == 0) return;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
    REQUIRE(::lchown(entry.path().c_str(), owner, owner) == 0);
  }
  REQUIRE(::lchown(dir.c_str(), owner, owner) == 0);
  // What udev does on an ordinary system and a bare container does not.
  struct ::stat st {};
  if (::stat("/dev/fuse", &st) == 0 && (st.st_mode & 0777) != 0666) {
    opened_device_ = true;
    REQUIRE(::chmod("/dev/fuse", 0666) == 0);
  }
}

Place::~Place() {
  if (opened_device_) ::chmod("/dev/fuse", 0600);
  std::error_code ignored;
  const auto entry = mounted_at(point);
  if (entry.ok() && entry->has_value()) ::umount2(point.c_str(), MNT_DETACH);
  std::filesystem::remove_all(dir, ignored);
}

nlohmann::json Mounted::status() const {
  const auto answer =
      control_call(place.store + "/branches/main", {{"op", "status"}}, std::chrono::seconds(5));
  REQUIRE(answer.ok());
  return *answer;
}

Ran run(const std::vector<std::string>& argv, ::uid_t uid) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const ::pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    exec(argv, uid);
  }
  ::close(ends[1]);
  Ran ran;
  std::array<char, 4096> chunk{};
  for (::ssize_t n = 0; (n = ::read(ends[0], chunk.data(), chunk.size())) > 0;) {
    ran.err.append(chunk.data(), static_cast<std::size_t>(n));
  }
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ran;
}

bool as_user(::uid_t uid, ::gid_t gid, bool (*body)(const std::string&), const std::string& argument) {
  const ::pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    if (::setgroups(0, nullptr) != 0 || ::setgid(gid) != 0 || ::setuid(uid) != 0) ::_exit(2);
    ::_exit(body(argument) ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace branchfs::test
