// Threads for requests that wait for a disk, when the ones that receive requests must not.
//
// FUSE over io_uring has one receiving thread per core, and what it does holds up every request of that core. Reads, syncs and what
// changes much at once are therefore handed over to these threads, which also reply. Owner: Operations. Threads: submit() from any;
// made when there is work for them, at most `kMaxThreads`, never ended before the pool is. No order among jobs.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace branchfs {

class RequestPool {
 public:
  using Job = std::function<void()>;

  RequestPool() = default;
  ~RequestPool() { finish(); }
  RequestPool(const RequestPool&) = delete;
  RequestPool& operator=(const RequestPool&) = delete;

  void submit(Job job);
  // Returns when all that was submitted is done. What still comes is done by who brings it.
  void finish();

 private:
  static constexpr std::size_t kMaxThreads = 32;
  void serve();

  std::mutex mutex_;
  std::condition_variable wakes_;
  std::deque<Job> jobs_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace branchfs
