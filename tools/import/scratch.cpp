#include "tools/import/scratch.h"

#include <fmt/format.h>
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

}  // namespace

Result<ScratchDir> ScratchDir::create(const pg::Identity& owner) {
  const char* base = std::getenv("TMPDIR");
  std::string path =
      fmt::format("{}/branchfs-import.XXXXXX", base != nullptr && *base == '/' ? base : "/var/tmp");
  if (::mkdtemp(path.data()) == nullptr) return sys_error("make a temporary directory " + path);
  ScratchDir dir(path);
  if (::geteuid() == 0 && ::chown(path.c_str(), owner.uid, owner.gid) != 0) {
    return sys_error("give " + path + " to its user");
  }
  return dir;
}

ScratchDir::~ScratchDir() {
  // A leftover in the temporary directory harms nobody, and there is no one left to tell.
  if (!path_.empty()) ignore(posix_env().remove_tree(path_));
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
