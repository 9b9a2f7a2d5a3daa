// Answers the tools' requests about a mount, on the branch's control socket (layers/store/control.h).
//
//   {"op":"status"}             pid, mountpoint, versions, transport, cache mode, freeze pauses, requests by
//   operation
//   {"op":"flush"}              hands everything to the host's kernel
//   {"op":"sync"}               makes everything durable
//   {"op":"freeze","name":N}    → {"ok":true,"stack":[ID…],"next_ino":N,"pause_us":N}; the caller holds the
//   store lock
//   {"op":"unmount"}            takes the mount out of sight; the process ends with its last user
//
// Owner: main; stopped before the branch is closed, so the socket's name is removed while the branch's lock
// is still held and cannot be a successor's. Threads: one accepts, one per connection serves (at most
// kMaxConnections; more wait in the kernel's queue). A caller that stalls costs its own thread for a few
// seconds, nobody else anything.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "fs/operations.h"
#include "layers/branch/branch.h"

namespace branchfs {

struct MountFacts {
  std::string store;
  std::string branch;  // as it was called when mounted
  std::string mountpoint;
};

class ControlServer {
 public:
  static constexpr unsigned kMaxConnections = 16;

  // `unmount` is called on a server thread.
  static Result<std::unique_ptr<ControlServer>> start(const std::string& branch_dir, Branch& branch,
                                                      const Operations& operations, MountFacts facts,
                                                      std::function<Status()> unmount);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  // Known once the kernel has answered; status shows it.
  void set_negotiated(const Negotiated& negotiated);
  // One request, one answer. Public for tests.
  nlohmann::json answer(const nlohmann::json& request);

 private:
  ControlServer(Branch& branch, const Operations& operations, MountFacts facts,
                std::function<Status()> unmount);
  void accept_loop();
  void serve(int connection);
  nlohmann::json status();
  Result<nlohmann::json> freeze(const std::string& name);

  Branch& branch_;
  const Operations& operations_;
  MountFacts facts_;
  std::function<Status()> unmount_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  int dir_fd_ = -1;
  int listen_fd_ = -1;
  int stop_fd_ = -1;
  std::mutex mutex_;
  std::condition_variable finished_;
  unsigned connections_ = 0;
  Negotiated negotiated_;
  std::thread thread_;
};

}  // namespace branchfs
