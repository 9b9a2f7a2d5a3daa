// A gate that operations pass while it is open: close() stops new ones and waits for those inside (P1).
//
// Unlike a reader-writer lock it cannot starve the closer: from the moment close() is called nobody new gets in.
// Threads: any; one closer at a time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace branchfs {

class Gate {
 public:
  void enter() {
    for (;;) {
      inside_.fetch_add(1, std::memory_order_seq_cst);
      if (!closed_.load(std::memory_order_seq_cst)) return;
      leave();
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return !closed_.load(); });
    }
  }
  void leave() {
    if (inside_.fetch_sub(1, std::memory_order_seq_cst) == 1 && closed_.load(std::memory_order_seq_cst)) {
      std::lock_guard lock(mutex_);
      changed_.notify_all();
    }
  }
  void close() {
    std::unique_lock lock(mutex_);
    closed_.store(true, std::memory_order_seq_cst);
    changed_.wait(lock, [&] { return inside_.load() == 0; });
  }
  void open() {
    std::lock_guard lock(mutex_);
    closed_.store(false, std::memory_order_seq_cst);
    changed_.notify_all();
  }

 private:
  std::atomic<std::uint64_t> inside_{0};
  std::atomic<bool> closed_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
};

class GatePass {
 public:
  explicit GatePass(Gate& gate) : gate_(gate) { gate_.enter(); }
  ~GatePass() { gate_.leave(); }
  GatePass(const GatePass&) = delete;
  GatePass& operator=(const GatePass&) = delete;

 private:
  Gate& gate_;
};

}  // namespace branchfs
