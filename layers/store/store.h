// The store: a directory that holds branches, deltas and layers (layers/FORMAT.md §1).
//
// There is no store daemon. Processes agree through the store lock (short transactions only: a few
// small files written, never a copy of data) and through one lock per branch (held as long as the branch is open
// for writing, P9). Threads: a Store is immutable after open(); any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "layers/format/layer.h"
#include "layers/io/env.h"
#include "layers/store/manifest.h"

namespace branchfs {

inline constexpr std::uint32_t kStoreVersion = 1;

// Proof that the store lock is held; released when destroyed.
class StoreLock {
 public:
  explicit StoreLock(std::unique_ptr<File> file) : file_(std::move(file)) {}

 private:
  friend class Store;
  std::unique_ptr<File> file_;
  mutable bool changing_ = false;
};

// Proof that a branch is held (exclusive: for writing, shared: read-only mount). Released when destroyed.
class BranchLock {
 public:
  explicit BranchLock(std::unique_ptr<File> file) : file_(std::move(file)) {}
  // Says who holds it, for the second attempt's error: JSON {"pid":…,"mountpoint":…,"what":…}.
  Status describe_holder(const nlohmann::json& holder);
  // A description that nobody took back: the last holder ended in the midst of its work.
  Result<bool> is_described() const;
  Status forget_holder();

 private:
  std::unique_ptr<File> file_;
};

struct BranchInfo {
  std::string name;
  Manifest manifest;
};

// [A-Za-z0-9][A-Za-z0-9._/-]{0,62}, no "..", no empty component, none beginning with '.' or '-', no trailing '/'.
Status check_branch_name(std::string_view name);

class Store {
 public:
  // Makes an empty store in `dir` (created 0700 if missing; must be empty). Kind::exists when it is a store already.
  static Status init(Env& env, const std::string& dir);
  // The directories of a store, and the file that makes a directory one, with a new id.
  static constexpr const char* kDirs[] = {"branches", "deltas", "layers", "trash", "reap"};
  static Status write_store_file(Env& env, const std::string& dir);
  // Refuses what is not a store (not_found), a newer format, and what somebody else could have prepared or could exchange: one owned by
  // another user (also for root), writable for everyone or below a directory that is (unless sticky), and for root below another user's
  // directory (refused). Under sudo what belongs to its caller is as good as root's.
  static Result<std::shared_ptr<Store>> open(Env& env, const std::string& dir);

  [[nodiscard]] Env& env() const { return env_; }
  [[nodiscard]] const std::string& dir() const { return dir_; }
  [[nodiscard]] ObjectId id() const { return id_; }
  [[nodiscard]] LayerSet& layers() const { return *layers_; }

  // The only place where file names of the store are made.
  [[nodiscard]] std::string branches_dir() const { return dir_ + "/branches"; }
  [[nodiscard]] std::string branch_dir(std::string_view name) const;
  [[nodiscard]] std::string deltas_dir() const { return dir_ + "/deltas"; }
  [[nodiscard]] std::string delta_dir(ObjectId id) const { return deltas_dir() + "/" + id.hex(); }
  [[nodiscard]] std::string layers_dir() const { return dir_ + "/layers"; }
  [[nodiscard]] std::string layer_path(ObjectId id) const { return layers_dir() + "/" + id.hex() + ".layer"; }
  // A layer being written; its writer holds an exclusive flock on it, so gc can tell a dead one.
  [[nodiscard]] std::string layer_tmp_path(ObjectId id) const { return layers_dir() + "/" + id.hex() + ".tmp"; }
  [[nodiscard]] std::string trash_dir() const { return dir_ + "/trash"; }
  [[nodiscard]] std::string reap_dir() const { return dir_ + "/reap"; }
  static Result<std::string> decode_branch_dir(std::string_view encoded);

  Result<StoreLock> lock() const;
  // Kind::busy with the holder's description when someone else holds it.
  Result<BranchLock> lock_branch(const std::string& name, LockMode mode) const;
  // Who holds the branch: JSON as written by describe_holder, or null when nobody does.
  Result<nlohmann::json> branch_holder(const std::string& name) const;
  // Whether the last one that had the branch open for writing ended without closing it: what it had not synced may be lost. busy: open.
  Result<bool> was_left_open(const std::string& name) const;

  [[nodiscard]] bool has_branch(const std::string& name) const;  // no where the host cannot tell: for hints, not to replace something
  Result<Manifest> read_manifest(const std::string& name) const;  // not_found: "no branch \"x\""
  // Writes the branch's name into it, and no other name it had unless `renamed_from` is given.
  Status write_manifest(const StoreLock&, const std::string& name, const Manifest& manifest,
                        const std::string& renamed_from = {}) const;
  // The same in two steps, of which the second needs no room on the disk; until then nothing has changed.
  Result<std::string> prepare_manifest(const StoreLock&, const std::string& name, const Manifest& manifest) const;
  Status publish_manifest(const StoreLock&, const std::string& name, const std::string& prepared) const;
  // Runs `change`, which renames manifests or branches and syncs the directories. While it runs, and for good when it fails or its process
  // dies, the store says that what programs see may not be durable: whoever is going to rely on that settles it first.
  Status change(const StoreLock& lock, const std::function<Status()>& change) const;
  // Makes the names of all manifests and branches durable, if a change was not completed. To be called before something is removed, or
  // acknowledged, because of what a manifest says. Waits for a change that is under way.
  Status settle() const;
  Status settle(const StoreLock& lock) const;
  // Branches sorted by name. A manifest that does not decode is reported to `damaged` and left out.
  Result<std::vector<BranchInfo>> list(
      const std::function<void(const std::string& name, const Error&)>& damaged = {}) const;
  Result<std::string> name_of(ObjectId branch) const;  // linear; not_found when gone

  // Moves a file or directory of the store to trash/ (a rename; freed by empty_trash or gc). Where a full disk has no
  // room for that it is removed in place. The caller holds whatever keeps others from using it.
  Status trash(const std::string& path) const;
  Status empty_trash() const;
  // What trash() does on a full disk. Needs no room; a crash half-way leaves garbage.
  Status remove_in_place(const std::string& path) const;

 private:
  Store(Env& env, std::string dir, ObjectId id);
  [[nodiscard]] std::string settled_path() const { return dir_ + "/settled"; }
  [[nodiscard]] Result<bool> is_settled() const;
  Status mark_unsettled(const StoreLock& lock) const;
  void mark_settled(const StoreLock& lock) const;
  Env& env_;
  std::string dir_;
  ObjectId id_;
  std::unique_ptr<LayerSet> layers_;
};

}  // namespace branchfs
