#include "tools/lifecycle/mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <vector>

#include <fmt/format.h>

#include "tools/pg/process.h"
#include "tools/pg/text.h"

namespace branchfs {

namespace {

constexpr const char* kHelper = "mount.branchfs";

std::string own_directory() {
  std::array<char, 4096> path{};
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
  if (length <= 0) return "";
  return pg::parent_of(std::string(path.data(), static_cast<std::size_t>(length)));
}

std::string encode(std::string_view name) {
  std::string out;
  for (char c : name) {
    if (c == '/') {
      out += "%2F";
    } else {
      out += c;
    }
  }
  return out;
}

std::string mount_root(const Store& store) {
  if (::geteuid() == 0) return fmt::format("/run/branchfs/mnt/{}", store.id().hex().substr(0, 8));
  return store.dir() + "/mnt";
}

// A directory that decides where servers and mounts appear must be ours: /tmp and /run may hold a trap.
Status check_own_directory(const std::string& dir) {
  struct ::stat st {};
  if (::lstat(dir.c_str(), &st) != 0) return sys_error("look at " + dir);
  if (!S_ISDIR(st.st_mode)) return make_error(Kind::refused, dir + " is not a directory");
  if (st.st_uid != ::geteuid() && st.st_uid != 0) {
    return make_error(Kind::refused, fmt::format("{} belongs to another user (uid {})", dir, st.st_uid), "remove it");
  }
  return {};
}

// What the kernel answers for a daemon that is gone; the second one to a request that was under way over io_uring.
bool means_dead(int err) { return err == ENOTCONN || err == ECONNABORTED; }

}  // namespace

bool is_dead_mount(const std::string& mountpoint) {
  // Attributes are cached without limit, and a cached answer outlives the daemon.
  struct ::statx st {};
  return ::statx(AT_FDCWD, mountpoint.c_str(), AT_STATX_FORCE_SYNC, STATX_MODE, &st) != 0 && means_dead(errno);
}

bool is_mountpoint(const std::string& dir) {
  struct ::stat here {};
  struct ::stat above {};
  if (::lstat(dir.c_str(), &here) != 0) return means_dead(errno);
  if (!S_ISDIR(here.st_mode) || ::lstat((dir + "/..").c_str(), &above) != 0) return false;
  return here.st_dev != above.st_dev;
}

Result<std::string> find_mount_helper() {
  std::vector<std::string> places;
  if (const std::string own = own_directory(); !own.empty()) {
    places.push_back(own + "/" + kHelper);
    places.push_back(own + "/../fs/" + kHelper);
    places.push_back(own + "/../sbin/" + kHelper);
  }
  places.push_back(std::string("/usr/sbin/") + kHelper);
  places.push_back(std::string("/sbin/") + kHelper);
  for (const std::string& place : places) {
    if (::access(place.c_str(), X_OK) == 0) return place;
  }
  if (std::string found = pg::find_in_path(kHelper); !found.empty() && pg::is_trusted_program(found)) return found;
  return make_error(Kind::failed, "the program mount.branchfs is not installed",
                    "put it next to branchfs, into /usr/sbin or into PATH");
}

std::string default_mountpoint(const Store& store, const std::string& name) {
  return mount_root(store) + "/" + encode(name);
}

bool is_default_mountpoint(const Store& store, const std::string& dir) {
  return !dir.empty() && pg::parent_of(dir) == mount_root(store);
}

Status make_mountpoint(const std::string& dir, bool chosen) {
  const ::mode_t mode = ::geteuid() == 0 ? 0755 : 0700;
  if (chosen) return pg::make_dirs(dir, mode);
  // Each before the next is made below it: a link here would lead anywhere.
  for (const std::string& place : {pg::parent_of(dir), dir}) {
    BFS_TRY(pg::make_dirs(place, mode));
    BFS_TRY(check_own_directory(place));
  }
  return {};
}

void remove_default_mountpoint(const Store& store, const std::string& dir) {
  if (is_default_mountpoint(store, dir)) ::rmdir(dir.c_str());  // an empty directory left is no harm
}

Status hand_over_writes(const std::string& mountpoint) {
  std::vector<std::string> directories = {mountpoint};
  while (!directories.empty()) {
    const std::string dir = std::move(directories.back());
    directories.pop_back();
    std::error_code failed;
    for (std::filesystem::directory_iterator entry(dir, failed), end; !failed && entry != end; entry.increment(failed)) {
      std::error_code gone;
      const auto type = entry->symlink_status(gone).type();
      if (type == std::filesystem::file_type::directory) directories.push_back(entry->path());
      if (type != std::filesystem::file_type::regular) continue;
      const int fd = ::open(entry->path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
      if (fd < 0 && errno == ENOENT) continue;  // removed meanwhile
      if (fd < 0 || ::close(fd) != 0) return sys_error("hand over " + entry->path().string());
    }
    if (failed && failed.value() != ENOENT) return sys_error("list " + dir, failed.value());
  }
  return {};
}

Status unmount(const std::string& mountpoint, bool lazy) {
  if (::geteuid() == 0) {
    if (::umount2(mountpoint.c_str(), UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0) return {};
    const int why = errno;
    // Somebody else was faster: its process may still be flushing.
    if (why == EINVAL && !is_mountpoint(mountpoint) && !is_dead_mount(mountpoint)) return {};
    if (why != EBUSY) return sys_error("unmount " + mountpoint, why);
  } else {
    pg::Command command;
    command.argv = {"fusermount3", lazy ? "-uz" : "-u", "--", mountpoint};
    BFS_ASSIGN(const pg::Output output, pg::run(command));
    if (output.code == 0 || (!is_mountpoint(mountpoint) && !is_dead_mount(mountpoint))) return {};
    if (output.err.find("busy") == std::string::npos) {
      return make_error(Kind::failed, pg::last_lines(output.err, 1));
    }
  }
  return make_error(Kind::busy, fmt::format("files below {} are open", mountpoint),
                    fmt::format("end what uses it; \"fuser -vm {}\" lists it", mountpoint));
}

}  // namespace branchfs
