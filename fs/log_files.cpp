#include "fs/log_files.h"

#include <sys/stat.h>

#include <mutex>

namespace branchfs {
namespace {

// How much of the past decides: whichever comes first.
constexpr std::size_t kWindowBytes = 4U << 20U;
constexpr std::size_t kWindowSyncs = 64;
// Written from one sync to the next, on average. A commit with the full pages that follow a checkpoint writes some ten KiB, and a few
// commits share a sync.
constexpr std::size_t kBulkBytes = 256U << 10U;

}  // namespace

void LogFiles::saw(Ino parent, const Attr& attr) {
  if (dir_ == kNoIno || parent != dir_ || !S_ISREG(attr.mode)) return;
  const std::unique_lock lock(mutex_);
  inodes_.try_emplace(attr.ino, Way::undecided);
}

bool LogFiles::contains(Ino ino) const {
  if (dir_ == kNoIno) return false;
  const std::shared_lock lock(mutex_);
  return inodes_.contains(ino);
}

bool LogFiles::bypasses_cache(Ino ino) {
  if (dir_ == kNoIno) return false;
  const std::unique_lock lock(mutex_);
  const auto found = inodes_.find(ino);
  if (found == inodes_.end()) return false;
  Way& way = found->second;
  if (way == Way::undecided) way = in_bulk_.load(std::memory_order_relaxed) ? Way::through_cache : Way::past_cache;
  return way == Way::past_cache;
}

bool LogFiles::wrote(Ino ino, std::size_t bytes) {
  if (!contains(ino)) return false;
  if (bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes >= kWindowBytes) look_back();
  return true;
}

void LogFiles::synced(Ino ino) {
  if (!contains(ino)) return;
  if (syncs_.fetch_add(1, std::memory_order_relaxed) + 1 >= kWindowSyncs) look_back();
}

// Two threads may look at once; a window that is split among them changes nothing that matters.
void LogFiles::look_back() {
  const std::size_t bytes = bytes_.exchange(0, std::memory_order_relaxed);
  const std::size_t syncs = syncs_.exchange(0, std::memory_order_relaxed);
  if (bytes + syncs != 0) in_bulk_.store(bytes > syncs * kBulkBytes, std::memory_order_relaxed);
}

}  // namespace branchfs
