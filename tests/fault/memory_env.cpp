#include "tests/fault/memory_env.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <thread>

namespace branchfs::test {

class MemoryEnv::MemoryFile final : public File {
 public:
  MemoryFile(MemoryEnv& env, Inode node, std::string path) : env_(env), disk_(env.disk_), node_(node), path_(std::move(path)) {}
  ~MemoryFile() override { disk_.unlock(node_, this); }

  Result<std::size_t> read_at(std::span<std::byte> out, std::uint64_t offset) override {
    BFS_TRY(env_.tell("read", path_, false));
    return disk_.read(node_, out, offset);
  }
  Status write_at(std::span<const std::byte> data, std::uint64_t offset) override {
    BFS_TRY(env_.tell("write", path_, true));
    return disk_.write(node_, data, offset);
  }
  Status append(std::span<const std::byte> data) override {
    BFS_TRY(env_.tell("append", path_, true));
    return disk_.append(node_, data);
  }
  Status sync_data() override {
    BFS_TRY(env_.tell("sync_data", path_, true));
    return disk_.sync(node_);
  }
  Status sync() override {
    BFS_TRY(env_.tell("sync", path_, true));
    return disk_.sync(node_);
  }
  Status truncate(std::uint64_t size) override {
    BFS_TRY(env_.tell("resize", path_, true));
    return disk_.resize(node_, size);
  }
  Status allocate(int mode, std::uint64_t offset, std::uint64_t length) override {
    BFS_TRY(env_.tell("allocate", path_, true));
    return disk_.allocate(node_, mode, offset, length);
  }
  Result<struct ::stat> stat() override { return disk_.stat(node_); }
  Status set_times(const struct ::timespec times[2]) override {
    disk_.set_times(node_, times);
    return {};
  }
  Result<std::uint64_t> seek(std::uint64_t offset, int whence) override {
    const auto size = static_cast<std::uint64_t>(disk_.stat(node_).st_size);
    if (offset >= size) return sys_error("seek in " + path_, ENXIO);
    return whence == SEEK_DATA ? offset : size;
  }
  Result<std::size_t> copy_to(File& to, std::uint64_t from_offset, std::uint64_t to_offset, std::size_t length) override {
    std::vector<std::byte> bytes(length);
    BFS_ASSIGN(const std::size_t got, read_at(bytes, from_offset));
    BFS_TRY(to.write_at(std::span(bytes).first(got), to_offset));
    return got;
  }
  // A copy: what is mapped in a store does not change any more.
  Result<Mapping> map(std::uint64_t offset, std::size_t length) override {
    BFS_TRY(env_.tell("map", path_, false));
    if (length == 0) return Mapping{};
    void* at = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return sys_error("map " + path_);
    const std::string bytes = disk_.bytes(node_);
    if (offset < bytes.size()) std::memcpy(at, bytes.data() + offset, std::min<std::size_t>(length, bytes.size() - offset));
    return Mapping{static_cast<const std::byte*>(at), length};
  }
  Result<bool> try_lock(LockMode mode) override { return disk_.try_lock(node_, this, mode); }
  Status lock(LockMode mode) override {
    while (!disk_.try_lock(node_, this, mode)) std::this_thread::yield();
    return {};
  }
  void start_writeback(std::uint64_t, std::uint64_t) override {}
  [[nodiscard]] int fd() const override { return -1; }

 private:
  MemoryEnv& env_;
  MemoryDisk& disk_;
  Inode node_;
  std::string path_;
};

Result<std::unique_ptr<File>> MemoryEnv::open(const std::string& path, int flags, ::mode_t mode) {
  const bool may_make = (flags & (O_CREAT | O_TRUNC)) != 0;
  BFS_TRY(tell("open", path, may_make && (!disk_.stat(path) || (flags & O_TRUNC) != 0)));
  BFS_ASSIGN(const Inode node, disk_.open(path, flags, mode));
  return std::unique_ptr<File>(new MemoryFile(*this, node, path));
}

Status MemoryEnv::make_dir(const std::string& path, ::mode_t mode) {
  BFS_TRY(tell("make_dir", path, true));
  return disk_.make_dir(path, mode);
}

Status MemoryEnv::rename(const std::string& from, const std::string& to, unsigned flags) {
  BFS_TRY(tell("rename", to, true));
  return disk_.rename(from, to, flags);
}

Status MemoryEnv::unlink(const std::string& path) {
  BFS_TRY(tell("unlink", path, true));
  return disk_.unlink(path);
}

Status MemoryEnv::remove_dir(const std::string& path) {
  BFS_TRY(tell("remove_dir", path, true));
  return disk_.remove_dir(path);
}

Status MemoryEnv::sync_dir(const std::string& path) {
  BFS_TRY(tell("sync_dir", path, true));
  return disk_.sync_dir(path);
}

Status MemoryEnv::sync_filesystem(const std::string& path) {
  BFS_TRY(tell("sync_filesystem", path, true));
  disk_.sync_all();
  return {};
}

Result<std::vector<DirItem>> MemoryEnv::list(const std::string& path) {
  BFS_TRY(tell("list", path, false));
  return disk_.list(path);
}

Result<struct ::statvfs> MemoryEnv::space(const std::string&) {
  struct ::statvfs st {};
  st.f_bsize = st.f_frsize = 4096;
  st.f_blocks = st.f_bfree = st.f_bavail = 1U << 20U;
  st.f_namemax = 255;
  return st;
}

struct ::timespec MemoryEnv::now() {
  struct ::timespec ts {};
  ::clock_gettime(CLOCK_REALTIME, &ts);
  return ts;
}

ObjectId MemoryEnv::new_id() {
  std::lock_guard lock(ids_mutex_);
  const std::uint64_t high = ids_();
  return {high | 1U, ids_()};
}

}  // namespace branchfs::test
