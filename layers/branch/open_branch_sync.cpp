// Durability and freezing.
//
// A sync: (1) what the inode has in frozen deltas that are not sealed yet, (2) its data in the open delta, (3) the record
// that says so, with everything recorded before it, (4) if a freeze is on its way, the manifest. Only then is it acknowledged (P2).
//
// A freeze: the gate closes, what is written but not recorded is told to the old delta's journal as "unsynced" (true unless the
// host loses power before it is synced), memory points at the new delta, the gate opens. Nothing is synced in between, so the pause
// does not depend on how much is dirty; the old delta is sealed in the background (P1, P5).
#include <algorithm>
#include <chrono>
#include <set>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "layers/branch/open_branch.h"
#include "layers/io/background.h"
#include "layers/io/descriptors.h"

namespace branchfs {

void OpenBranch::mark_dirty(Node& node) {
  if (node.dirty) return;
  NodePtr shared = view_->cached(node.attr.ino);
  if (!shared) return;  // deleted, and the last user is just leaving: nothing of it need survive
  node.dirty = true;
  std::lock_guard lock(dirty_mutex_);
  dirty_[node.attr.ino] = std::move(shared);
}

void OpenBranch::mark_clean(Node& node) {
  node.dirty = false;
  std::lock_guard lock(dirty_mutex_);
  dirty_.erase(node.attr.ino);
}

std::vector<NodePtr> OpenBranch::take_dirty() {
  std::lock_guard lock(dirty_mutex_);
  std::vector<NodePtr> nodes;
  nodes.reserve(dirty_.size());
  for (const auto& [ino, node] : dirty_) nodes.push_back(node);
  return nodes;
}

// Where a descriptor was wanting the disk was asked for nothing: what is not durable is still known as such, and the next sync tries again.
void OpenBranch::sync_failed(const Error& error) {
  if (!means_no_descriptor(error.sys)) fail(error);
}

Status OpenBranch::wait_for_manifest() {
  std::unique_lock lock(manifest_mutex_);
  manifest_changed_.wait(lock, [&] { return !manifest_pending_; });
  return writable();
}

// Step 1 of a sync. `current` is the open delta's number when the data was looked at.
Status OpenBranch::sync_older(Ino ino, std::size_t current) {
  for (std::size_t i = 0; i < current; ++i) {
    Delta& delta = view_->delta(i);
    if (delta.sealed()) continue;
    if (ino != kNoIno) BFS_TRY(delta.confirm(ino));
  }
  std::size_t known = older_synced_.load();
  if (known >= current) return {};
  for (std::size_t i = known; i < current; ++i) {
    Delta& delta = view_->delta(i);
    if (!delta.sealed()) BFS_TRY(delta.journal().sync(delta.journal().end()));
  }
  while (known < current && !older_synced_.compare_exchange_weak(known, current)) {
  }
  return {};
}

Status OpenBranch::make_data_durable(const NodePtr& node, std::size_t epoch) {
  Ino ino = node->attr.ino;
  BFS_TRY(wait_for_manifest());  // what is marked as confirmed is never written again: no open delta may be
  BFS_TRY(sync_older(ino, epoch));
  std::set<std::pair<std::size_t, Ino>> shared;  // blocks of others in frozen deltas are its data too
  {
    std::shared_lock lock(node->mutex);
    for (const auto& [first, ref] : node->clones) {
      if (ref.delta != kNoDelta && !view_->delta(ref.delta).sealed()) shared.insert({ref.delta, ref.source});
    }
  }
  for (const auto& [delta, source] : shared) BFS_TRY(view_->delta(delta).confirm(source));
  BFS_ASSIGN(auto file, view_->data_file(epoch, ino, false));
  if (!file) return {};
  BFS_TRY(file->sync_data());
  return view_->delta(epoch).sync_names();
}

// What a sync saw when it began.
struct OpenBranch::Synced {
  std::size_t epoch = 0;
  std::uint64_t size = 0;
  std::uint64_t changes = 0;
};

// Step 3: records what was made durable. False when a freeze came in between: what we synced then belongs to a frozen
// delta, whose records say "unsynced", and has to be confirmed there.
bool OpenBranch::settle_sync(Node& node, const Synced& synced, bool data_only) {
  GatePass pass(gate_);
  std::shared_lock names(names_mutex_);
  std::unique_lock lock(node.mutex);
  if (current_.load() != synced.epoch) return false;
  const bool owned_or_gone = node.attr.nlink == 0 || owns(node);
  // fdatasync of blocks that are all in the journal already: only times are new, and a later sync records those.
  if (data_only && !owned_or_gone && node.syncing.empty() && node.journaled_size == std::min(synced.size, node.attr.size)) {
    return true;
  }
  // A change since then keeps the node in the list: the next sync records it. So do times that the host was not given.
  const bool times_left = data_only && owns(node);
  if (node.changes == synced.changes && !times_left) mark_clean(node);
  if (owned_or_gone) {
    node.syncing.clear();
    node.durable_size = std::min(synced.size, node.attr.size);
    return true;
  }
  bool all_durable = node.pending.empty();
  // The size whose data was synced: not what a writer has added since.
  node.journaled_size = std::min(synced.size, node.attr.size);
  std::uint64_t blocks = blocks_for(node.attr.size);
  bool whole = all_durable && node.attr.size == synced.size && blocks > 0 && node.sources.count(own(), blocks) == blocks;
  Edit edit;
  if (!node.syncing.empty() && !whole) edit.presents.push_back({node.attr.ino, node.syncing.to_vector()});
  node.syncing.clear();
  if (whole) {
    // Every block is here now: nothing below shines through any more, and it needs no records from now on. The data file may be
    // shorter (blocks behind its end were never written) or longer (garbage behind the file's end) than the file.
    auto file = view_->data_file(synced.epoch, node.attr.ino, false);
    const ::timespec times[2] = {node.attr.atime, node.attr.mtime};  // the file's are the truth from now on
    if (file && *file && (*file)->truncate(node.attr.size) && (*file)->set_times(times) && (*file)->sync_data()) {
      View::set_owned(node, synced.epoch);
      node.durable_size = node.attr.size;
    } else {
      edit.presents.push_back({node.attr.ino, {{BlockNo{0}, blocks}}});
    }
  }
  edit.inodes.push_back(state_of(node));
  record(edit);
  return true;
}

// Syncs of a file that is written on and on in small pieces (a log that shadows blocks below, which recycled segments do) would each
// need a second sync, of the record that the new blocks are there. Some blocks ahead are therefore brought up along with them: while
// only those are written nothing new has to be recorded. What this copies is at most what the file is then written to.
void OpenBranch::prepare_ahead(Node& node) {
  constexpr std::uint64_t kFirst = 8;
  constexpr std::uint64_t kMost = 128;
  const std::vector<BlockRange> ranges = node.pending.to_vector();
  if (ranges.empty() || owns(node)) return;
  const BlockRange last = ranges.back();
  const bool goes_on = ranges.size() == 1 && node.synced_to.v >= last.first.v && node.synced_to.v <= last.end();
  node.synced_to = BlockNo{last.end()};
  node.ahead = goes_on ? std::min(std::max(node.ahead * 2, kFirst), kMost) : 0;
  const std::uint64_t end = std::min(last.end() + node.ahead, node.attr.size / kBlockSize);
  for (std::uint64_t block = last.end(); block < end; ++block) {
    if (!bring_up(node, BlockNo{block})) return;  // whoever needs the block will say why not
    node.synced_to = BlockNo{block + 1};
  }
}

// A data file tells its own times after the next mount. The host stamps writes by a clock of its own, which lags by up to a tick, and
// not at all what changes none of its bytes: without this a file's times would step back. Where it fails, that is all that happens.
void OpenBranch::hand_times_to_host(Node& node) {
  if (!node.dirty || !owns(node) || node.is_lost) return;
  const auto file = view_->data_file(current_.load(), node.attr.ino, false);
  const ::timespec times[2] = {node.attr.atime, node.attr.mtime};
  if (file && *file) ignore((*file)->set_times(times));
}

Status OpenBranch::sync_node(const NodePtr& node, bool data_only) {
  std::lock_guard one_at_a_time(node->sync_mutex);
  for (;;) {
    Synced synced;
    bool was_dirty = false;
    {
      GatePass pass(gate_);
      std::unique_lock lock(node->mutex);
      if (data_only) prepare_ahead(*node);
      if (!data_only) hand_times_to_host(*node);
      synced = {current_.load(), node->attr.size, node->changes};
      was_dirty = node->dirty;  // stays in the list until it is recorded: a freeze in between has to find it
      node->syncing.add(node->pending);
      node->pending.clear();
    }
    Status durable = make_data_durable(node, synced.epoch);
    if (!durable) {
      sync_failed(durable.error());
      return durable;
    }
    if (!was_dirty && current_.load() == synced.epoch) break;
    if (settle_sync(*node, synced, data_only)) break;
  }
  return {};
}

// All of the older deltas' journals, and that of delta `current` up to `position`.
Status OpenBranch::sync_journals(std::size_t current, JournalPosition position) {
  Status done = sync_older(kNoIno, current);
  if (done) done = view_->delta(current).journal().sync(position);
  if (!done) {
    sync_failed(done.error());
    return done;
  }
  return wait_for_manifest();
}

Status OpenBranch::sync_names() {
  std::size_t current = 0;
  JournalPosition position = 0;
  {
    GatePass pass(gate_);
    current = current_.load();
    position = view_->delta(current).journal().end();
  }
  return sync_journals(current, position);
}

JournalPosition OpenBranch::record(const Edit& edit) {
  const JournalPosition end = open_delta().append(edit);
  const auto note = [&](Ino ino) {
    if (const NodePtr node = view_->cached(ino)) {
      node->recorded.store(end);
      node->recorded_in.store(current_.load());
    }
  };
  for (const InodeItem& item : edit.inodes) note(item.attr.ino);
  for (const NameItem& item : edit.names) {
    if (item.ino != kNoIno) note(item.ino);
  }
  return end;
}

// What the journals say about the node and its names, not what they say about others.
Status OpenBranch::sync_records_of(const Node& node) {
  std::size_t current = 0;
  JournalPosition position = 0;
  {
    GatePass pass(gate_);
    current = current_.load();
    if (node.recorded_in.load() == current) position = node.recorded.load();
  }
  return sync_journals(current, position);
}

Status OpenBranch::sync(Ino ino, bool data_only) {
  BFS_ASSIGN(NodePtr node, need(ino));
  if (options_.mode != OpenMode::read_write) return {};
  BFS_TRY(writable());
  if (!node->is_regular()) return sync_names();
  BFS_TRY(sync_node(node, data_only));
  return data_only ? sync_records_of(*node) : sync_names();
}

bool OpenBranch::wanted_on_disk(Ino ino, std::size_t bytes) {
  // PostgreSQL's checkpoint_flush_after: small enough that the sync which follows finds most of it done, large enough for the host to
  // put neighbours into one request.
  constexpr std::size_t kEnough = 256U << 10U;
  const NodePtr node = view_->cached(ino);
  if (!node || node->to_write_out.fetch_add(bytes) + bytes < kEnough) return false;
  node->to_write_out.store(0);
  return true;
}

void OpenBranch::begin_writing_out(Ino ino) {
  const auto file = view_->data_file(current_.load(), ino, false);
  if (file && *file) (*file)->start_writeback(0, 0);
}

Status OpenBranch::sync_dir(Ino dir) {
  BFS_ASSIGN(NodePtr node, need_dir(dir));
  if (options_.mode != OpenMode::read_write) return {};
  BFS_TRY(writable());
  return sync_names();
}

// Many at once, which is faster than one after the other: the syncs that follow, which also record, find their data durable. On
// descriptors of its own: the host tells each descriptor of an error once, and the error that these meet must still be there for a sync
// which somebody else waits for.
Status OpenBranch::sync_data_of(std::span<const NodePtr> nodes) {
  std::vector<std::shared_ptr<File>> files;
  std::vector<File*> batch;
  {
    GatePass pass(gate_);
    for (const NodePtr& node : nodes) {
      auto file = open_delta().open_file(node->attr.ino, false, false);
      if (!file && means_no_descriptor(file.error().sys)) break;  // the rest one by one
      if (!file) return std::move(file).error();
      if (!*file) continue;
      batch.push_back(file->get());
      files.push_back(*std::move(file));
    }
  }
  Status done = store_->env().sync_data(batch);
  if (!done) fail(done.error());
  return done;
}

// Data that a killed process wrote is known to nobody but the host.
Status OpenBranch::sync_inherited() {
  const std::size_t inherited = inherited_.load();
  if (inherited == kNoDelta) return {};
  Status synced = view_->delta(inherited).make_durable();
  if (!synced && synced.error().sys != ENOENT) {  // ENOENT: packed and collected meanwhile
    sync_failed(synced.error());
    return synced;
  }
  inherited_.store(kNoDelta);
  return {};
}

Status OpenBranch::sync_all() {
  if (options_.mode != OpenMode::read_write) return {};
  BFS_TRY(writable());
  BFS_TRY(sync_inherited());
  const std::vector<NodePtr> nodes = take_dirty();
  constexpr std::size_t kAtOnce = 64;  // descriptors
  for (std::span<const NodePtr> rest(nodes); !rest.empty();) {
    const auto part = rest.first(std::min(rest.size(), kAtOnce));
    BFS_TRY(sync_data_of(part));
    for (const NodePtr& node : part) BFS_TRY(sync_node(node, false));
    rest = rest.subspan(part.size());
  }
  const std::size_t frozen = current_.load();
  BFS_TRY(sync_names());  // waits for the manifest: until it says so, none of those is frozen
  // What was written before a freeze lies in a delta that the sealer may not have come to yet.
  for (std::size_t i = 0; i < frozen; ++i) BFS_TRY(seal_frozen(i));
  return process_removals();
}

void OpenBranch::tell_unsynced(Node& node) {
  if (owns(node) || node.unsynced_told || node.attr.nlink == 0) return;
  RangeSet ranges = node.pending;
  ranges.add(node.syncing);
  if (ranges.empty() && node.attr.size == node.journaled_size) return;
  Edit edit;
  InodeItem item = state_of(node);
  item.attr.size = node.attr.size;
  edit.inodes.push_back(std::move(item));
  if (!ranges.empty()) edit.presents.push_back({node.attr.ino, ranges.to_vector()});
  open_delta().append_unsynced(node.attr.ino, edit);
  node.unsynced_told = true;
  node.told_in = current_.load();
}

Status OpenBranch::flush() {
  if (options_.mode != OpenMode::read_write) return {};
  BFS_TRY(writable());
  GatePass pass(gate_);
  {
    std::shared_lock names(names_mutex_);
    for (const NodePtr& node : take_dirty()) {
      std::unique_lock lock(node->mutex);
      tell_unsynced(*node);
    }
  }
  return open_delta().journal().flush();
}

Status OpenBranch::process_removals() {
  std::deque<Removal> due;
  {
    std::lock_guard lock(removals_mutex_);
    due.swap(removals_);
  }
  for (const Removal& removal : due) {
    Delta& delta = view_->delta(removal.delta);
    if (removal.delta != current_.load()) continue;  // frozen since: its files stay as they are
    BFS_TRY(delta.journal().sync(removal.after));
    view_->forget_file(removal.delta, removal.ino);
    BFS_TRY(delta.remove_file(removal.ino));
  }
  return {};
}

// --- freezing --------------------------------------------------------------------------------------

// The instant. The gate is closed: nothing else runs but reads.
void OpenBranch::swap_open_delta(std::size_t next) {
  for (const NodePtr& node : take_dirty()) {
    std::unique_lock lock(node->mutex);
    node->unsynced_told = false;
    tell_unsynced(*node);
    node->pending.clear();
    node->syncing.clear();
    node->journaled_size = node->attr.size;
    node->unsynced_told = false;
    node->dirty = false;
  }
  {
    std::lock_guard lock(dirty_mutex_);
    dirty_.clear();
  }
  current_.store(next);
}

// The manifest that a freeze needs, on the disk but not in its place yet: what may fail on a full disk comes before the instant.
struct OpenBranch::NextHead {
  Manifest manifest;
  std::string file;
};

Result<OpenBranch::NextHead> OpenBranch::prepare_head(const StoreLock& lock, const std::string& name, ObjectId next) {
  // Files that are created while this is prepared: numbers are no scarce good.
  constexpr std::uint64_t kInosUntilThen = 1U << 20U;
  BFS_ASSIGN(Manifest manifest, store_->read_manifest(name));
  if (manifest.delta != open_delta().id()) {
    return make_error(Kind::failed, fmt::format("the manifest of \"{}\" names another open delta than ours", name));
  }
  manifest.stack.insert(manifest.stack.begin(), manifest.delta);
  manifest.delta = next;
  manifest.next_ino.v = next_ino_.load() + kInosUntilThen;
  BFS_ASSIGN(std::string file, store_->prepare_manifest(lock, name, manifest));
  return NextHead{std::move(manifest), std::move(file)};
}

// Room in the old journal for what swap_open_delta() is about to append. The gate is closed.
Status OpenBranch::reserve_for_unsynced() {
  constexpr std::uint64_t kMostForState = 256;  // an item of type inode, without its symlink, with the record around it
  std::uint64_t bytes = 0;
  for (const NodePtr& node : take_dirty()) {
    std::shared_lock lock(node->mutex);
    const std::size_t ranges = node->pending.range_count() + node->syncing.range_count();
    bytes += kMostForState + node->symlink.size() + ranges * sizeof(BlockRange);
  }
  return open_delta().journal().reserve(bytes);
}

// Closes the gate, and opens it again behind the new delta. An error has changed nothing.
Result<OpenBranch::Instant> OpenBranch::take_instant(std::unique_ptr<Delta> next, const NextHead& head) {
  gate_.close();
  auto start = std::chrono::steady_clock::now();
  Status room = reserve_for_unsynced();
  if (room && next_ino_.load() > head.manifest.next_ino.v) room = make_error(Kind::busy, "too many files are being created", "try again");
  auto added = room ? view_->add_delta(std::move(next)) : Result<std::size_t>(std::move(room).error());
  if (!added) {
    gate_.open();
    return std::move(added).error();
  }
  Instant instant;
  instant.frozen = current_.load();
  {
    std::lock_guard manifest_lock(manifest_mutex_);
    manifest_pending_ = true;
  }
  swap_open_delta(*added);
  instant.next_ino = next_ino_.load();
  instant.flushed = view_->delta(instant.frozen).journal().flush();
  gate_.open();
  auto pause = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start).count());
  std::lock_guard pause_lock(pause_mutex_);
  pause_ = {pause, std::max(pause_.max_us, pause), pause_.count + 1};
  return instant;
}

Result<Frozen> OpenBranch::freeze(const StoreLock& lock, const std::string& name) {
  BFS_TRY(writable());
  Delta& old = open_delta();
  {
    std::lock_guard dirty_lock(dirty_mutex_);
    if (old.journal().empty() && dirty_.empty()) {
      BFS_ASSIGN(Manifest manifest, store_->read_manifest(name));
      return Frozen{std::move(manifest.stack), Ino{next_ino_.load()}};
    }
  }
  for (const NodePtr& node : take_dirty()) {  // not within the pause: what is written until then is off by a tick, no more
    std::unique_lock node_lock(node->mutex);
    hand_times_to_host(*node);
  }
  ObjectId next_id = store_->env().new_id();
  std::string next_dir = store_->delta_dir(next_id);
  BFS_TRY(Delta::create(store_->env(), next_dir, next_id));
  auto head = prepare_head(lock, name, next_id);
  auto next = head ? Delta::open(store_->env(), next_dir, next_id, true, [](const Edit&, Told) { return Status{}; })
                   : Result<std::unique_ptr<Delta>>(head.error());
  if (next) (*next)->journal().hold();
  auto instant = next ? take_instant(*std::move(next), *head) : Result<Instant>(next.error());
  if (!instant) {
    // Nothing has happened, and the first error is the one to report.
    if (head) ignore(store_->env().unlink(head->file));
    ignore(store_->remove_in_place(next_dir));
    return std::move(instant).error();
  }

  Status published = instant->flushed;
  if (published) published = old.journal().sync(old.journal().end());
  if (published) published = store_->publish_manifest(lock, name, head->file);
  if (!published) fail(published.error());  // memory is ahead of the manifest: nothing may be acknowledged any more
  open_delta().journal().release();
  {
    std::lock_guard manifest_lock(manifest_mutex_);
    manifest_pending_ = false;
    manifest_changed_.notify_all();
  }
  if (!published) return std::move(published).error();
  seal_later(instant->frozen);
  return Frozen{std::move(head->manifest.stack), Ino{instant->next_ino}};
}

void OpenBranch::seal_later(std::size_t index) {
  std::lock_guard lock(background_mutex_);
  to_seal_.push_back(index);
  background_wakes_.notify_all();
}

void OpenBranch::sealer() {
  constexpr std::chrono::seconds kLookAgain{30};
  for (;;) {
    std::size_t index = 0;
    bool is_sealed = false;
    {
      std::unique_lock lock(background_mutex_);
      const auto work = [&] { return stopping_ || !to_seal_.empty() || (options_.sums && !to_sum_.empty()); };
      if (to_sum_later_.empty()) {
        background_wakes_.wait(lock, work);
      } else if (!background_wakes_.wait_for(lock, kLookAgain, work)) {
        to_sum_.assign(to_sum_later_.begin(), to_sum_later_.end());
        to_sum_later_.clear();
      }
      if (stopping_) return;  // whoever opens a view of it next goes on
      is_sealed = to_seal_.empty();
      auto& queue = is_sealed ? to_sum_ : to_seal_;
      index = queue.front();
      queue.pop_front();
    }
    if (!is_sealed) {
      // A failure has turned the branch read-only.
      if (!seal_frozen(index) || !view_->delta(index).sealed()) continue;
      std::lock_guard lock(background_mutex_);
      to_sum_.push_back(index);
      continue;
    }
    const Sums::Made made = sum_frozen(index);
    std::lock_guard lock(background_mutex_);
    if (made == Sums::Made::stopped) to_sum_.push_front(index);
    if (made == Sums::Made::by_another) to_sum_later_.push_back(index);
  }
}

// What cannot be summed is read unchecked: `all` then, too.
Sums::Made OpenBranch::sum_frozen(std::size_t index) {
  Delta& delta = view_->delta(index);
  Sums::Made made = Sums::Made::all;
  Status summed = in_background([&]() -> Status {
    BFS_ASSIGN(made, delta.make_sums([&] {
      std::lock_guard lock(background_mutex_);
      return stopping_ || !to_seal_.empty();
    }));
    return {};
  });
  // What may pass: tried again.
  if (!summed && (means_no_descriptor(summed.error().sys) || means_full(summed.error().sys))) return Sums::Made::by_another;
  // ENOENT: packed and collected meanwhile.
  if (!summed && summed.error().sys != ENOENT) {
    spdlog::warn("branch {}: not all data of delta {} gets checksums: {}", name_, delta.id().hex(), summed.error().what);
  }
  return made;
}

Status OpenBranch::seal_frozen(std::size_t index) {
  Delta& delta = view_->delta(index);
  Status sealed = delta.make_durable();
  if (sealed) {
    sealed = delta.mark_sealed();
    // No room for the mark alone: a sync confirms what it needs, and the next view seals.
    if (!sealed && means_full(sealed.error().sys)) return {};
  }
  // Packed and collected meanwhile: as durable as can be.
  if (sealed || sealed.error().sys == ENOENT) return {};
  sync_failed(sealed.error());
  return sealed;
}

}  // namespace branchfs
