#include "tools/mask/engine/workers.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "tools/interrupt.h"

namespace branchfs::mask {
namespace {

struct Shared {
  std::mutex mutex;
  std::condition_variable ended;
  std::size_t running = 0;
  std::optional<Error> error;
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};

  void fail(Error problem) {
    const std::scoped_lock lock(mutex);
    if (!error) error = std::move(problem);
    failed = true;
  }
};

void work(Shared& shared, std::size_t count, const Connect& connect, const Job& job) {
  auto session = connect();
  if (!session) {
    shared.fail(std::move(session).error());
  } else {
    for (std::size_t number = shared.next++; number < count && !shared.failed; number = shared.next++) {
      auto done = job(*session, number);
      if (!done) shared.fail(std::move(done).error());
    }
  }
  const std::scoped_lock lock(shared.mutex);
  --shared.running;
  shared.ended.notify_one();
}

}  // namespace

Status run_jobs(std::size_t count, std::size_t threads, const Connect& connect, const std::function<void()>& interrupt,
                const Job& job) {
  if (count == 0) return Interrupt::check();
  Shared shared;
  shared.running = std::clamp<std::size_t>(threads, 1, count);
  std::vector<std::thread> pool;
  const std::size_t started = shared.running;
  for (std::size_t i = 0; i < started; ++i) pool.emplace_back([&] { work(shared, count, connect, job); });
  bool interrupted = false;
  {
    std::unique_lock lock(shared.mutex);
    while (shared.running > 0) {
      shared.ended.wait_for(lock, std::chrono::milliseconds(50));
      if (interrupted || !Interrupt::requested()) continue;
      interrupted = true;
      shared.failed = true;
      lock.unlock();
      interrupt();
      lock.lock();
    }
  }
  for (std::thread& thread : pool) thread.join();
  if (interrupted) BFS_TRY(Interrupt::check());
  if (shared.error) return *std::move(shared.error);
  return {};
}

}  // namespace branchfs::mask
