// An Env that passes everything on to the real one and lets a test step in: see or fail a call, or change the boot id as a power
// cut would. Threads: hooks are set while nothing runs; they are called by whoever makes the call.
#pragma once

#include <atomic>
#include <functional>
#include <optional>

#include "layers/io/env.h"

namespace branchfs::test {

class HookEnv final : public Env {
 public:
  // Called before the call is made; an error is what the call then answers.
  using Hook = std::function<Status(const std::string& call, const std::string& path)>;
  Hook hook;
  std::string boot = "boot one";
  std::atomic<std::int64_t> clock_offset = 0;  // seconds by which the clock is wrong
  bool pretend_sync = false;  // for tests that never lose power and do much

  Result<std::unique_ptr<File>> open(const std::string& path, int flags, ::mode_t mode) override {
    BFS_TRY(tell("open", path));
    BFS_ASSIGN(auto file, env_.open(path, flags, mode));
    BFS_TRY(tell("opened", path));
    return std::unique_ptr<File>(new HookFile(*this, std::move(file), path));
  }
  Status make_dir(const std::string& path, ::mode_t mode) override { return env_.make_dir(path, mode); }
  Status rename(const std::string& from, const std::string& to, unsigned flags) override {
    BFS_TRY(tell("rename", to));
    return env_.rename(from, to, flags);
  }
  Status unlink(const std::string& path) override {
    BFS_TRY(tell("unlink", path));
    return env_.unlink(path);
  }
  Status remove_dir(const std::string& path) override { return env_.remove_dir(path); }
  Status sync_dir(const std::string& path) override {
    BFS_TRY(tell("sync_dir", path));
    if (pretend_sync) return {};
    return env_.sync_dir(path);
  }
  Status sync_filesystem(const std::string& path) override { return env_.sync_filesystem(path); }
  Result<std::vector<DirItem>> list(const std::string& path) override { return env_.list(path); }
  Result<struct ::stat> stat(const std::string& path) override {
    BFS_TRY(tell("stat", path));
    return env_.stat(path);
  }
  Result<struct ::statvfs> space(const std::string& path) override { return env_.space(path); }
  struct ::timespec now() override {
    struct ::timespec t = env_.now();
    t.tv_sec += clock_offset.load();
    return t;
  }
  std::string boot_id() override { return boot; }
  ObjectId new_id() override { return env_.new_id(); }

 private:
  class HookFile final : public File {
   public:
    HookFile(HookEnv& env, std::unique_ptr<File> file, std::string path)
        : env_(env), file_(std::move(file)), path_(std::move(path)) {}
    Result<std::size_t> read_at(std::span<std::byte> out, std::uint64_t at) override { return file_->read_at(out, at); }
    Status write_at(std::span<const std::byte> data, std::uint64_t at) override {
      BFS_TRY(env_.tell("write", path_));
      return file_->write_at(data, at);
    }
    Status append(std::span<const std::byte> data) override { return file_->append(data); }
    Status sync_data() override {
      BFS_TRY(env_.tell("sync", path_));
      return env_.pretend_sync ? Status{} : file_->sync_data();
    }
    Status sync() override {
      BFS_TRY(env_.tell("sync", path_));
      return env_.pretend_sync ? Status{} : file_->sync();
    }
    Status truncate(std::uint64_t size) override {
      BFS_TRY(env_.tell("truncate", path_));
      return file_->truncate(size);
    }
    Status allocate(int mode, std::uint64_t at, std::uint64_t length) override {
      BFS_TRY(env_.tell("allocate", path_));
      return file_->allocate(mode, at, length);
    }
    Result<struct ::stat> stat() override { return file_->stat(); }
    Status set_times(const struct ::timespec times[2]) override { return file_->set_times(times); }
    Result<std::uint64_t> seek(std::uint64_t at, int whence) override { return file_->seek(at, whence); }
    Result<std::size_t> copy_to(File& to, std::uint64_t from, std::uint64_t at, std::size_t length) override {
      return file_->copy_to(to, from, at, length);
    }
    Result<Mapping> map(std::uint64_t at, std::size_t length) override { return file_->map(at, length); }
    Result<bool> try_lock(LockMode mode) override { return file_->try_lock(mode); }
    Status lock(LockMode mode) override { return file_->lock(mode); }
    void start_writeback(std::uint64_t at, std::uint64_t length) override { file_->start_writeback(at, length); }
    [[nodiscard]] int fd() const override { return file_->fd(); }

   private:
    HookEnv& env_;
    std::unique_ptr<File> file_;
    std::string path_;
  };

  Status tell(const std::string& call, const std::string& path) { return hook ? hook(call, path) : Status{}; }

  Env& env_ = posix_env();
};

}  // namespace branchfs::test
