#include "fs/request_pool.h"

#include <spdlog/spdlog.h>

#include <system_error>
#include <utility>

namespace branchfs {

void RequestPool::finish() {
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    threads.swap(threads_);
  }
  wakes_.notify_all();
  for (std::thread& thread : threads) thread.join();
}

void RequestPool::submit(Job job) {
  std::unique_lock lock(mutex_);
  if (stopping_) {
    lock.unlock();
    job();
    return;
  }
  jobs_.push_back(std::move(job));
  if (jobs_.size() > idle_ && threads_.size() < kMaxThreads) {
    try {
      threads_.emplace_back([this] { serve(); });
    } catch (const std::system_error& error) {
      spdlog::warn("no further thread for requests: {}", error.what());
      if (threads_.empty()) {  // nobody else would ever answer
        job = std::move(jobs_.back());
        jobs_.pop_back();
        lock.unlock();
        job();
        return;
      }
    }
  }
  lock.unlock();
  wakes_.notify_one();
}

void RequestPool::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    wakes_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
    --idle_;
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;
    lock.lock();
  }
}

}  // namespace branchfs
