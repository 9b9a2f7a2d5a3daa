#include "fs/operations.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <memory>
#include <span>
#include <vector>

#include "fs/directory.h"

namespace branchfs {
namespace {

// Seconds; the kernel never asks again by itself (operations.h says why that is right).
constexpr double kForever = 1e9;
constexpr unsigned kMaxIo = 1U << 20U;
constexpr unsigned kMaxBackground = 64;
// One copy_file_range request holds a thread; callers loop over short copies.
constexpr std::size_t kMaxCopy = 64U << 20U;
constexpr std::size_t kMaxLoggedErrors = 1000;
// A run of dirty pages this long did not come from scattered writes.
constexpr std::size_t kBulkWrite = 512U << 10U;

Operations& self(fuse_req_t req) { return *static_cast<Operations*>(::fuse_req_userdata(req)); }

// Reused by every request of a thread, and only ever grows: no allocation and no clearing per read.
std::span<char> thread_buffer(std::size_t size) {
  thread_local std::vector<char> buffer;
  if (buffer.size() < size) buffer.resize(size);
  return {buffer.data(), size};
}

::timespec now() {
  ::timespec t{};
  ::clock_gettime(CLOCK_REALTIME, &t);
  return t;
}

#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
void set_capability(::fuse_conn_info* conn, std::uint64_t capability, bool on) {
  if (on) {
    ::fuse_set_feature_flag(conn, capability);
  } else {
    ::fuse_unset_feature_flag(conn, capability);
  }
}
bool has_capability(::fuse_conn_info* conn, std::uint64_t capability) {
  return (conn->want_ext & capability) != 0 && ::fuse_get_feature_flag(conn, capability);
}
#else
void set_capability(::fuse_conn_info* conn, unsigned capability, bool on) {
  if (on) {
    conn->want |= conn->capable & capability;
  } else {
    conn->want &= ~capability;
  }
}
bool has_capability(::fuse_conn_info* conn, unsigned capability) { return (conn->want & capability) != 0; }
#endif

// Whether other requests of the same core wait until this one's handler returns.
bool holds_up_others([[maybe_unused]] fuse_req_t req) {
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 18)
  return ::fuse_req_is_uring(req);
#else
  return false;
#endif
}

// Where a reply's data may be put so that it need not be copied once more.
std::span<char> reply_buffer([[maybe_unused]] fuse_req_t req, std::size_t size) {
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 18)
  char* payload = nullptr;
  std::size_t room = 0;
  if (::fuse_req_get_payload(req, &payload, &room, nullptr) == 0 && room >= size) {  // refused without a ring
    return {payload, size};
  }
#endif
  return thread_buffer(size);
}

Directory* directory_of(const ::fuse_file_info* fi) { return reinterpret_cast<Directory*>(fi->fh); }

}  // namespace

template <class Work>
void Operations::run([[maybe_unused]] fuse_req_t req, Work work) {
#ifdef BRANCHFS_RING_REPLIES
  if (holds_up_others(req)) {
    pool_.submit(std::move(work));
    return;
  }
#endif
  work();
}

struct ::stat Operations::to_stat(const Attr& attr) {
  struct ::stat st {};
  st.st_ino = attr.ino.v;
  st.st_mode = attr.mode;
  st.st_nlink = attr.nlink;
  st.st_uid = options_.owners.uid(attr.uid);
  st.st_gid = options_.owners.gid(attr.gid);
  st.st_rdev = attr.rdev;
  st.st_size = static_cast<::off_t>(attr.size);
  st.st_blksize = kBlockSize;
  st.st_atim = attr.atime;
  st.st_mtim = attr.mtime;
  st.st_ctim = attr.ctime;
  // An inode whose map cannot be read still has attributes; the read that follows reports the damage.
  if (const auto blocks = branch_.blocks_512(attr.ino)) st.st_blocks = static_cast<::blkcnt_t>(*blocks);
  return st;
}

::fuse_entry_param Operations::entry_of(const Attr& attr) {
  ::fuse_entry_param entry{};
  entry.ino = attr.ino.v;
  entry.generation = 1;  // inode numbers are never used twice
  entry.attr = to_stat(attr);
  entry.attr_timeout = kForever;
  entry.entry_timeout = kForever;
  return entry;
}

Operations::Operations(Branch& branch, Options options) : branch_(branch), options_(std::move(options)) {
  if (!options_.writeback || options_.wal.empty()) return;
  const auto dir = branch_.lookup(kRootIno, options_.wal);
  if (!dir) return;
  branch_.forget(dir->ino, 1);
  if (S_ISDIR(dir->mode)) log_files_.watch(dir->ino);
}

void Operations::log_once(const Error& error, Op op, Ino ino) {
  const std::lock_guard lock(logged_mutex_);
  if (logged_.size() >= kMaxLoggedErrors || !logged_.insert(error.what).second) return;
  spdlog::error("{} of inode {}: {}{}", kOpNames[static_cast<std::size_t>(op)], ino.v, error.what,
                error.hint.empty() ? "" : " (" + error.hint + ")");
}

void Operations::reply_error(fuse_req_t req, const Error& error, Op op, Ino ino) {
  const int err = error.to_errno();
  if (error.kind == Kind::damaged || err == EIO) log_once(error, op, ino);
  ::fuse_reply_err(req, err);
}

void Operations::reply_status(fuse_req_t req, const Status& status, Op op, Ino ino) {
  if (status) {
    ::fuse_reply_err(req, 0);
  } else {
    reply_error(req, status.error(), op, ino);
  }
}

void Operations::reply_entry(fuse_req_t req, const Result<Attr>& attr, Op op, Ino ino) {
  if (!attr) return reply_error(req, attr.error(), op, ino);
  const ::fuse_entry_param entry = entry_of(*attr);
  // A reply that did not arrive (the caller was killed) leaves no reference in the kernel.
  if (::fuse_reply_entry(req, &entry) != 0) branch_.forget(attr->ino, 1);
}

Result<NewNode> Operations::new_node(fuse_req_t req, Ino parent, const char* name, ::mode_t mode) {
  const ::fuse_ctx* caller = ::fuse_req_ctx(req);
  NewNode node;
  node.parent = parent;
  node.name = name;
  node.mode = mode;
  node.uid = options_.owners.uid(caller->uid);
  node.gid = options_.owners.gid(caller->gid);
  BFS_ASSIGN(const Attr dir, branch_.getattr(parent));
  if ((dir.mode & S_ISGID) != 0) {
    node.gid = dir.gid;
    if (S_ISDIR(mode)) node.mode |= S_ISGID;
  }
  return node;
}

// The entries of libfuse's table.
struct Handlers {
  static void init(void* userdata, ::fuse_conn_info* conn) {
    auto& ops = *static_cast<Operations*>(userdata);
    const bool writeback = ops.options_.writeback;
    for (const auto off :
         {FUSE_CAP_ATOMIC_O_TRUNC, FUSE_CAP_AUTO_INVAL_DATA, FUSE_CAP_HANDLE_KILLPRIV, FUSE_CAP_SPLICE_READ,
          FUSE_CAP_SPLICE_WRITE, FUSE_CAP_SPLICE_MOVE, FUSE_CAP_POSIX_LOCKS, FUSE_CAP_FLOCK_LOCKS,
          FUSE_CAP_DONT_MASK, FUSE_CAP_EXPORT_SUPPORT}) {
      set_capability(conn, off, false);
    }
    for (const auto on : {FUSE_CAP_ASYNC_READ, FUSE_CAP_ASYNC_DIO, FUSE_CAP_EXPLICIT_INVAL_DATA,
                          FUSE_CAP_PARALLEL_DIROPS, FUSE_CAP_READDIRPLUS, FUSE_CAP_READDIRPLUS_AUTO,
                          FUSE_CAP_CACHE_SYMLINKS, FUSE_CAP_NO_OPEN_SUPPORT}) {
      set_capability(conn, on, true);
    }
    set_capability(conn, FUSE_CAP_WRITEBACK_CACHE, writeback);
    Negotiated negotiated;
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
    set_capability(conn, FUSE_CAP_HANDLE_KILLPRIV_V2, false);
#endif
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 18)
    set_capability(conn, FUSE_CAP_OVER_IO_URING, ops.options_.io_uring);
#endif
    conn->max_write = kMaxIo;
    conn->max_readahead = kMaxIo;  // cut to the kernel's offer by libfuse
    conn->max_background = kMaxBackground;
    conn->congestion_threshold = kMaxBackground * 3 / 4;
    negotiated.proto_major = conn->proto_major;
    negotiated.proto_minor = conn->proto_minor;
    negotiated.writeback = has_capability(conn, FUSE_CAP_WRITEBACK_CACHE);
    if (ops.options_.on_init) ops.options_.on_init(negotiated);
  }

  static void lookup(fuse_req_t req, fuse_ino_t parent, const char* name) {
    auto& ops = self(req);
    ops.counters_.add(Op::lookup);
    const auto attr = ops.branch_.lookup(Ino{parent}, name);
    if (!attr && attr.error().to_errno() == ENOENT) {
      ::fuse_entry_param absent{};  // node id 0: the kernel remembers that there is no such name
      absent.entry_timeout = kForever;
      ::fuse_reply_entry(req, &absent);
      return;
    }
    if (attr) ops.log_files_.saw(Ino{parent}, *attr);
    ops.reply_entry(req, attr, Op::lookup, Ino{parent});
  }

  static void forget(fuse_req_t req, fuse_ino_t ino, std::uint64_t count) {
    auto& ops = self(req);
    ops.counters_.add(Op::forget);
    ops.branch_.forget(Ino{ino}, count);
    ::fuse_reply_none(req);
  }

  static void forget_multi(fuse_req_t req, std::size_t count, ::fuse_forget_data* forgets) {
    auto& ops = self(req);
    ops.counters_.add(Op::forget, count);
    for (std::size_t i = 0; i < count; ++i) ops.branch_.forget(Ino{forgets[i].ino}, forgets[i].nlookup);
    ::fuse_reply_none(req);
  }

  static void reply_attr(fuse_req_t req, const Result<Attr>& attr, Op op, fuse_ino_t ino) {
    auto& ops = self(req);
    if (!attr) return ops.reply_error(req, attr.error(), op, Ino{ino});
    const struct ::stat st = ops.to_stat(*attr);
    ::fuse_reply_attr(req, &st, kForever);
  }

  static void getattr(fuse_req_t req, fuse_ino_t ino, ::fuse_file_info*) {
    auto& ops = self(req);
    ops.counters_.add(Op::getattr);
    // libfuse falls back by itself when the kernel refuses the rings: only a request that came through them is proof. The mount's
    // first question is a getattr (Session::announce).
    if (holds_up_others(req)) ops.uses_io_uring_.store(true, std::memory_order_relaxed);
    reply_attr(req, ops.branch_.getattr(Ino{ino}), Op::getattr, ino);
  }

  static void setattr(fuse_req_t req, fuse_ino_t ino, struct ::stat* st, int to_set, ::fuse_file_info*) {
    auto& ops = self(req);
    ops.counters_.add(Op::setattr);
    SetAttr change;
    if ((to_set & FUSE_SET_ATTR_MODE) != 0) change.mode = st->st_mode & 07777U;
    if ((to_set & FUSE_SET_ATTR_UID) != 0) change.uid = ops.options_.owners.uid(st->st_uid);
    if ((to_set & FUSE_SET_ATTR_GID) != 0) change.gid = ops.options_.owners.gid(st->st_gid);
    if ((to_set & FUSE_SET_ATTR_SIZE) != 0) {
      change.size = static_cast<std::uint64_t>(st->st_size);
      change.mtime = now();  // the kernel leaves a truncation's mtime to us
    }
    if ((to_set & FUSE_SET_ATTR_ATIME) != 0) change.atime = st->st_atim;
    if ((to_set & FUSE_SET_ATTR_MTIME) != 0) change.mtime = st->st_mtim;
    if ((to_set & FUSE_SET_ATTR_ATIME_NOW) != 0) change.atime = now();
    if ((to_set & FUSE_SET_ATTR_MTIME_NOW) != 0) change.mtime = now();
    if ((to_set & FUSE_SET_ATTR_CTIME) != 0) change.ctime = st->st_ctim;
    if (!change.size) return reply_attr(req, ops.branch_.setattr(Ino{ino}, change), Op::setattr, ino);
    // A truncation may sync the journal and free much at once.
    ops.run(req,
            [&ops, req, ino, change] { reply_attr(req, ops.branch_.setattr(Ino{ino}, change), Op::setattr, ino); });
  }

  static void readlink(fuse_req_t req, fuse_ino_t ino) {
    auto& ops = self(req);
    ops.counters_.add(Op::readlink);
    const auto target = ops.branch_.readlink(Ino{ino});
    if (!target) return ops.reply_error(req, target.error(), Op::readlink, Ino{ino});
    ::fuse_reply_readlink(req, target->c_str());
  }

  static Result<Attr> make(fuse_req_t req, fuse_ino_t parent, const char* name, ::mode_t mode, ::dev_t rdev,
                           const char* target) {
    auto& ops = self(req);
    BFS_ASSIGN(NewNode node, ops.new_node(req, Ino{parent}, name, mode));
    node.rdev = rdev;
    node.symlink = target;
    return ops.branch_.create(node);
  }

  static void mknod(fuse_req_t req, fuse_ino_t parent, const char* name, ::mode_t mode, ::dev_t rdev) {
    auto& ops = self(req);
    ops.counters_.add(Op::mknod);
    ops.reply_entry(req, make(req, parent, name, mode, rdev, ""), Op::mknod, Ino{parent});
  }

  static void mkdir(fuse_req_t req, fuse_ino_t parent, const char* name, ::mode_t mode) {
    auto& ops = self(req);
    ops.counters_.add(Op::mkdir);
    ops.reply_entry(req, make(req, parent, name, mode | S_IFDIR, 0, ""), Op::mkdir, Ino{parent});
  }

  static void symlink(fuse_req_t req, const char* target, fuse_ino_t parent, const char* name) {
    auto& ops = self(req);
    ops.counters_.add(Op::symlink);
    ops.reply_entry(req, make(req, parent, name, S_IFLNK | 0777, 0, target), Op::symlink, Ino{parent});
  }

  static void unlink(fuse_req_t req, fuse_ino_t parent, const char* name) {
    auto& ops = self(req);
    ops.counters_.add(Op::unlink);
    ops.reply_status(req, ops.branch_.unlink(Ino{parent}, name), Op::unlink, Ino{parent});
  }

  static void rmdir(fuse_req_t req, fuse_ino_t parent, const char* name) {
    auto& ops = self(req);
    ops.counters_.add(Op::rmdir);
    ops.reply_status(req, ops.branch_.rmdir(Ino{parent}, name), Op::rmdir, Ino{parent});
  }

  static void rename(fuse_req_t req, fuse_ino_t parent, const char* name, fuse_ino_t new_parent,
                     const char* new_name, unsigned flags) {
    auto& ops = self(req);
    ops.counters_.add(Op::rename);
    if (flags != 0 && flags != RENAME_NOREPLACE && flags != RENAME_EXCHANGE) {
      ::fuse_reply_err(req, EINVAL);
      return;
    }
    ops.reply_status(req, ops.branch_.rename(Ino{parent}, name, Ino{new_parent}, new_name, flags), Op::rename,
                     Ino{parent});
  }

  static void link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char* new_name) {
    auto& ops = self(req);
    ops.counters_.add(Op::link);
    ops.reply_entry(req, ops.branch_.link(Ino{ino}, Ino{new_parent}, new_name), Op::link, Ino{ino});
  }

  static void open(fuse_req_t req, fuse_ino_t ino, ::fuse_file_info* fi) {
    auto& ops = self(req);
    ops.counters_.add(Op::open);
    if (!ops.options_.writeback) {
      ::fuse_reply_err(req, ENOSYS);
      return;
    }
    fi->keep_cache = 1;
    fi->direct_io = ops.log_files_.bypasses_cache(Ino{ino}) ? 1 : 0;
    ::fuse_reply_open(req, fi);
  }

  static void create(fuse_req_t req, fuse_ino_t parent, const char* name, ::mode_t mode,
                     ::fuse_file_info* fi) {
    auto& ops = self(req);
    ops.counters_.add(Op::create);
    const auto attr = make(req, parent, name, mode | S_IFREG, 0, "");
    if (!attr) return ops.reply_error(req, attr.error(), Op::create, Ino{parent});
    const ::fuse_entry_param entry = ops.entry_of(*attr);
    fi->fh = 0;
    fi->keep_cache = 1;
    ops.log_files_.saw(Ino{parent}, *attr);
    fi->direct_io = ops.log_files_.bypasses_cache(attr->ino) ? 1 : 0;
    if (::fuse_reply_create(req, &entry, fi) != 0) ops.branch_.forget(attr->ino, 1);
  }

  static void read(fuse_req_t req, fuse_ino_t ino, std::size_t size, ::off_t offset, ::fuse_file_info*) {
    auto& ops = self(req);
    ops.counters_.add(Op::read);
    ops.run(req, [&ops, req, ino, size, offset] {
      const std::span<char> buffer = reply_buffer(req, size);
      const auto n =
          ops.branch_.read(Ino{ino}, static_cast<std::uint64_t>(offset), std::as_writable_bytes(buffer));
      if (!n) return ops.reply_error(req, n.error(), Op::read, Ino{ino});
      ::fuse_reply_buf(req, buffer.data(), *n);
    });
  }

  static void write(fuse_req_t req, fuse_ino_t ino, const char* data, std::size_t size, ::off_t offset,
                    ::fuse_file_info* fi) {
    auto& ops = self(req);
    ops.counters_.add(Op::write);
    Status status =
        ops.branch_.write(Ino{ino}, static_cast<std::uint64_t>(offset), std::as_bytes(std::span(data, size)));
    const bool is_log = ops.log_files_.wrote(Ino{ino}, size);
    // After an O_DSYNC or O_SYNC write past its cache the kernel sends no fsync.
    const auto synchronous = static_cast<unsigned>(fi->flags) & static_cast<unsigned>(O_SYNC);
    if (status && synchronous != 0 && fi->writepage == 0 && is_log) {
      status = ops.branch_.sync(Ino{ino}, synchronous == static_cast<unsigned>(O_DSYNC));
      ops.log_files_.synced(Ino{ino});
    }
    if (!status) {
      // Out of the kernel's cache: it drops what it could not write, and the page goes on looking as if it were there. Were the branch
      // to go on, a server's recovery could read such a page, find nothing to do, and forget its log (P8).
      if (fi->writepage != 0) ops.branch_.give_up(status.error());
      return ops.reply_error(req, status.error(), Op::write, Ino{ino});
    }
    // The kernel sends small pieces when somebody asked it to begin (a checkpoint does, before it syncs) and large ones when its cache
    // fills up; those may as well stay in the host's cache, as they would have without FUSE.
    const bool write_out = fi->writepage != 0 && size < kBulkWrite && !is_log && ops.branch_.wanted_on_disk(Ino{ino}, size);
    const bool elsewhere = write_out && holds_up_others(req);
    ::fuse_reply_write(req, size);
    if (!write_out) return;
    if (elsewhere) {
      ops.pool_.submit([&ops, ino] { ops.branch_.begin_writing_out(Ino{ino}); });
    } else {
      ops.branch_.begin_writing_out(Ino{ino});
    }
  }

  static void fsync(fuse_req_t req, fuse_ino_t ino, int data_only, ::fuse_file_info*) {
    auto& ops = self(req);
    ops.counters_.add(Op::fsync);
    ops.log_files_.synced(Ino{ino});
    ops.run(req, [&ops, req, ino, data_only] {
      ops.reply_status(req, ops.branch_.sync(Ino{ino}, data_only != 0), Op::fsync, Ino{ino});
    });
  }

  static void fsyncdir(fuse_req_t req, fuse_ino_t ino, int, ::fuse_file_info*) {
    auto& ops = self(req);
    ops.counters_.add(Op::fsyncdir);
    ops.run(req, [&ops, req, ino] {
      ops.reply_status(req, ops.branch_.sync_dir(Ino{ino}), Op::fsyncdir, Ino{ino});
    });
  }

  static void opendir(fuse_req_t req, fuse_ino_t ino, ::fuse_file_info* fi) {
    self(req).counters_.add(Op::opendir);
    auto directory = std::make_unique<Directory>(Ino{ino});
    fi->fh = reinterpret_cast<std::uint64_t>(directory.get());
    if (::fuse_reply_open(req, fi) == 0)
      static_cast<void>(directory.release());  // now the kernel's, until releasedir
  }

  static void readdir(fuse_req_t req, fuse_ino_t ino, std::size_t size, ::off_t offset,
                      ::fuse_file_info* fi) {
    auto& ops = self(req);
    ops.counters_.add(Op::readdir);
    const std::span<char> buffer = thread_buffer(size);
    const auto used = directory_of(fi)->fill(req, ops.branch_, offset, buffer);
    if (!used) return ops.reply_error(req, used.error(), Op::readdir, Ino{ino});
    ::fuse_reply_buf(req, buffer.data(), *used);
  }

  static void readdirplus(fuse_req_t req, fuse_ino_t ino, std::size_t size, ::off_t offset,
                          ::fuse_file_info* fi) {
    auto& ops = self(req);
    ops.counters_.add(Op::readdirplus);
    thread_local std::vector<Ino> sent;
    sent.clear();
    const std::span<char> buffer = thread_buffer(size);
    const auto describe = [&](const NameEntry& entry) -> Result<::fuse_entry_param> {
      BFS_ASSIGN(const Attr attr, ops.branch_.lookup(Ino{ino}, entry.name));
      ops.log_files_.saw(Ino{ino}, attr);
      return ops.entry_of(attr);
    };
    const auto used = directory_of(fi)->fill_plus(req, ops.branch_, offset, buffer, describe, sent);
    if (!used) return ops.reply_error(req, used.error(), Op::readdirplus, Ino{ino});
    if (::fuse_reply_buf(req, buffer.data(), *used) != 0) {
      for (const Ino entry : sent) ops.branch_.forget(entry, 1);
    }
  }

  static void releasedir(fuse_req_t req, fuse_ino_t, ::fuse_file_info* fi) {
    self(req).counters_.add(Op::releasedir);
    const std::unique_ptr<Directory> directory(directory_of(fi));
    ::fuse_reply_err(req, 0);
  }

  static void statfs(fuse_req_t req, fuse_ino_t ino) {
    auto& ops = self(req);
    ops.counters_.add(Op::statfs);
    const auto space = ops.branch_.statfs();
    if (!space) return ops.reply_error(req, space.error(), Op::statfs, Ino{ino});
    ::fuse_reply_statfs(req, &*space);
  }

  static void fallocate(fuse_req_t req, fuse_ino_t ino, int mode, ::off_t offset, ::off_t length,
                        ::fuse_file_info*) {
    auto& ops = self(req);
    ops.counters_.add(Op::fallocate);
    ops.run(req, [&ops, req, ino, mode, offset, length] {
      ops.reply_status(req,
                       ops.branch_.allocate(Ino{ino}, mode, static_cast<std::uint64_t>(offset),
                                            static_cast<std::uint64_t>(length)),
                       Op::fallocate, Ino{ino});
    });
  }

  static void lseek(fuse_req_t req, fuse_ino_t ino, ::off_t offset, int whence, ::fuse_file_info*) {
    auto& ops = self(req);
    ops.counters_.add(Op::lseek);
    if (ops.options_.writeback) {
      // What the kernel has not sent yet would look like holes here. Without an answer the whole file counts as data.
      ::fuse_reply_err(req, ENOSYS);
      return;
    }
    const auto found = ops.branch_.seek(Ino{ino}, static_cast<std::uint64_t>(offset), whence);
    if (!found) return ops.reply_error(req, found.error(), Op::lseek, Ino{ino});
    ::fuse_reply_lseek(req, static_cast<::off_t>(*found));
  }

  static void copy_file_range(fuse_req_t req, fuse_ino_t from, ::off_t from_offset, ::fuse_file_info*,
                              fuse_ino_t to, ::off_t to_offset, ::fuse_file_info*, std::size_t length,
                              int flags) {
    auto& ops = self(req);
    ops.counters_.add(Op::copy_file_range);
    if (flags != 0) {
      ::fuse_reply_err(req, EINVAL);
      return;
    }
    ops.run(req, [&ops, req, from, from_offset, to, to_offset, length] {
      const auto n =
          ops.branch_.copy_range(Ino{from}, static_cast<std::uint64_t>(from_offset), Ino{to},
                                 static_cast<std::uint64_t>(to_offset), std::min(length, kMaxCopy));
      if (!n) return ops.reply_error(req, n.error(), Op::copy_file_range, Ino{from});
      ::fuse_reply_write(req, *n);
    });
  }
};

// What is missing answers ENOSYS, which tells the kernel never to ask again: xattrs, flush and release
// (nothing to do at close), access (default_permissions), getlk, setlk and flock (the kernel keeps locks
// itself), ioctl, bmap, poll.
const ::fuse_lowlevel_ops& Operations::table() {
  static const ::fuse_lowlevel_ops ops = [] {
    ::fuse_lowlevel_ops o{};
    o.init = Handlers::init;
    o.lookup = Handlers::lookup;
    o.forget = Handlers::forget;
    o.forget_multi = Handlers::forget_multi;
    o.getattr = Handlers::getattr;
    o.setattr = Handlers::setattr;
    o.readlink = Handlers::readlink;
    o.mknod = Handlers::mknod;
    o.mkdir = Handlers::mkdir;
    o.unlink = Handlers::unlink;
    o.rmdir = Handlers::rmdir;
    o.symlink = Handlers::symlink;
    o.rename = Handlers::rename;
    o.link = Handlers::link;
    o.open = Handlers::open;
    o.create = Handlers::create;
    o.read = Handlers::read;
    o.write = Handlers::write;
    o.fsync = Handlers::fsync;
    o.fsyncdir = Handlers::fsyncdir;
    o.opendir = Handlers::opendir;
    o.readdir = Handlers::readdir;
    o.readdirplus = Handlers::readdirplus;
    o.releasedir = Handlers::releasedir;
    o.statfs = Handlers::statfs;
    o.fallocate = Handlers::fallocate;
    o.lseek = Handlers::lseek;
    o.copy_file_range = Handlers::copy_file_range;
    return o;
  }();
  return ops;
}

}  // namespace branchfs
