// What an import needs around the copy itself: a temporary directory that goes away, and a watch on free
// space.
//
// Scratch directories live in $TMPDIR (or /var/tmp), mode 0700, locked (flock) as long as they are used, and are removed
// by the destructor; what a killed import left there, the next one removes. SpaceWatch is asked from the copying thread.
// Errors: failed (ENOSPC with what to do).
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "layers/base/result.h"
#include "layers/store/store.h"
#include "tools/pg/identity.h"

namespace branchfs {

class ScratchDir {
 public:
  // Owned by `owner` when the caller is root.
  static Result<ScratchDir> create(const pg::Identity& owner);
  ScratchDir(ScratchDir&& other) noexcept
      : path_(std::exchange(other.path_, {})), lock_(std::exchange(other.lock_, -1)) {}
  ScratchDir& operator=(ScratchDir&&) = delete;
  ~ScratchDir();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  ScratchDir(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::string path_;
  int lock_;
};

// Keeps an import from taking the last free space, which other branches may need to go on.
class SpaceWatch {
 public:
  explicit SpaceWatch(const Store& store) : store_(store) {}
  // Before the copy: refuses what cannot end well. `bytes` is the uncompressed size; a store that
  // already has layers may share nearly all of it, so there only the reserve is asked for.
  Status check_before(std::uint64_t bytes) const;
  // During the copy; looks at the filesystem once per 32 MiB of progress.
  Status check_during(std::uint64_t done);

 private:
  const Store& store_;
  std::uint64_t next_ = 0;
};

}  // namespace branchfs
