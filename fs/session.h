// The connection to the kernel: mounts, serves requests until the kernel lets go, reacts to signals.
//
//   made ─ mount() ─→ mounted ─ run() ─→ serving ─ umount, detach(), SIGTERM/INT/HUP ─→ draining ─→ run()
//   returns
//
// Draining is the kernel's: the mount is out of sight, but whoever has a file open in it goes on being
// served; when the last one is gone the kernel closes the connection. run() then returns and the caller makes
// the branch durable. SIGTERM, SIGINT and SIGHUP must be blocked (block_signals) before the first thread is
// made: a thread of the session takes them. Threads: detach() from any thread, the rest from main.
#pragma once

#include <fuse_lowlevel.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "fs/operations.h"
#include "layers/base/result.h"

namespace branchfs {

struct SessionOptions {
  std::string mountpoint;  // canonical
  std::string source;      // what df and /proc/mounts show: STORE:BRANCH
  bool read_only = false;
  bool allow_other = false;
  bool io_uring = true;
  bool suid = false;
  bool dev = false;
  std::vector<std::string> kernel_flags;
};

class Session {
 public:
  static void block_signals();
  // The reasons why mounting cannot work, with what to do about each, before anything is done.
  static Status check_environment(const SessionOptions& options);

  // `operations` outlives the session.
  static Result<std::unique_ptr<Session>> mount(Operations& operations, SessionOptions options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Serves until the kernel lets go. `on_ready` is called once, from another thread, when the mount answers;
  // false from it ends the session again.
  Status run(const std::function<bool()>& on_ready);
  // Takes the mount out of sight; run() returns when its last user is gone.
  Status detach();
  [[nodiscard]] const std::string& mountpoint() const { return options_.mountpoint; }

 private:
  explicit Session(SessionOptions options) : options_(std::move(options)) {}
  void watch_signals();
  void announce(const std::function<bool()>& on_ready);
  void raise_readahead() const;
  void disconnect();

  SessionOptions options_;
  ::fuse_session* fuse_ = nullptr;
  std::string device_;  // MAJOR:MINOR of the mount
  int signal_fd_ = -1;
  int stop_fd_ = -1;
  ::pthread_t loop_thread_{};
  bool mounted_ = false;
};

}  // namespace branchfs
