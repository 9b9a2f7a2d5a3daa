// An Env over a disk in memory, in which a test sees every call before it is made and may fail it.
//
// Owner: a test; outlives the files made from it. Threads: any; the hook is called by whoever makes the call and is set while nothing
// runs.
#pragma once

#include <functional>
#include <string>

#include "tests/fault/memory_disk.h"

namespace branchfs::test {

// Calls that change something or can fail, as a hook sees them.
struct DiskCall {
  std::string_view name;  // open, write, append, resize, allocate, sync, sync_data, rename, unlink, make_dir, remove_dir, sync_dir, read, list, map, stat
  const std::string& path;
  bool changes = false;   // what is on the disk, or what is durable
};

class MemoryEnv final : public Env {
 public:
  // An error is what the call then answers.
  using Hook = std::function<Status(const DiskCall&)>;
  Hook hook;

  // Programs of one boot have the same `boot`; each process has ids of its own.
  MemoryEnv(MemoryDisk& disk, std::uint64_t boot, std::uint64_t process)
      : disk_(disk), boot_("boot " + std::to_string(boot)), ids_(process) {}

  Result<std::unique_ptr<File>> open(const std::string& path, int flags, ::mode_t mode) override;
  Status make_dir(const std::string& path, ::mode_t mode) override;
  Status rename(const std::string& from, const std::string& to, unsigned flags) override;
  Status unlink(const std::string& path) override;
  Status remove_dir(const std::string& path) override;
  Status sync_dir(const std::string& path) override;
  Status sync_filesystem(const std::string& path) override;
  Result<std::vector<DirItem>> list(const std::string& path) override;
  Result<struct ::stat> stat(const std::string& path) override {
    BFS_TRY(tell("stat", path, false));
    return disk_.stat(path);
  }
  Result<struct ::statvfs> space(const std::string& path) override;
  struct ::timespec now() override;
  std::string boot_id() override { return boot_; }
  ObjectId new_id() override;

 private:
  class MemoryFile;
  Status tell(std::string_view name, const std::string& path, bool changes) {
    return hook ? hook({name, path, changes}) : Status{};
  }
  MemoryDisk& disk_;
  std::string boot_;
  std::mutex ids_mutex_;
  std::mt19937_64 ids_;
};

}  // namespace branchfs::test
