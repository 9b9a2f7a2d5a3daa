#include "tools/lifecycle/operation_lock.h"

#include <fcntl.h>

#include <chrono>
#include <thread>

#include "tools/interrupt.h"

namespace branchfs {

namespace {

constexpr std::chrono::seconds kPatience{60};
constexpr std::chrono::milliseconds kPause{10};

bool same_file(const struct ::stat& a, const struct ::stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

}  // namespace

Result<OperationLock> OperationLock::acquire(const Store& store, const std::string& name) {
  using Clock = std::chrono::steady_clock;
  const std::string path = store.branch_dir(name);
  const auto deadline = Clock::now() + kPatience;
  while (true) {
    if (!store.has_branch(name)) return store.read_manifest(name).error();
    auto opened = store.env().open(path, O_RDONLY | O_DIRECTORY);
    if (!opened) {
      if (opened.error().sys == ENOENT) continue;  // deleted a moment ago; the next round says so
      return std::move(opened).error();
    }
    std::unique_ptr<File> file = *std::move(opened);
    while (true) {
      BFS_ASSIGN(const bool locked, file->try_lock(LockMode::exclusive));
      if (locked) break;
      BFS_TRY(Interrupt::check());
      if (Clock::now() > deadline) {
        return make_error(Kind::busy, "another branchfs command is working on it", "wait for it, or end it");
      }
      std::this_thread::sleep_for(kPause);
    }
    // The one before us may have deleted or renamed the branch: then this is another branch's directory, or nobody's.
    BFS_ASSIGN(const struct ::stat held, file->stat());
    auto named = store.env().stat(path);
    if (named && same_file(held, *named)) return OperationLock(name, std::move(file));
  }
}

}  // namespace branchfs
