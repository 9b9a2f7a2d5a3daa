// The one door to the operating system for the storage engine.
//
// Everything `layers/` reads, writes, renames, locks or syncs goes through Env and File, so that tests can
// fail the n-th call, drop what was not synced, or record a history (tests/fault). `posix_env()` is the
// real one. Owners: an Env outlives every File made from it. Threads: Env and File may be
// called from any thread at once; read_at/write_at carry their own offsets.
// Durability: nothing survives power loss before sync_data()/sync() of the file and, for a new, renamed or
// removed name, sync_dir() of its directory. Paths: absolute; the last component is never followed as a symlink.
#pragma once

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "layers/base/types.h"

namespace branchfs {

enum class LockMode : std::uint8_t { shared, exclusive };

// A read-only mapping of a file; unmapped when destroyed.
class Mapping {
 public:
  Mapping() = default;
  Mapping(const std::byte* data, std::size_t size) : data_(data), size_(size) {}
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();
  [[nodiscard]] std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

class File {
 public:
  virtual ~File() = default;
  // Bytes read; fewer than asked only at the end of the file.
  virtual Result<std::size_t> read_at(std::span<std::byte> out, std::uint64_t offset) = 0;
  // Writes all or returns an error (some bytes may then have been written).
  virtual Status write_at(std::span<const std::byte> data, std::uint64_t offset) = 0;
  // One write(2) at the end of a file opened with O_APPEND: atomic among writers.
  virtual Status append(std::span<const std::byte> data) = 0;
  virtual Status sync_data() = 0;
  virtual Status sync() = 0;
  virtual Status truncate(std::uint64_t size) = 0;
  virtual Status allocate(int fallocate_mode, std::uint64_t offset, std::uint64_t length) = 0;
  virtual Result<struct ::stat> stat() = 0;
  virtual Status set_times(const struct ::timespec times[2]) = 0;
  // lseek(SEEK_DATA / SEEK_HOLE); ENXIO past the end.
  virtual Result<std::uint64_t> seek(std::uint64_t offset, int whence) = 0;
  // copy_file_range into `to`; returns bytes copied, which may share host blocks.
  virtual Result<std::size_t> copy_to(File& to, std::uint64_t from_offset, std::uint64_t to_offset,
                                      std::size_t length) = 0;
  virtual Result<Mapping> map(std::uint64_t offset, std::size_t length) = 0;
  // flock; false when someone else holds it. Released when the File is destroyed.
  virtual Result<bool> try_lock(LockMode mode) = 0;
  virtual Status lock(LockMode mode) = 0;  // waits
  // Starts writing dirty pages of the range to disk without waiting (sync_file_range); length 0: to the end of the file.
  virtual void start_writeback(std::uint64_t offset, std::uint64_t length) = 0;
  [[nodiscard]] virtual int fd() const = 0;
};

// One of many reads (Env::read_at).
struct FileRead {
  File* file = nullptr;
  std::uint64_t offset = 0;
  std::span<std::byte> out;
  std::size_t got = 0;  // as File::read_at returns it
};

struct DirItem {
  std::string name;
  unsigned char type = 0;  // DT_*
};

class Env {
 public:
  virtual ~Env() = default;
  // From now on no call on a path below the directory `dir` follows a symbolic link behind it, wherever in the path it stands: a store that
  // somebody else prepared, or could write to, leads nowhere else. Again for the same `dir` when it was made anew.
  virtual Status confine(const std::string& /*dir*/) { return {}; }
  // flags as open(2); O_CLOEXEC and O_NOFOLLOW are added.
  virtual Result<std::unique_ptr<File>> open(const std::string& path, int flags, ::mode_t mode = 0600) = 0;
  virtual Status make_dir(const std::string& path, ::mode_t mode = 0700) = 0;
  // renameat2: flags 0, RENAME_NOREPLACE or RENAME_EXCHANGE.
  virtual Status rename(const std::string& from, const std::string& to, unsigned flags = 0) = 0;
  virtual Status unlink(const std::string& path) = 0;
  virtual Status remove_dir(const std::string& path) = 0;
  virtual Status sync_dir(const std::string& path) = 0;
  // Many reads, at once where the host can. The first error is returned; then nothing is known of the others.
  virtual Status read_at(std::span<FileRead> reads);
  // sync_data() of many files, at once where the host can (host_ring.h). All are tried; the first error is returned.
  virtual Status sync_data(std::span<File* const> files);
  // Makes everything on the filesystem that holds `path` durable (syncfs).
  virtual Status sync_filesystem(const std::string& path) = 0;
  virtual Result<std::vector<DirItem>> list(const std::string& path) = 0;
  virtual Result<struct ::stat> stat(const std::string& path) = 0;  // lstat
  virtual Result<struct ::statvfs> space(const std::string& path) = 0;
  virtual struct ::timespec now() = 0;      // CLOCK_REALTIME
  virtual std::string boot_id() = 0;        // changes exactly when unsynced pages may have been lost
  virtual ObjectId new_id() = 0;            // random, never zero

  // Conveniences over the above.
  // Whether anything has that name. Where the host cannot tell: an error, never a no, on which somebody might remove or replace something.
  Result<bool> is_there(const std::string& path);
  // The same where a wrong no does no harm.
  [[nodiscard]] bool exists(const std::string& path);
  Result<std::string> read_file(const std::string& path, std::size_t limit = 64U << 20U);
  // A file beside `path`, written and synced, that may be renamed to it: the name of that file.
  Result<std::string> prepare_file(const std::string& path, std::string_view content, ::mode_t mode = 0600);
  // Durable atomic replacement: temporary file, sync, rename, sync of the directory.
  Status replace_file(const std::string& path, std::string_view content, ::mode_t mode = 0600);
  Status remove_tree(const std::string& path);
};

Env& posix_env();

}  // namespace branchfs
