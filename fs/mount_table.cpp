#include "fs/mount_table.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

extern char** environ;

namespace branchfs {
namespace {

// The kernel writes space, tab, newline and backslash as \ooo.
std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](std::size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '7'; };
    if (text[i] == '\\' && digit(i + 1) && digit(i + 2) && digit(i + 3)) {
      out.push_back(
          static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0')));
      i += 3;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

Status run_fusermount(const std::string& point) {
  const std::string program = find_fusermount();
  if (program.empty()) return make_error(Kind::failed, "fusermount3 is not installed");
  std::array<std::string, 6> words = {"fusermount3", "-u", "-z", "-q", "--", point};
  std::array<char*, 7> argv{};
  for (std::size_t i = 0; i < words.size(); ++i) argv[i] = words[i].data();
  ::posix_spawnattr_t attr;
  ::posix_spawnattr_init(&attr);
  ::sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attr, &none);  // ours blocks the signals we wait for
  ::posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
  ::pid_t pid = -1;
  const int err = ::posix_spawn(&pid, program.c_str(), nullptr, &attr, argv.data(), environ);
  ::posix_spawnattr_destroy(&attr);
  if (err != 0) return sys_error("run " + program, err);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return sys_error("wait for fusermount3");
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return make_error(Kind::failed, "fusermount3 -u -z failed");
  return {};
}

}  // namespace

std::vector<MountEntry> parse_mount_table(std::string_view mountinfo) {
  std::vector<MountEntry> out;
  std::istringstream lines{std::string(mountinfo)};
  for (std::string line; std::getline(lines, line);) {
    // id parent major:minor root point options [tags…] - type source superoptions
    std::istringstream words(line);
    MountEntry entry;
    std::string skip;
    std::string point;
    words >> skip >> skip >> entry.device >> skip >> point >> skip;
    for (skip.clear(); words >> skip && skip != "-";) {
    }
    std::string source;
    if (!(words >> entry.type >> source)) continue;
    entry.point = unescape(point);
    entry.source = unescape(source);
    out.push_back(std::move(entry));
  }
  return out;
}

Result<std::optional<MountEntry>> mounted_at(const std::string& point) {
  std::ifstream in("/proc/self/mountinfo", std::ios::binary);
  if (!in) return sys_error("read /proc/self/mountinfo");
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  std::optional<MountEntry> found;
  // The table lists a mount after the one it covers.
  for (auto& entry : parse_mount_table(text)) {
    if (entry.point == point) found = std::move(entry);
  }
  return found;
}

Status detach_mount(const std::string& point, const std::string& device) {
  BFS_ASSIGN(const auto entry, mounted_at(point));
  if (!entry) return {};
  if (entry->device != device) {
    return make_error(Kind::busy, "something else is mounted on top of " + point, "unmount that first");
  }
  if (::umount2(point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) return {};
  const int err = errno;
  if (err != EPERM) return sys_error("unmount " + point, err);
  return run_fusermount(point);
}

std::string find_fusermount() {
  // The paths libfuse itself tries; then, for an ordinary user only, the user's own PATH.
  for (const char* path : {"/usr/bin/fusermount3", "/bin/fusermount3"}) {
    if (::access(path, X_OK) == 0) return path;
  }
  const char* path = ::geteuid() == 0 ? nullptr : ::getenv("PATH");
  std::istringstream dirs(path == nullptr ? "" : path);
  for (std::string dir; std::getline(dirs, dir, ':');) {
    std::string candidate = dir + "/fusermount3";
    if (dir.starts_with('/') && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

}  // namespace branchfs
