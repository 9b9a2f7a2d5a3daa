#include "layers/io/host_ring.h"

#include <liburing.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
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

  void run(std::span<Op> ops) override {
    while (!ops.empty() && ready_) {
      const std::span<Op> part = ops.first(std::min<std::size_t>(ops.size(), kEntries));
      run_part(part);
      ops = ops.subspan(part.size());
    }
  }

 private:
  Ring() = default;

  void run_part(std::span<Op> ops) {
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
      if (n == -EINTR) continue;
      if (n <= 0) break;
      submitted += static_cast<std::size_t>(n);
    }
    collect(submitted);
    if (submitted < ops.size()) start_afresh();
  }

  // What is under way writes into its caller's memory: there is no returning before it is done.
  void collect(std::size_t count) {
    for (std::size_t done = 0; done < count;) {
      ::io_uring_cqe* entry = nullptr;
      const int n = ::io_uring_wait_cqe(&ring_, &entry);
      if (n == -EINTR || n == -EAGAIN) continue;
      if (n < 0) std::abort();
      static_cast<Op*>(::io_uring_cqe_get_data(entry))->result = entry->res;
      ::io_uring_cqe_seen(&ring_, entry);
      ++done;
    }
  }

  // What was not taken must not go out with what comes next.
  void start_afresh() {
    ::io_uring_queue_exit(&ring_);
    ready_ = ::io_uring_queue_init(kEntries, &ring_, 0) == 0;
    if (!ready_) refused.store(true);
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
