// What stat(2) knows of an inode, as the store keeps it. Plain value.
#pragma once

#include <ctime>

#include "layers/base/types.h"

namespace branchfs {

struct Attr {
  Ino ino;
  std::uint32_t mode = 0;  // S_IFMT and permission bits
  std::uint32_t uid = 0;   // as stored; a mount may show another owner
  std::uint32_t gid = 0;
  std::uint32_t nlink = 0;
  std::uint64_t rdev = 0;
  std::uint64_t size = 0;  // bytes; for a symlink the length of its target
  ::timespec atime{};
  ::timespec mtime{};
  ::timespec ctime{};
};

}  // namespace branchfs
