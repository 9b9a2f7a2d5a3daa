#include "tools/import/scratch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "tools/text.h"

namespace branchfs {
namespace {

constexpr std::uint64_t kReserve = 16ULL << 20U;  // one WAL segment for whoever runs on a branch
constexpr std::uint64_t kBetweenLooks = 32ULL << 20U;
// Databases compress to a half or a third with LZ4, rarely below an eighth.
constexpr std::uint64_t kBestRatio = 8;

constexpr const char* kSpaceHint =
    "free some space, run `branchfs gc`, or use a store on a larger filesystem";

Result<std::uint64_t> available(const Store& store) {
  BFS_ASSIGN(const struct ::statvfs space, store.env().space(store.dir()));
  return static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize;
}

constexpr const char* kScratchPrefix = "branchfs-import.";

// The locked directory; -1 when somebody else holds the lock or it is not there any more.
int lock_directory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return -1;
  struct ::stat held {};
  struct ::stat named {};
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0 && ::fstat(fd, &held) == 0 && ::lstat(path.c_str(), &named) == 0 &&
      held.st_ino == named.st_ino && held.st_dev == named.st_dev) {
    return fd;
  }
  ::close(fd);
  return -1;
}

// With the rights of the user who ran initdb: the directory lies where others may play tricks.
void remove_abandoned(const std::string& base, const pg::Identity& owner) {
  const pg::ActAs rights(owner);
  const auto items = posix_env().list(base);
  if (!items) return;
  for (const DirItem& item : *items) {
    if (!item.name.starts_with(kScratchPrefix)) continue;
    const std::string path = base + "/" + item.name;
    struct ::stat st {};
    if (::lstat(path.c_str(), &st) != 0 || st.st_uid != owner.uid) continue;
    const int lock = lock_directory(path);
    if (lock < 0) continue;
    ignore(posix_env().remove_tree(path));  // a leftover harms nobody; the next import tries again
    ::close(lock);
  }
}

}  // namespace

Result<ScratchDir> ScratchDir::create(const pg::Identity& owner) {
  const char* variable = std::getenv("TMPDIR");
  const std::string base = variable != nullptr && *variable == '/' ? variable : "/var/tmp";
  remove_abandoned(base, owner);
  while (true) {
    std::string path = base + "/" + kScratchPrefix + "XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) return sys_error("make a temporary directory " + path);
    const int lock = lock_directory(path);
    if (lock < 0) continue;  // another import has just taken it for abandoned
    ScratchDir dir(path, lock);
    // Through the descriptor, and only what we made: others may exchange the name where TMPDIR is theirs.
    struct ::stat st {};
    if (::fstat(lock, &st) != 0 || st.st_uid != ::geteuid()) {
      return make_error(Kind::refused, path + " was exchanged by somebody else", "set TMPDIR to a directory of your own");
    }
    if (::geteuid() == 0 && ::fchown(lock, owner.uid, owner.gid) != 0) {
      return sys_error("give " + path + " to its user");
    }
    return dir;
  }
}

ScratchDir::~ScratchDir() {
  if (path_.empty()) return;
  ignore(posix_env().remove_tree(path_));  // what stays, the next import removes
  ::close(lock_);
}

Status SpaceWatch::check_before(std::uint64_t bytes) const {
  BFS_ASSIGN(const std::uint64_t free_bytes, available(store_));
  BFS_ASSIGN(const auto layers, store_.env().list(store_.layers_dir()));
  const std::uint64_t needed = (layers.empty() ? bytes / kBestRatio : 0) + kReserve;
  if (free_bytes >= needed) return {};
  return Error{Kind::failed, ENOSPC,
               fmt::format("{} of data will not fit: {} has {} free", format_bytes(bytes), store_.dir(),
                           format_bytes(free_bytes)),
               kSpaceHint};
}

Status SpaceWatch::check_during(std::uint64_t done) {
  if (done < next_) return {};
  next_ = done + kBetweenLooks;
  BFS_ASSIGN(const std::uint64_t free_bytes, available(store_));
  if (free_bytes >= kReserve) return {};
  return Error{Kind::failed, ENOSPC,
               fmt::format("no space left in {} after {}", store_.dir(), format_bytes(done)), kSpaceHint};
}

}  // namespace branchfs
