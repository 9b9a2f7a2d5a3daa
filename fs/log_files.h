// The files of a write-ahead log's directory, and how the next one who opens one of them should write to it.
//
// Under the kernel's writeback cache a small write that is synced at once costs more requests than past the cache (the kernel sends the
// times that it keeps, too), and the 8 KiB writes of a bulk load cost a request each past the cache and next to none in it. Commits are
// the one kind, loads the other, and both go to the same log: how much was written of it between syncs of late decides when a file is
// opened first. It then stays so for the file: kernels differ in how well they keep the two ways on one inode consistent. A branch's log
// does not recycle its files, so that each new one, 16 MiB by default, is a new decision.
//
// Owned by Operations; any thread.
#pragma once

#include <atomic>
#include <shared_mutex>
#include <unordered_map>

#include "layers/base/attr.h"

namespace branchfs {

class LogFiles {
 public:
  // Before the first request.
  void watch(Ino dir) { dir_ = dir; }
  // Told of every name that the kernel learns of.
  void saw(Ino parent, const Attr& attr);

  [[nodiscard]] bool contains(Ino ino) const;
  // For who opens it; false for what is not the log's.
  [[nodiscard]] bool bypasses_cache(Ino ino);

  // Whether it is one of the log's.
  bool wrote(Ino ino, std::size_t bytes);
  void synced(Ino ino);

 private:
  void look_back();

  Ino dir_ = kNoIno;
  mutable std::shared_mutex mutex_;
  enum class Way : std::uint8_t { undecided, past_cache, through_cache };
  std::unordered_map<Ino, Way> inodes_;  // numbers are never used twice, so none is taken out
  std::atomic<std::size_t> bytes_{0};
  std::atomic<std::size_t> syncs_{0};
  std::atomic<bool> in_bulk_{false};
};

}  // namespace branchfs
