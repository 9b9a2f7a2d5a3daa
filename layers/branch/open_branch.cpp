#include "layers/branch/open_branch.h"

#include <fcntl.h>

#include <charconv>
#include <chrono>
#include <unordered_set>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace branchfs {

Result<std::unique_ptr<Branch>> Branch::open(std::shared_ptr<Store> store, const std::string& name,
                                             BranchOptions options) {
  BFS_ASSIGN(Manifest manifest, store->read_manifest(name));
  const bool may_look = manifest.state == kSalvaged && options.mode == OpenMode::read_only;
  if (manifest.state != "ready" && !may_look && !options.any_state) {
    return make_error(Kind::refused, fmt::format("branch \"{}\" is {}, not ready", name, manifest.state));
  }
  LockMode mode = options.mode == OpenMode::read_write ? LockMode::exclusive : LockMode::shared;
  BFS_ASSIGN(BranchLock lock, store->lock_branch(name, mode));
  auto branch = std::make_unique<OpenBranch>(std::move(store), name, std::move(options), std::move(lock));
  BFS_TRY(branch->start());
  return std::unique_ptr<Branch>(std::move(branch));
}

OpenBranch::OpenBranch(std::shared_ptr<Store> store, std::string name, BranchOptions options, BranchLock lock)
    : store_(std::move(store)), name_(std::move(name)), options_(std::move(options)), lock_(std::move(lock)) {}

Status OpenBranch::start() {
  bool write = options_.mode == OpenMode::read_write;
  read_only_ = !write;
  bool was_left = false;
  if (write) {
    BFS_ASSIGN(was_left, lock_.is_described());
    BFS_TRY(lock_.describe_holder(options_.holder));
    BFS_TRY(make_open_delta());
    BFS_TRY(store_->settle());  // syncs are going to be acknowledged that rely on what the manifest says
  }
  // Read again: only now is the lock ours, and a create from this branch may have frozen its delta just before.
  BFS_ASSIGN(Manifest manifest, store_->read_manifest(name_));
  BFS_ASSIGN(view_, View::open(store_, manifest.stack, manifest.delta, write));
  next_ino_ = std::max(manifest.next_ino.v, view_->next_ino().v);
  BFS_ASSIGN(NodePtr root, view_->reference(kRootIno));
  if (!root || !root->is_dir()) return make_error(Kind::damaged, fmt::format("branch \"{}\" has no root", name_));
  if (!write) return {};
  current_ = view_->delta_count() - 1;
  if (was_left) inherited_ = current_.load();
  BFS_TRY(recover());
  for (std::size_t i = 0; i < current_; ++i) {
    const Delta& delta = view_->delta(i);
    if (!delta.sealed()) {
      to_seal_.push_back(i);
    } else if (delta.sums() == nullptr || !delta.sums()->complete()) {
      to_sum_.push_back(i);
    }
  }
  sealer_ = std::thread([this] { sealer(); });
  if (options_.flush_interval > 0) flusher_ = std::thread([this] { flusher(); });
  return {};
}

// The first open for writing after a create finds no open delta: creating a branch wrote a manifest and nothing else.
Status OpenBranch::make_open_delta() {
  BFS_ASSIGN(Manifest manifest, store_->read_manifest(name_));
  if (manifest.delta.valid()) return {};
  BFS_ASSIGN(StoreLock lock, store_->lock());
  BFS_ASSIGN(manifest, store_->read_manifest(name_));
  manifest.delta = store_->env().new_id();
  BFS_TRY(Delta::create(store_->env(), store_->delta_dir(manifest.delta), manifest.delta));
  return store_->write_manifest(lock, name_, manifest);
}

// After a crash: what was written but not synced is still to be synced, and data files of deleted inodes go.
Status OpenBranch::recover() {
  for (const NodePtr& node : view_->touched_nodes()) {
    const bool grew = node->is_regular() && !owns(*node) && node->journaled_size != node->attr.size;
    if (!node->pending.empty() || grew) mark_dirty(*node);
  }
  // Our records may reach the disk by themselves from now on, and must not do so before those they build upon.
  BFS_TRY(sync_older(kNoIno, current_));
  // What was replayed may be in the host's memory only, and nobody knows any more which record an inode's next sync depends on.
  if (!open_delta().journal().empty()) BFS_TRY(open_delta().journal().sync(open_delta().journal().end()));
  std::string files = store_->delta_dir(open_delta().id()) + "/f";
  BFS_ASSIGN(auto items, store_->env().list(files));
  std::unordered_set<std::string> names;
  for (const DirItem& item : items) names.insert(item.name);
  for (const NodePtr& node : view_->touched_nodes()) {
    const bool has_blocks = node->sources.any_from(BlockNo{0}, own());
    if (has_blocks && !names.contains(Delta::file_name(node->attr.ino))) node->is_lost = true;
  }
  for (const DirItem& item : items) {
    Ino ino;
    auto parsed = std::from_chars(item.name.data(), item.name.data() + item.name.size(), ino.v, 16);
    bool is_number = parsed.ec == std::errc{} && parsed.ptr == item.name.data() + item.name.size();
    BFS_ASSIGN(NodePtr node, view_->node(ino));
    bool needed = is_number && node &&
                  (node->owner == current_ || node->sources.any_from(BlockNo{0}, own()));
    if (!needed) {
      BFS_TRY(store_->env().unlink(files + "/" + item.name));
    }
    if (is_number) next_ino_ = std::max(next_ino_.load(), ino.v + 1);
  }
  return {};
}

OpenBranch::~OpenBranch() {
  {
    std::lock_guard lock(background_mutex_);
    stopping_ = true;
    background_wakes_.notify_all();
  }
  if (flusher_.joinable()) flusher_.join();
  if (sealer_.joinable()) sealer_.join();
  if (options_.mode != OpenMode::read_write || !view_ || current_ == kNoDelta) return;
  if (Status synced = sync_all(); !synced) {
    spdlog::error("branch {}: closing: {}", name_, synced.error().what);
    return;
  }
  if (Status forgotten = lock_.forget_holder(); !forgotten) spdlog::error("branch {}: closing: {}", name_, forgotten.error().what);
}

void OpenBranch::flusher() {
  using namespace std::chrono;
  // Names and the fact that blocks are there: every interval. Data itself: every few intervals, so that a checkpoint's spread
  // writes are not turned into synchronous ones.
  constexpr unsigned kIntervalsPerSync = 4;
  unsigned interval = 0;
  for (;;) {
    {
      std::unique_lock lock(background_mutex_);
      background_wakes_.wait_for(lock, seconds(options_.flush_interval), [&] { return stopping_; });
      if (stopping_) return;
    }
    if (read_only()) continue;
    Status done = ++interval % kIntervalsPerSync == 0 ? sync_all() : flush();
    if (!done) sync_failed(done.error());
  }
}

void OpenBranch::fail(const Error& error) {
  if (read_only_.exchange(true)) return;
  spdlog::error("branch {}: {}; the branch is read-only until it is opened again", name_, error.what);
}

void OpenBranch::give_up(const Error& error) {
  lost_write_.store(true);
  fail(error);
}

Status OpenBranch::writable() const {
  if (read_only_.load(std::memory_order_relaxed)) return posix_error(EROFS);
  return {};
}

Result<NodePtr> OpenBranch::need(Ino ino) {
  BFS_ASSIGN(NodePtr found, view_->node(ino));
  if (!found) return posix_error(ESTALE);
  return found;
}

Result<NodePtr> OpenBranch::need_dir(Ino ino) {
  BFS_ASSIGN(NodePtr found, need(ino));
  if (!found->is_dir()) return posix_error(ENOTDIR);
  return found;
}

Result<NodePtr> OpenBranch::need_file(Ino ino) {
  BFS_ASSIGN(NodePtr found, need(ino));
  if (found->is_dir()) return posix_error(EISDIR);
  if (!found->is_regular()) return posix_error(EINVAL);
  return found;
}

Attr OpenBranch::root_attr() {
  NodePtr root = view_->cached(kRootIno);
  std::shared_lock lock(root->mutex);
  return root->attr;
}

Branch::FreezePause OpenBranch::freeze_pause() const {
  std::lock_guard lock(pause_mutex_);
  return pause_;
}

}  // namespace branchfs
