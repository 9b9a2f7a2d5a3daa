// A store with one branch, mounted by the real mount.branchfs, for tests that speak POSIX to it.
//
// Whatever happens to the test, nothing stays mounted: the destructor unmounts (lazily as the last resort)
// and ends the process by its pid; SIGINT, SIGTERM and SIGABRT do the same for every mount there is; and when
// the test itself is killed, the kernel sends the mount's process a SIGTERM. Threads: one.
#pragma once

#include <sys/types.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace branchfs::test {

class Mount {
 public:
  // Runs `mount.branchfs STORE POINT -o branch=NAME,foreground[,OPTIONS]` as `uid` and waits for it to
  // answer.
  Mount(const std::string& store, const std::string& point, const std::string& branch,
        const std::string& options = "", ::uid_t uid = 0);
  ~Mount();
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;

  [[nodiscard]] bool mounted() const { return mounted_; }
  [[nodiscard]] ::pid_t pid() const { return pid_; }
  // Ends the mount and returns its process's wait status, -1 when it had to be killed.
  int umount(int flags = 0);
  // Waits for the process to end by itself; -1 after `seconds`.
  int wait(int seconds = 10);
  void kill(int signal) const;

 private:
  std::string point_;
  ::pid_t pid_ = -1;
  bool mounted_ = false;
  std::size_t slot_ = 0;
};

// A temporary directory with a store, a branch "main" in it and a mount point; removed at the end.
class Place {
 public:
  explicit Place(::uid_t owner = 0);
  ~Place();
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  const std::string dir;
  const std::string store;
  const std::string point;

 private:
  bool opened_device_ = false;
};

// Both at once, for most tests.
struct Mounted {
  explicit Mounted(const std::string& options = "") : mount(place.store, place.point, "main", options) {}
  [[nodiscard]] std::string path(const std::string& name) const { return place.point + "/" + name; }
  [[nodiscard]] nlohmann::json status() const;
  Place place;
  Mount mount;
};

struct Ran {
  int code = -1;  // exit code
  std::string err;
};
// Runs a program to its end, as `uid`.
Ran run(const std::vector<std::string>& argv, ::uid_t uid = 0);
// Whether the kernel keeps writes in all mounts of this run (BRANCHFS_TEST_MOUNT_OPTIONS=writeback).
bool keeps_writes();
std::string mount_program();
// Runs `body` in a child process with the given user; true when it returned true.
bool as_user(::uid_t uid, ::gid_t gid, bool (*body)(const std::string&), const std::string& argument);

inline constexpr ::uid_t kSomebody = 4711;
inline constexpr ::uid_t kSomebodyElse = 4712;
inline constexpr ::uid_t kNobody = 65534;  // in the user database, which fusermount3 insists on

}  // namespace branchfs::test
