// The FUSE low-level operations of a mount: each request becomes one call of Branch.
//
// FUSE's node id is the branch's inode number. Permissions are the kernel's affair (default_permissions);
// what a creation inherits (owner, set-group-ID directories) is decided here. Owner: main; lives longer than
// the session. Threads: operations run on libfuse's threads, any number at once; no lock is held across a
// reply. Durability: what Branch says. Errors: Branch's errno goes to the caller; damage and I/O errors are
// also logged, each once.
//
// What the kernel may cache, and why that is right: the daemon is the only writer and every change comes
// through the kernel, so names (also absent ones), attributes and pages never expire. The kernel itself drops
// what a change makes stale: size, mtime, ctime and blocks after a write, fallocate or copy; ctime and nlink
// after link, unlink and rename; the directory's attributes after any change of its names. setattr, link and
// create answer with the new attributes.
//
// Without the writeback cache open is answered ENOSYS: the kernel then opens files by itself and keeps their pages. It truncates through
// setattr (atomic_o_trunc is off), appends at the size it knows, and sends O_DIRECT reads and writes as they
// come. xattrs are answered ENOSYS as well, or each write would first ask for security.capability.
// Set-user-ID and set-group-ID bits are cleared by the kernel (HANDLE_KILLPRIV off), which sends the new mode
// as a setattr before the write.
#pragma once

#include <fuse_lowlevel.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_set>

#include "fs/counters.h"
#include "fs/log_files.h"
#include "fs/owner_map.h"
#include "fs/request_pool.h"
#include "layers/branch/branch.h"

namespace branchfs {

struct Negotiated {
  unsigned proto_major = 0;
  unsigned proto_minor = 0;
  bool writeback = false;
};

class Operations {
 public:
  struct Options {
    OwnerMap owners;
    bool writeback = false;
    bool io_uring = true;
    std::string wal;  // with writeback: the directory in the root that holds a log (LogFiles)
    // Called once, on a request thread, when kernel and daemon agreed on their protocol.
    std::function<void(const Negotiated&)> on_init;
  };

  Operations(Branch& branch, Options options);

  // No request is being worked on any more when this returns. To be called before the session goes, which the replies need.
  void finish() { pool_.finish(); }

  // libfuse's table; its userdata must be an Operations*.
  static const ::fuse_lowlevel_ops& table();
  [[nodiscard]] const Counters& counters() const { return counters_; }
  // Whether requests come through FUSE over io_uring.
  [[nodiscard]] bool uses_io_uring() const { return uses_io_uring_.load(std::memory_order_relaxed); }

 private:
  friend struct Handlers;
  [[nodiscard]] struct ::stat to_stat(const Attr& attr);
  void reply_entry(fuse_req_t req, const Result<Attr>& attr, Op op, Ino ino);
  void reply_error(fuse_req_t req, const Error& error, Op op, Ino ino);
  void reply_status(fuse_req_t req, const Status& status, Op op, Ino ino);
  // Owner and inherited bits of something new in `parent`.
  Result<NewNode> new_node(fuse_req_t req, Ino parent, const char* name, ::mode_t mode);
  void log_once(const Error& error, Op op, Ino ino);
  ::fuse_entry_param entry_of(const Attr& attr);
  // Runs what may wait for a disk where it holds up nobody else; it replies to `req` itself.
  template <class Work>
  void run(fuse_req_t req, Work work);

  Branch& branch_;
  Options options_;
  Counters counters_;
  std::mutex logged_mutex_;
  std::unordered_set<std::string> logged_;
  std::atomic<bool> uses_io_uring_{false};
  LogFiles log_files_;  // none without writeback
  RequestPool pool_;  // last: its jobs use all of the above
};

}  // namespace branchfs
