// The implementation of Branch: a View plus everything that writing needs.
//
// Locks, in the order they are taken (layers/README.md): gate_ (passed by every change, closed by freeze) → names_mutex_
// → Node::sync_mutex → Node::mutex → dirty_mutex_, removals_mutex_, the journal's own.
// No lock is held across fdatasync except Node::sync_mutex (which only other syncs of the same inode take) and, when a
// file shrinks that has durable blocks in the open delta, that file's Node::mutex.
//
// What an open delta's records may say, and when (P2, P8):
//  - "present" only after the data is durable; until then the range is Node::pending.
//  - a size that grew only together with the data that it covers; until then Node::journaled_size is told.
//  - data a record removes is destroyed only after that record is durable.
// An inode's states reach the journal in the order they were taken because every edit that carries one is built and
// appended under names_mutex_: exclusively by changes of names and attributes, shared (plus Node::mutex) by syncs.
#pragma once

#include <condition_variable>
#include <deque>
#include <thread>

#include "layers/branch/branch.h"
#include "layers/branch/gate.h"
#include "layers/branch/view.h"

namespace branchfs {

class OpenBranch final : public Branch {
 public:
  OpenBranch(std::shared_ptr<Store> store, std::string name, BranchOptions options, BranchLock lock);
  ~OpenBranch() override;
  Status start();

  Result<Attr> lookup(Ino parent, std::string_view name) override;
  void forget(Ino ino, std::uint64_t references) override;
  Result<Attr> getattr(Ino ino) override;
  Result<Attr> setattr(Ino ino, const SetAttr& change) override;
  Result<Attr> create(const NewNode& node) override;
  Result<Attr> link(Ino ino, Ino parent, std::string_view name) override;
  Status unlink(Ino parent, std::string_view name) override;
  Status rmdir(Ino parent, std::string_view name) override;
  Status rename(Ino parent, std::string_view name, Ino new_parent, std::string_view new_name, unsigned flags) override;
  Result<std::string> readlink(Ino ino) override;
  Result<std::vector<NameEntry>> list(Ino dir) override;
  Result<Ino> parent_of(Ino dir) override;

  Result<std::size_t> read(Ino ino, std::uint64_t offset, std::span<std::byte> out) override;
  Status write(Ino ino, std::uint64_t offset, std::span<const std::byte> data) override;
  bool wanted_on_disk(Ino ino, std::size_t bytes) override;
  void begin_writing_out(Ino ino) override;
  Status sync(Ino ino, bool data_only) override;
  Status sync_dir(Ino dir) override;
  Status allocate(Ino ino, int mode, std::uint64_t offset, std::uint64_t length) override;
  Result<std::uint64_t> seek(Ino ino, std::uint64_t offset, int whence) override;
  Result<std::uint64_t> copy_range(Ino from, std::uint64_t from_offset, Ino to, std::uint64_t to_offset,
                                   std::uint64_t length) override;
  Result<struct ::statvfs> statfs() override;
  Result<std::uint64_t> blocks_512(Ino ino) override;

  Status sync_all() override;
  Status flush() override;
  Result<Frozen> freeze(const StoreLock& lock, const std::string& name) override;
  [[nodiscard]] FreezePause freeze_pause() const override;
  void give_up(const Error& error) override;
  [[nodiscard]] bool read_only() const override { return read_only_.load(); }
  [[nodiscard]] Attr root_attr() override;

 private:
  struct Renaming;

  // --- open_branch.cpp
  Status make_open_delta();
  Status recover();
  Result<NodePtr> need(Ino ino);
  Result<NodePtr> need_dir(Ino ino);
  Result<NodePtr> need_file(Ino ino);
  Status writable() const;
  [[nodiscard]] Delta& open_delta() { return view_->delta(current_.load()); }
  JournalPosition record(const Edit& edit);
  void fail(const Error& error);
  void sync_failed(const Error& error);
  void flusher();

  // --- open_branch_names.cpp; names_mutex_ held
  InodeItem state_of(Node& node);
  void touch_dir(Node& dir, Edit& edit);
  void bind(Node& dir, const std::string& name, Node::Name value, Edit& edit, bool below);
  void drop_link(Node& node, Edit& edit);
  void settle_removed(const NodePtr& node);
  Result<NodePtr> find_child(Node& dir, std::string_view name);
  Status require_empty(Node& dir);
  Status require_above(const NodePtr& moved, const NodePtr& dir);
  Status check_rename(Renaming& r, unsigned flags);
  Status exchange(Renaming& r);
  Status replace(Renaming& r);
  void move_dir(Node& moved, Node& from, Node& to);

  // --- open_branch_data.cpp; Node::mutex held exclusively
  [[nodiscard]] Source own() const { return Source::delta(current_.load()); }
  [[nodiscard]] bool owns(const Node& node) const { return node.owner != kNoDelta && node.owner == current_.load(); }
  Result<std::shared_ptr<File>> own_file(Node& node);
  Status write_owned(Node& node, std::uint64_t offset, std::span<const std::byte> data);
  Status write_shadow(Node& node, std::uint64_t offset, std::span<const std::byte> data);
  Status bring_up(Node& node, BlockNo block);
  Status zero_gap(Node& node, std::uint64_t new_size);
  void mark_present(Node& node, BlockRange range);
  Status resize(Node& node, std::uint64_t size);
  Status shrink_shadow(Node& node, std::uint64_t size);
  Status zero_range(Node& node, std::uint64_t offset, std::uint64_t length);
  Status zero_blocks(Node& node, BlockRange range);
  Status share_blocks(Node& from, BlockNo first, Node& to, BlockNo to_first, std::uint64_t count);
  std::optional<CloneItem> clone_of(const Node& from, const Run& run, BlockNo block) const;
  Result<std::uint64_t> copy_bytes(Ino from, std::uint64_t from_offset, Ino to, std::uint64_t to_offset,
                                   std::uint64_t length);
  void grew(Node& node, std::uint64_t size);
  void written(Node& node);

  // --- open_branch_sync.cpp
  void mark_dirty(Node& node);
  std::vector<NodePtr> take_dirty();
  Status sync_data_of(std::span<const NodePtr> nodes);
  Status sync_node(const NodePtr& node, bool data_only);
  void prepare_ahead(Node& node);
  void hand_times_to_host(Node& node);
  Status sync_older(Ino ino, std::size_t current);
  Status sync_journals(std::size_t current, JournalPosition position);
  Status sync_names();
  Status sync_records_of(const Node& node);
  Status make_data_durable(const NodePtr& node, std::size_t epoch);
  struct Synced;
  bool settle_sync(Node& node, const Synced& synced, bool data_only);
  void mark_clean(Node& node);
  void tell_unsynced(Node& node);
  Status wait_for_manifest();
  Status process_removals();
  Status sync_inherited();
  void seal_later(std::size_t index);
  void sealer();
  Status seal_frozen(std::size_t index);
  Sums::Made sum_frozen(std::size_t index);
  void swap_open_delta(std::size_t next);
  struct NextHead;
  struct Instant {
    std::size_t frozen = 0;  // the delta that was the open one
    std::uint64_t next_ino = 0;
    Status flushed;
  };
  Result<NextHead> prepare_head(const StoreLock& lock, const std::string& name, ObjectId next);
  Status reserve_for_unsynced();
  Result<Instant> take_instant(std::unique_ptr<Delta> next, const NextHead& head);

  std::shared_ptr<Store> store_;
  std::string name_;
  BranchOptions options_;
  BranchLock lock_;
  std::unique_ptr<View> view_;
  std::atomic<std::size_t> current_{kNoDelta};  // the open delta's number; changes only with the gate closed
  std::atomic<std::uint64_t> next_ino_{2};
  std::atomic<bool> read_only_{false};
  std::atomic<bool> lost_write_{false};  // give_up()

  Gate gate_;
  std::shared_mutex names_mutex_;

  std::mutex dirty_mutex_;
  std::unordered_map<Ino, NodePtr> dirty_;

  struct Removal {
    std::size_t delta = 0;
    JournalPosition after = 0;
    Ino ino;
  };
  std::mutex removals_mutex_;
  std::deque<Removal> removals_;  // data files to remove once the journal says durably that the inode is gone

  std::mutex manifest_mutex_;
  std::condition_variable manifest_changed_;
  bool manifest_pending_ = false;  // memory points at the new delta, the manifest does not yet
  std::atomic<std::size_t> older_synced_{0};  // deltas below this number have durable journals
  // The delta into which a process wrote that ended without closing it, until all that it wrote is durable; else kNoDelta.
  std::atomic<std::size_t> inherited_{kNoDelta};

  mutable std::mutex pause_mutex_;
  FreezePause pause_;

  std::mutex background_mutex_;
  std::condition_variable background_wakes_;
  bool stopping_ = false;
  std::deque<std::size_t> to_seal_;
  std::deque<std::size_t> to_sum_;  // sealed, without all their checksums …
  std::vector<std::size_t> to_sum_later_;  // … which another process was making when we looked, or for which there was no room or descriptor
  std::thread flusher_;
  std::thread sealer_;
};

}  // namespace branchfs
