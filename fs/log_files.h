// The files of a write-ahead log's directory, and how the next one who opens one of them should write to it.
//
// Under the kernel's writeback cache a small write that is synced at once costs more requests than past the cache (the kernel sends the
// times that it keeps, too), and the 8 KiB writes of a bulk load cost a request each past the cache and next to none in it. Commits are
// the one kind, loads the other, and both go to the same log: what was written of it between syncs of late decides. A file may be open
// both ways at once; the kernel keeps the two consistent.
//
// Owned by Operations; any thread.
#pragma once

#include <atomic>
#include <shared_mutex>
#include <unordered_set>

#include "layers/base/attr.h"

namespace branchfs {

class LogFiles {
 public:
  // Before the first request.
  void watch(Ino dir) { dir_ = dir; }
  // Told of every name that the kernel learns of.
  void saw(Ino parent, const Attr& attr);

  [[nodiscard]] bool contains(Ino ino) const;
  [[nodiscard]] bool bypasses_cache(Ino ino) const { return !in_bulk_.load(std::memory_order_relaxed) && contains(ino); }

  void wrote(Ino ino, std::size_t bytes);
  void synced(Ino ino);

 private:
  void look_back();

  Ino dir_ = kNoIno;
  mutable std::shared_mutex mutex_;
  std::unordered_set<Ino> inodes_;  // numbers are never used twice, so none is taken out
  std::atomic<std::size_t> bytes_{0};
  std::atomic<std::size_t> syncs_{0};
  std::atomic<bool> in_bulk_{false};
};

}  // namespace branchfs
