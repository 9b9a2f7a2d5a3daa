// io_uring towards the host's files, for what is faster when the kernel gets it in one piece: the syncs of many files (they share the
// host filesystem's journal commits and the disk's flushes), and reads that are scattered.
//
// Not for single calls: the kernel hands every fsync to a worker thread, so that one write linked to one sync costs more than the two
// system calls (tests/bench/engine.cpp measures all three). Containers often forbid io_uring; posix_env() then does the same with plain
// calls, and so do callers that find no ring. One ring per thread, made when it is first needed. Errors: -errno in Op::result.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>

namespace branchfs {

class HostRing {
 public:
  static constexpr int kNeverRan = -ECANCELED;
  struct Op {
    enum class Kind : std::uint8_t { sync_data, read };
    Kind kind = Kind::sync_data;
    int fd = -1;
    std::span<std::byte> out{};  // read
    std::uint64_t offset = 0;    // read
    int result = kNeverRan;      // as the system call's, errors as -errno
  };

  // The calling thread's; null when the kernel refuses (once refused, it is not asked again).
  static HostRing* of_this_thread();
  // Runs all and waits for all that ran; what the ring would not take is left as kNeverRan.
  virtual void run(std::span<Op> ops) = 0;
  virtual ~HostRing() = default;
};

}  // namespace branchfs
