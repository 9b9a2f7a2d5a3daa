#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <utility>

#include "layers/io/descriptors.h"
#include "layers/io/env.h"
#include "layers/io/host_ring.h"

namespace branchfs {
namespace {

// Signals, a debugger, some network filesystems: the call has done nothing, so it is made again.
template <class Call>
auto retry_interrupted(Call call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

class PosixFile final : public File {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~PosixFile() override { ::close(fd_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  Result<std::size_t> read_at(std::span<std::byte> out, std::uint64_t offset) override {
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t n = retry_interrupted(
          [&] { return ::pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done)); });
      if (n < 0) return sys_error("read " + path_);
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

  Status write_at(std::span<const std::byte> data, std::uint64_t offset) override {
    std::size_t done = 0;
    while (done < data.size()) {
      const ssize_t n = retry_interrupted(
          [&] { return ::pwrite(fd_, data.data() + done, data.size() - done, static_cast<off_t>(offset + done)); });
      if (n < 0) return sys_error("write " + path_);
      done += static_cast<std::size_t>(n);
    }
    return {};
  }

  Status append(std::span<const std::byte> data) override {
    const ssize_t n = retry_interrupted([&] { return ::write(fd_, data.data(), data.size()); });
    if (n < 0) return sys_error("append to " + path_);
    if (static_cast<std::size_t>(n) != data.size()) return sys_error("append to " + path_, ENOSPC);
    return {};
  }

  Status sync_data() override {
    if (retry_interrupted([&] { return ::fdatasync(fd_); }) != 0) return sys_error("fdatasync " + path_);
    return {};
  }
  Status sync() override {
    if (retry_interrupted([&] { return ::fsync(fd_); }) != 0) return sys_error("fsync " + path_);
    return {};
  }

  Status truncate(std::uint64_t size) override {
    if (retry_interrupted([&] { return ::ftruncate(fd_, static_cast<off_t>(size)); }) != 0) return sys_error("truncate " + path_);
    return {};
  }

  Status allocate(int mode, std::uint64_t offset, std::uint64_t length) override {
    const auto call = [&] { return ::fallocate(fd_, mode, static_cast<off_t>(offset), static_cast<off_t>(length)); };
    if (retry_interrupted(call) != 0) return sys_error("fallocate " + path_);
    return {};
  }

  Result<struct ::stat> stat() override {
    struct ::stat st {};
    if (::fstat(fd_, &st) != 0) return sys_error("stat " + path_);
    return st;
  }

  Status set_times(const struct ::timespec times[2]) override {
    if (::futimens(fd_, times) != 0) return sys_error("set times of " + path_);
    return {};
  }

  Result<std::uint64_t> seek(std::uint64_t offset, int whence) override {
    off_t at = ::lseek(fd_, static_cast<off_t>(offset), whence);
    if (at < 0) return sys_error("seek in " + path_);
    return static_cast<std::uint64_t>(at);
  }

  Result<std::size_t> copy_to(File& to, std::uint64_t from_offset, std::uint64_t to_offset,
                              std::size_t length) override {
    auto in = static_cast<off_t>(from_offset);
    auto out = static_cast<off_t>(to_offset);
    const ssize_t n = retry_interrupted([&] { return ::copy_file_range(fd_, &in, to.fd(), &out, length, 0); });
    if (n < 0) return sys_error("copy from " + path_);
    return static_cast<std::size_t>(n);
  }

  Result<Mapping> map(std::uint64_t offset, std::size_t length) override {
    if (length == 0) return Mapping{};
    void* at = ::mmap(nullptr, length, PROT_READ, MAP_SHARED, fd_, static_cast<off_t>(offset));
    if (at == MAP_FAILED) return sys_error("map " + path_);
    return Mapping{static_cast<const std::byte*>(at), length};
  }

  Result<bool> try_lock(LockMode mode) override {
    const int how = (mode == LockMode::exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB;
    if (retry_interrupted([&] { return ::flock(fd_, how); }) == 0) return true;
    if (errno == EWOULDBLOCK) return false;
    return sys_error("lock " + path_);
  }

  Status lock(LockMode mode) override {
    const int how = mode == LockMode::exclusive ? LOCK_EX : LOCK_SH;
    if (retry_interrupted([&] { return ::flock(fd_, how); }) != 0) return sys_error("lock " + path_);
    return {};
  }

  void start_writeback(std::uint64_t offset, std::uint64_t length) override {
    ::sync_file_range(fd_, static_cast<off64_t>(offset), static_cast<off64_t>(length), SYNC_FILE_RANGE_WRITE);
  }

  [[nodiscard]] int fd() const override { return fd_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  int fd_;
  std::string path_;
};

// A descriptor for the time of one call.
class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// The directories that Env::confine() was told of, open. An entry lives as long as the process: paths below it may be in use anywhere.
class ConfinedDirs {
 public:
  Status add(const std::string& dir) {
    const int fd = ::open(dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return sys_error("open " + dir);
    const std::lock_guard lock(mutex_);
    auto [found, is_new] = dirs_.emplace(dir, fd);
    if (!is_new) {
      // The same number, so that no call meets a closed one.
      ::dup3(fd, found->second, O_CLOEXEC);
      ::close(fd);
    }
    return {};
  }

  // openat2 without following any link, for a path below one of them; -2 when it is below none, or the kernel cannot.
  int open(const std::string& path, int flags, ::mode_t mode) {
    int dir = -1;
    const char* rest = nullptr;
    {
      const std::shared_lock lock(mutex_);
      for (const auto& [name, fd] : dirs_) {
        if (path.size() <= name.size() || path[name.size()] != '/' || !path.starts_with(name)) continue;
        dir = fd;
        rest = path.c_str() + name.size() + 1;
      }
    }
    if (rest == nullptr || *rest == '\0') return kNotConfined;
    ::open_how how{};
    how.flags = static_cast<unsigned>(flags) | O_CLOEXEC;
    how.mode = (flags & O_CREAT) != 0 ? mode & 07777U : 0;
    how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH;
    for (;;) {
      const auto fd = static_cast<int>(::syscall(SYS_openat2, dir, rest, &how, sizeof how));
      if (fd >= 0) return fd;
      if (errno == EAGAIN || errno == EINTR) continue;  // a rename somewhere was in the way
      // Kernels before 5.6, and containers' filters that do not know the call.
      if (errno == ENOSYS || errno == EPERM) return kNotConfined;
      return -1;
    }
  }
  static constexpr int kNotConfined = -2;

 private:
  std::shared_mutex mutex_;
  std::map<std::string, int> dirs_;
};

class PosixEnv final : public Env {
 public:
  Status confine(const std::string& dir) override { return dirs_.add(dir); }

  Result<std::unique_ptr<File>> open(const std::string& path, int flags, ::mode_t mode) override {
    const int fd = open_path(path, flags | O_NOFOLLOW, mode);
    if (fd < 0) return sys_error("open " + path);
    return std::unique_ptr<File>(std::make_unique<PosixFile>(fd, path));
  }

  Status make_dir(const std::string& path, ::mode_t mode) override {
    const Place at(*this, path);
    if (at.failed() || ::mkdirat(at.dir(), at.name(), mode) != 0) return sys_error("create directory " + path);
    return {};
  }

  Status rename(const std::string& from, const std::string& to, unsigned flags) override {
    const Place source(*this, from);
    const Place target(*this, to);
    if (source.failed() || target.failed() || ::renameat2(source.dir(), source.name(), target.dir(), target.name(), flags) != 0) {
      return sys_error("rename " + from + " to " + to);
    }
    return {};
  }

  Status unlink(const std::string& path) override {
    const Place at(*this, path);
    if (at.failed() || ::unlinkat(at.dir(), at.name(), 0) != 0) return sys_error("remove " + path);
    return {};
  }

  Status remove_dir(const std::string& path) override {
    const Place at(*this, path);
    if (at.failed() || ::unlinkat(at.dir(), at.name(), AT_REMOVEDIR) != 0) return sys_error("remove directory " + path);
    return {};
  }

  Status sync_dir(const std::string& path) override {
    const Fd dir(open_path(path, O_RDONLY | O_DIRECTORY, 0));
    if (dir.get() < 0) return sys_error("open directory " + path);
    if (retry_interrupted([&] { return ::fsync(dir.get()); }) != 0) return sys_error("fsync directory " + path);
    return {};
  }

  Status read_at(std::span<FileRead> reads) override {
    HostRing* ring = reads.size() > 1 ? HostRing::of_this_thread() : nullptr;
    if (ring == nullptr) return Env::read_at(reads);
    thread_local std::vector<HostRing::Op> ops;
    ops.clear();
    for (const FileRead& read : reads) ops.push_back({HostRing::Op::Kind::read, read.file->fd(), read.out, read.offset, HostRing::kNeverRan});
    ring->run(ops);
    for (std::size_t i = 0; i < reads.size(); ++i) {
      FileRead& read = reads[i];
      read.got = static_cast<std::size_t>(std::max(ops[i].result, 0));
      if (read.got == read.out.size()) continue;
      // An error, or less than asked: the plain call tells the end of the file from an interruption.
      BFS_ASSIGN(const std::size_t rest, read.file->read_at(read.out.subspan(read.got), read.offset + read.got));
      read.got += rest;
    }
    return {};
  }

  Status sync_data(std::span<File* const> files) override {
    HostRing* ring = files.size() > 1 ? HostRing::of_this_thread() : nullptr;
    if (ring == nullptr) return Env::sync_data(files);
    std::vector<HostRing::Op> ops(files.size());
    for (std::size_t i = 0; i < files.size(); ++i) ops[i].fd = files[i]->fd();
    ring->run(ops);
    Status first;
    for (std::size_t i = 0; i < files.size(); ++i) {
      const int result = ops[i].result;
      Status done;
      if (result == HostRing::kNeverRan || result == -EINTR || result == -EAGAIN) {
        done = files[i]->sync_data();
      } else if (result < 0) {
        done = sys_error("sync " + static_cast<PosixFile*>(files[i])->path(), -result);
      }
      if (first && !done) first = std::move(done);
    }
    return first;
  }

  Status sync_filesystem(const std::string& path) override {
    const Fd dir(open_path(path, O_RDONLY | O_DIRECTORY, 0));
    if (dir.get() < 0) return sys_error("open directory " + path);
    if (::syncfs(dir.get()) != 0) return sys_error("sync the filesystem of " + path);
    return {};
  }

  Result<std::vector<DirItem>> list(const std::string& path) override {
    Fd fd(open_path(path, O_RDONLY | O_DIRECTORY, 0));
    if (fd.get() < 0) return sys_error("open directory " + path);
    DIR* dir = ::fdopendir(fd.get());
    if (dir == nullptr) return sys_error("open directory " + path);
    fd.release();
    std::vector<DirItem> items;
    errno = 0;
    while (const dirent* entry = ::readdir(dir)) {
      std::string name = entry->d_name;
      if (name != "." && name != "..") items.push_back({std::move(name), entry->d_type});
      errno = 0;
    }
    int err = errno;
    ::closedir(dir);
    if (err != 0) return sys_error("read directory " + path, err);
    std::sort(items.begin(), items.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return items;
  }

  Result<struct ::stat> stat(const std::string& path) override {
    struct ::stat st {};
    const Place at(*this, path);
    if (at.failed() || ::fstatat(at.dir(), at.name(), &st, AT_SYMLINK_NOFOLLOW) != 0) return sys_error("stat " + path);
    return st;
  }

  Result<struct ::statvfs> space(const std::string& path) override {
    struct ::statvfs st {};
    if (::statvfs(path.c_str(), &st) != 0) return sys_error("statfs " + path);
    return st;
  }

  struct ::timespec now() override {
    struct ::timespec ts {};
    ::clock_gettime(CLOCK_REALTIME, &ts);
    return ts;
  }

  std::string boot_id() override {
    // read_file() relies on st_size, which is 0 for files of procfs.
    std::string id(36, '\0');
    auto file = open("/proc/sys/kernel/random/boot_id", O_RDONLY, 0);
    if (!file) return {};
    auto got = (*file)->read_at(std::as_writable_bytes(std::span(id)), 0);
    id.resize(got ? *got : 0);
    return id;
  }

  ObjectId new_id() override {
    ObjectId id;
    while (!id.valid()) {
      if (::getrandom(&id, sizeof id, 0) != static_cast<ssize_t>(sizeof id)) id = {};
    }
    return id;
  }

 private:
  int open_path(const std::string& path, int flags, ::mode_t mode) {
    // A FIFO in the place of a file must not make us wait. Of a file it means nothing, but to io_uring on some filesystems.
    const bool may_wait = (flags & O_ACCMODE) == O_RDONLY && (flags & O_NONBLOCK) == 0;
    const int how = may_wait ? flags | O_NONBLOCK : flags;
    const int fd = with_descriptors([&] {
      const int confined = dirs_.open(path, how, mode);
      if (confined != ConfinedDirs::kNotConfined) return confined;
      return retry_interrupted([&] { return ::open(path.c_str(), how | O_CLOEXEC, mode); });
    });
    if (fd >= 0 && may_wait) ::fcntl(fd, F_SETFL, flags);
    return fd;
  }

  // Where a call on a name is made: in its directory, opened without following links, or just by the path.
  class Place {
   public:
    Place(PosixEnv& env, const std::string& path)
        : name_(path.c_str()), fd_(with_descriptors([&] { return env.dirs_.open(path.substr(0, path.rfind('/')), O_PATH | O_DIRECTORY, 0); })) {
      if (fd_.get() >= 0) name_ += path.rfind('/') + 1;
    }
    [[nodiscard]] bool failed() const { return fd_.get() == -1; }  // errno says why
    [[nodiscard]] int dir() const { return fd_.get() >= 0 ? fd_.get() : AT_FDCWD; }
    [[nodiscard]] const char* name() const { return name_; }

   private:
    const char* name_;
    Fd fd_;
  };

  ConfinedDirs dirs_;
};

}  // namespace

Env& posix_env() {
  static PosixEnv env;
  return env;
}

}  // namespace branchfs
