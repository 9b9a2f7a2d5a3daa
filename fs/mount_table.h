// What is mounted where (/proc/self/mountinfo), and taking a mount of ours away again. Internal to fs/.
//
// Reading the table never touches the mounted filesystems, so it works while one of them does not answer.
// Threads: functions are independent of each other.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "layers/base/result.h"

namespace branchfs {

struct MountEntry {
  std::string device;  // "MAJOR:MINOR" of the superblock
  std::string point;
  std::string type;    // "fuse.branchfs"
  std::string source;  // "STORE:BRANCH"
};

std::vector<MountEntry> parse_mount_table(std::string_view mountinfo);
// The mount that a path walk to `point` (canonical) ends in, when something is mounted exactly there.
Result<std::optional<MountEntry>> mounted_at(const std::string& point);

// Takes the mount of superblock `device` away from `point` at once, even if it is in use (those who use it
// keep it until they are done). Nothing to do when it is not there any more; busy when something else was
// mounted on top.
Status detach_mount(const std::string& point, const std::string& device);

// Where fusermount3 is, or empty.
std::string find_fusermount();

}  // namespace branchfs
