#include "layers/io/host_ring.h"

#include <liburing.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>

namespace branchfs {
namespace {

constexpr unsigned kEntries = 64;

std::atomic<bool> refused{false};

class Ring final : public HostRing {
 public:
  static std::unique_ptr<Ring> make() {
    auto ring = std::unique_ptr<Ring>(new Ring);
    ring->ready_ = ::io_uring_queue_init(kEntries, &ring->ring_, 0) == 0;
    return ring->ready_ ? std::move(ring) : nullptr;
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() override {
    if (ready_) ::io_uring_queue_exit(&ring_);
  }

  bool run(std::span<Op> ops) override {
    while (!ops.empty()) {
      const std::span<Op> part = ops.first(std::min<std::size_t>(ops.size(), kEntries));
      if (!run_part(part)) return false;
      ops = ops.subspan(part.size());
    }
    return true;
  }

 private:
  Ring() = default;

  bool run_part(std::span<Op> ops) {
    for (Op& op : ops) {
      ::io_uring_sqe* entry = ::io_uring_get_sqe(&ring_);  // never null: a part fits, and the ring is empty between parts
      if (op.kind == Op::Kind::sync_data) {
        ::io_uring_prep_fsync(entry, op.fd, IORING_FSYNC_DATASYNC);
      } else {
        ::io_uring_prep_read(entry, op.fd, op.out.data(), static_cast<unsigned>(op.out.size()), op.offset);
      }
      ::io_uring_sqe_set_data(entry, &op);
    }
    std::size_t submitted = 0;
    while (submitted < ops.size()) {
      const int n = ::io_uring_submit(&ring_);
      if (n == -EINTR || n == -EAGAIN || n == -EBUSY) continue;
      if (n <= 0) return abandon(submitted);
      submitted += static_cast<std::size_t>(n);
    }
    return collect(ops.size());
  }

  bool collect(std::size_t count) {
    for (std::size_t done = 0; done < count;) {
      ::io_uring_cqe* entry = nullptr;
      const int n = ::io_uring_wait_cqe(&ring_, &entry);
      if (n == -EINTR) continue;
      if (n < 0) return false;
      static_cast<Op*>(::io_uring_cqe_get_data(entry))->result = entry->res;
      ::io_uring_cqe_seen(&ring_, entry);
      ++done;
    }
    return true;
  }

  // What is under way writes into its caller's memory, so it is waited for; the rest must not be submitted later.
  bool abandon(std::size_t submitted) {
    collect(submitted);
    ::io_uring_queue_exit(&ring_);
    ready_ = ::io_uring_queue_init(kEntries, &ring_, 0) == 0;
    if (!ready_) refused.store(true);
    return false;
  }

  ::io_uring ring_{};
  bool ready_ = false;
};

}  // namespace

HostRing* HostRing::of_this_thread() {
  thread_local std::unique_ptr<Ring> ring;
  if (refused.load(std::memory_order_relaxed)) return nullptr;
  if (!ring) ring = Ring::make();
  if (!ring) refused.store(true);
  return ring.get();
}

}  // namespace branchfs
