// What the threads of a scan found, and whether they should go on.
//
// Owner: scan_branch(). Threads: all of the scan's.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>

#include "tools/mask/proof/proof.h"

namespace branchfs::mask {

class Findings {
 public:
  Findings(const WitnessSet& witnesses, const ScanOptions& options) : witnesses_(witnesses), options_(options) {}

  // Looks for witnesses in bytes of their own (a name, a decompressed value): each is a hit at `offset` of the file.
  void scan_value(std::span<const std::byte> bytes, const std::string& path, std::uint64_t offset, Place place);
  void add(const WitnessSet::Hit& hit, const std::string& path, std::uint64_t offset, Place place);
  void count_bytes(std::uint64_t bytes);
  void count_read(std::uint64_t bytes) { bytes_read_ += bytes; }
  void count_compressed(std::uint64_t values) { compressed_ += values; }
  void fail(Error error);
  // Enough hits, an error or a wish of the caller's.
  [[nodiscard]] bool stopped() const { return stopped_.load(std::memory_order_relaxed); }
  [[nodiscard]] const WitnessSet& witnesses() const { return witnesses_; }
  // After all threads have ended.
  Result<ScanResult> take(std::uint64_t files);

 private:
  const WitnessSet& witnesses_;
  const ScanOptions& options_;
  std::atomic<bool> stopped_{false};
  std::atomic<std::uint64_t> bytes_read_{0};
  std::atomic<std::uint64_t> compressed_{0};
  std::mutex mutex_;  // what follows, and the caller's functions
  std::uint64_t bytes_ = 0;
  std::vector<ScanHit> hits_;
  std::optional<Error> error_;
};

}  // namespace branchfs::mask
