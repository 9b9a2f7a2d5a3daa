// An open branch: a directory tree that can be read and written, as a filesystem needs it.
//
// What it shows is the branch's base layer, overlaid by its frozen deltas, overlaid by its open delta, which
// takes all writes (layers/FORMAT.md §4–5). Owner: whoever opened it (mount.branchfs, pack, verify,
// tests); opening for writing takes the branch's lock (P9). Threads: every function may be called from any
// thread at once; lock order in layers/README.md. Inode numbers stay valid while referenced: lookup(), create() and
// their kin add a reference each, forget() drops them; a deleted inode lives until its last reference goes.
// Durability: data and names survive power loss once sync() returned (names also with a later sync of anything that is not
// data_only; data_only promises the inode's data, size and own names);
// everything completed survives the death of the process with flush(). A failed sync turns the branch
// read-only (EROFS) until it is opened again (P2). Errors carry the errno a system call reports (Error::to_errno).
#pragma once

#include <sys/statvfs.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "layers/base/attr.h"
#include "layers/store/store.h"

namespace branchfs {

enum class OpenMode : std::uint8_t { read_only, read_write };

struct NewNode {
  Ino parent;
  std::string_view name;
  std::uint32_t mode = 0;  // with S_IFMT: regular, directory, symlink, fifo, socket, device
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t rdev = 0;
  std::string_view symlink;  // target, for S_IFLNK
};

// Fields that are set are applied; times may be "now" by the caller filling in the clock.
struct SetAttr {
  std::optional<std::uint32_t> mode;  // permission bits
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  std::optional<std::uint64_t> size;
  std::optional<::timespec> atime;
  std::optional<::timespec> mtime;
  std::optional<::timespec> ctime;  // default: now
};

struct NameEntry {
  std::string name;
  Ino ino;
  std::uint8_t type = 0;  // DT_*
};

// What a freeze changed; the manifest of the branch already says so, durably.
struct Frozen {
  std::vector<ObjectId> stack;  // for the child, newest first
  Ino next_ino;                 // for the child
};

struct BranchOptions {
  OpenMode mode = OpenMode::read_write;
  // Seconds between two background flushes of what is not yet durable (design.md 5.11); 0: none.
  unsigned flush_interval = 5;
  bool sums = true;  // frozen deltas get checksums, in the background (layers/delta/sums.h)
  nlohmann::json holder = nlohmann::json::object();  // who we are, for the lock's description
  bool any_state = false;  // also a branch that is not "ready" (only the code that makes it ready may say so)
};

class Branch {
 public:
  static Result<std::unique_ptr<Branch>> open(std::shared_ptr<Store> store, const std::string& name,
                                              BranchOptions options);
  // Makes everything durable, then releases the branch's lock. Errors are only logged: call sync_all() first to see them.
  virtual ~Branch() = default;

  // --- names -------------------------------------------------------------------------------------
  virtual Result<Attr> lookup(Ino parent, std::string_view name) = 0;
  virtual void forget(Ino ino, std::uint64_t references) = 0;
  virtual Result<Attr> getattr(Ino ino) = 0;
  virtual Result<Attr> setattr(Ino ino, const SetAttr& change) = 0;
  virtual Result<Attr> create(const NewNode& node) = 0;  // EEXIST when the name is taken
  virtual Result<Attr> link(Ino ino, Ino parent, std::string_view name) = 0;
  virtual Status unlink(Ino parent, std::string_view name) = 0;
  virtual Status rmdir(Ino parent, std::string_view name) = 0;
  // flags: 0, RENAME_NOREPLACE, RENAME_EXCHANGE
  virtual Status rename(Ino parent, std::string_view name, Ino new_parent, std::string_view new_name,
                        unsigned flags) = 0;
  virtual Result<std::string> readlink(Ino ino) = 0;
  // A snapshot of the directory, without "." and "..".
  virtual Result<std::vector<NameEntry>> list(Ino dir) = 0;
  virtual Result<Ino> parent_of(Ino dir) = 0;

  // --- data --------------------------------------------------------------------------------------
  // Bytes read; fewer than asked only at the end of the file.
  virtual Result<std::size_t> read(Ino ino, std::uint64_t offset, std::span<std::byte> out) = 0;
  virtual Status write(Ino ino, std::uint64_t offset, std::span<const std::byte> data) = 0;
  // Of what was written of the inode, `bytes` more are wanted on the disk before long. True when enough came together to tell the host
  // so, with begin_writing_out(), which promises nothing and waits for nothing but a full queue of the disk.
  virtual bool wanted_on_disk(Ino ino, std::size_t bytes) = 0;
  virtual void begin_writing_out(Ino ino) = 0;
  virtual Status sync(Ino ino, bool data_only) = 0;
  virtual Status sync_dir(Ino dir) = 0;
  // mode: 0, FALLOC_FL_KEEP_SIZE, PUNCH_HOLE|KEEP_SIZE, ZERO_RANGE[|KEEP_SIZE]; others EOPNOTSUPP
  virtual Status allocate(Ino ino, int mode, std::uint64_t offset, std::uint64_t length) = 0;
  virtual Result<std::uint64_t> seek(Ino ino, std::uint64_t offset, int whence) = 0;
  // Shares whole immutable blocks, copies the rest. Returns bytes copied (less only at the source's end).
  virtual Result<std::uint64_t> copy_range(Ino from, std::uint64_t from_offset, Ino to, std::uint64_t to_offset,
                                           std::uint64_t length) = 0;
  virtual Result<struct ::statvfs> statfs() = 0;
  // 512-byte units that stat(2) reports for the inode.
  virtual Result<std::uint64_t> blocks_512(Ino ino) = 0;

  // --- the branch --------------------------------------------------------------------------------
  virtual Status sync_all() = 0;
  // Hands what is only in this process's memory to the host's kernel: survives SIGKILL, not power loss.
  virtual Status flush() = 0;
  // Everything completed up to one instant becomes immutable and visible to a child (P1); writes go on into a
  // new delta. The caller holds the store lock. `name` is what the branch is called now. When nothing was
  // written since the last freeze, nothing changes.
  virtual Result<Frozen> freeze(const StoreLock& lock, const std::string& name) = 0;
  // Longest and last time requests were held up by freeze(), microseconds.
  struct FreezePause {
    std::uint64_t last_us = 0;
    std::uint64_t max_us = 0;
    std::uint64_t count = 0;
  };
  [[nodiscard]] virtual FreezePause freeze_pause() const = 0;
  // For a write that cannot be made and that its writer believes made: until the branch is opened again no change is taken, and no data
  // is read, because it might be older than what its reader has seen.
  virtual void give_up(const Error& error) = 0;
  [[nodiscard]] virtual bool read_only() const = 0;
  // The owner of the root directory as stored, which a mount may map to its user.
  [[nodiscard]] virtual Attr root_attr() = 0;
};

}  // namespace branchfs
