// A disk in memory that knows what a power cut may take from it.
//
// Programs see every change at once. The disk has a change for sure only after a sync: of the file for its bytes and size, of the
// directory for a name (syncing one of the two directories of a rename is enough, a rename is kept or lost as a whole). Everything
// else is a pending change, which a power cut keeps, loses or tears, each by itself: the rules of POSIX, not the kinder ones of
// any one filesystem. Names point to inodes, so a kept rename of a file whose creation was lost still finds the file.
// Owner: a test. Threads: any; one mutex. Paths are absolute; the root exists. No symbolic links.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "layers/io/env.h"

namespace branchfs::test {

using Inode = std::uint64_t;  // 0: none

// A change of one file's bytes: `bytes` at `offset`, or, when `resize`, the size.
struct DataChange {
  bool resize = false;
  std::uint64_t offset = 0;  // of a resize: the size
  std::string bytes;
};

// A change of names, kept or lost as a whole.
struct NameChange {
  struct Binding {
    Inode dir;
    std::string name;
    Inode to;  // 0: removed
  };
  std::vector<Binding> bindings;
  [[nodiscard]] bool touches(Inode dir) const;
  [[nodiscard]] bool overlaps(const NameChange& other) const;
};

// What is on the disk for sure, and what may be.
struct DiskNode {
  ::mode_t mode = 0;
  std::shared_ptr<const std::string> bytes = std::make_shared<std::string>();
  std::map<std::string, Inode> names;
  std::vector<std::shared_ptr<const DataChange>> pending;  // oldest first
};
struct DiskImage {
  std::map<Inode, DiskNode> nodes;
  std::vector<std::shared_ptr<const NameChange>> pending;  // oldest first
  Inode next = 2;
};

// What becomes of the pending changes.
class Fate {
 public:
  virtual ~Fate() = default;
  virtual bool keeps(const NameChange& change) = 0;
  // Applies what is kept of a change to `bytes`.
  virtual void apply(const DataChange& change, std::string& bytes) = 0;
};
enum class Cut {
  lost,            // nothing that was not synced is there
  kept,            // everything is: the process died, the machine did not
  names_only,      // names and sizes are there, bytes are zeros: metadata was written first
  data_only,       // bytes are there, names are not
  random,          // each by itself; writes torn at 512 bytes
};
std::unique_ptr<Fate> make_fate(Cut cut, std::uint64_t seed);

// The machine after a power cut: everything in it is durable.
DiskImage after_cut(const DiskImage& image, Fate& fate);

class MemoryDisk {
 public:
  explicit MemoryDisk(DiskImage image);  // programs see all of it; what is pending stays so
  MemoryDisk();
  MemoryDisk(const MemoryDisk&) = delete;
  MemoryDisk& operator=(const MemoryDisk&) = delete;

  [[nodiscard]] DiskImage image() const;

  // Bytes that files may take in all, 0: any number. What does not fit fails with ENOSPC.
  void set_capacity(std::uint64_t bytes);
  [[nodiscard]] std::uint64_t used() const;

  // As the system calls of these names. `dir` of the paths is looked up at each call.
  Result<Inode> open(const std::string& path, int flags, ::mode_t mode);
  Status make_dir(const std::string& path, ::mode_t mode);
  Status rename(const std::string& from, const std::string& to, unsigned flags);
  Status unlink(const std::string& path);
  Status remove_dir(const std::string& path);
  Status sync_dir(const std::string& path);
  void sync_all();
  Result<std::vector<DirItem>> list(const std::string& path);
  Result<struct ::stat> stat(const std::string& path);

  Result<std::size_t> read(Inode node, std::span<std::byte> out, std::uint64_t offset);
  Status write(Inode node, std::span<const std::byte> data, std::uint64_t offset);
  Status append(Inode node, std::span<const std::byte> data);
  Status resize(Inode node, std::uint64_t size);
  Status allocate(Inode node, int mode, std::uint64_t offset, std::uint64_t length);
  Status sync(Inode node);
  struct ::stat stat(Inode node);
  void set_times(Inode node, const struct ::timespec times[2]);
  [[nodiscard]] std::string bytes(Inode node) const;

  // flock; the holder is any value that is the owner's own.
  bool try_lock(Inode node, const void* holder, LockMode mode);
  void unlock(Inode node, const void* holder);

 private:
  struct Node {
    std::string bytes;
    std::map<std::string, Inode> names;
    std::map<const void*, LockMode> locks;
    struct ::timespec atime {}, mtime {};
    unsigned links = 0;
  };
  struct Place {
    Inode dir;
    std::string name;
    Inode node;  // 0: nothing has that name
  };

  Result<Place> find(const std::string& path);
  void bind(std::vector<NameChange::Binding> bindings);
  Status grow(std::uint64_t bytes);
  void change(Inode node, DataChange change);
  void settle(Inode node);
  void settle_dir(Inode dir);

  mutable std::mutex mutex_;
  DiskImage disk_;
  std::map<Inode, Node> nodes_;
  std::uint64_t capacity_ = 0;
  std::uint64_t used_ = 0;
};

}  // namespace branchfs::test
