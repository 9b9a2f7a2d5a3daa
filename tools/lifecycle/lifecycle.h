// What runs on a branch: nothing, a mount, a mount and a server; and how to get from one to another.
//
//                 ensure_mounted             ensure_started
//     offline  ───────────────────▶ mounted ────────────────▶ running
//        ▲  ◀───────────────────       │  ◀────────────────      │
//        │       ensure_unmounted      │      ensure_stopped     │ server dies
//        │                             │ daemon dies             ▼
//        └──────── repair ◀──────── stale ◀─── daemon dies ── crashed ──▶ ensure_started: crash recovery
//
// The state is derived each time from what the kernel and the processes say (the branch lock and what its last
// holder wrote into it, the mount point, postmaster.pid, the socket's lock file), never stored: nothing can disagree with reality after a crash. Every ensure_… begins with
// repair: a mount whose daemon died is lazily unmounted, a server that lost its mount is ended. Changes need
// the branch's OperationLock; observe() needs nothing and may be outdated when it returns.
// Errors: busy (someone else holds the branch, files are open), not_found, failed with the last line of the child's stderr.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "layers/store/branches.h"
#include "tools/lifecycle/mounts.h"
#include "tools/lifecycle/operation_lock.h"
#include "tools/lifecycle/server.h"

namespace branchfs {

enum class MountState : std::uint8_t { none, mounted, stale };
struct BranchState {
  MountState mount = MountState::none;
  std::string mountpoint;  // when mounted or stale
  nlohmann::json holder;   // who has the branch open, as layers/store tells it; null: nobody
  pg::ServerStatus server;

  [[nodiscard]] bool held() const { return !holder.is_null(); }
  // A server process is there, ready or not.
  [[nodiscard]] bool serving() const { return mount == MountState::mounted && server.pid != 0; }
  // "offline", "mounted", "starting", "running", "stopping", "crashed" (a server died), "stale" (a mount's daemon
  // died), "busy" (open by something that is no mount, such as pack).
  [[nodiscard]] const char* word() const;
};

// What a server or its client says when the store's disk is full is only what follows from that: then this says it first.
Error explain_full_disk(const Store& store, Error said);

Result<BranchState> observe(const Store& store, const BranchInfo& branch);

struct MountRequest {
  std::string dir;  // empty: the default mount point
  bool read_only = false;
  std::string options;  // further -o options, comma-separated
  std::string sealed;   // the masking run that asks: the branch need not be ready
  // The kernel keeps writes for a while, which is much faster: for a server that survives a power cut, or whose data nobody wants after
  // one and that nobody branches from (fs/README.md).
  bool keep_writes = false;
};
// MountRequest::options for root's --user: the mount shows that user as the owner of the data. Empty for anybody else.
Result<std::string> owner_options(const std::string& user);
// The mount point. busy when it is mounted elsewhere than asked.
Result<std::string> ensure_mounted(Store& store, const OperationLock& lock, const MountRequest& request);
// The same, and the branch is ready for a server that is started by hand (configure_on()). What stands in the way of
// that, such as a missing major version, is a warning: the files are there.
Result<std::string> ensure_mounted_for_use(Store& store, const OperationLock& lock, const MountRequest& request,
                                           const Warn& warn);
// Stops nothing: busy while a server runs or files are open (urgent: detaches it all the same).
Status ensure_unmounted(Store& store, const OperationLock& lock, bool urgent = false);
// After that: an error when the mount process ended without having made everything durable that programs had written.
Status require_closed(const Store& store, const std::string& name);

// Mounts if need be, prepares the branch on its first start, starts the server and waits until it answers.
// Warnings (a preload library that is not installed) go to `warn`.
Result<pg::Access> ensure_started(Store& store, const OperationLock& lock, const StartRequest& request,
                                const Warn& warn);
// False when nothing ran. `urgent`: immediate shutdown, for data that nobody wants any more.
Result<bool> ensure_stopped(Store& store, const OperationLock& lock, bool urgent = false);

// Before a branch is taken from `parent`: a CHECKPOINT, if asked for and a server runs on it; what stands in its way is a warning. busy
// where the child could miss writes that its recovery would not make good (P1): the kernel keeps writes of the parent, whose server
// runs without fsync or full_page_writes.
Status prepare_parent(const Store& store, const BranchInfo& parent, bool checkpoint, const Warn& warn);

// Stopped and unmounted, whatever it was.
Status take_down(Store& store, const OperationLock& lock, bool urgent);

struct RemoveOptions {
  bool urgent = false;             // the data is not wanted any more: immediate shutdown, lazy unmount
  bool ignore_protection = false;
  std::function<bool(const Manifest&)> only_if = {};  // asked under the operation lock; false: kept, no error
};
// Takes the branch down and deletes it with everything it has outside of its store directory. The rules (protected,
// children) are checked before anything is stopped.
Status remove_branch(Store& store, const std::string& name, const RemoveOptions& options);
// Several, children before their parents. Each holds descriptors until the last is gone: give a few dozen at a time. All are checked,
// then all are taken down, then all are deleted.
Status remove_branches(Store& store, std::span<const std::string> names, const RemoveOptions& options);

}  // namespace branchfs
