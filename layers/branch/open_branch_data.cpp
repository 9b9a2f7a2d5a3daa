// Data: reads, writes, sizes, holes and shared blocks.
//
// A file that the open delta owns is a plain host file: the host keeps its size, holes and zeros. A file that shadows
// something below has, in the open delta's file, exactly the blocks that Node::sources says; the rest of that file is never
// read. A present block counts up to the file's size; bytes behind it are garbage and are zeroed when the size grows over them (P7).
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include <fmt/format.h>

#include "layers/branch/open_branch.h"

namespace branchfs {
namespace {

Status check_range(std::uint64_t offset, std::uint64_t length) {
  if (offset > kMaxFileSize || length > kMaxFileSize - offset) return posix_error(EFBIG);
  return {};
}

const std::vector<std::byte>& zero_block() {
  static const std::vector<std::byte> zeros(kBlockSize);
  return zeros;
}

}  // namespace

// --- reading ---------------------------------------------------------------------------------------

Result<std::size_t> OpenBranch::read(Ino ino, std::uint64_t offset, std::span<std::byte> out) {
  if (lost_write_.load(std::memory_order_relaxed)) return posix_error(EIO);
  BFS_ASSIGN(NodePtr node, need_file(ino));
  std::uint64_t size = 0;
  std::size_t owner = kNoDelta;
  {
    std::shared_lock lock(node->mutex);
    size = node->attr.size;
    owner = node->sources.empty() ? node->owner : kNoDelta;
    if (owner != current_.load() || node->is_lost) owner = kNoDelta;
  }
  if (offset >= size) return std::size_t{0};
  out = out.first(std::min<std::uint64_t>(out.size(), size - offset));
  if (owner == kNoDelta) {
    BFS_TRY(view_->read(*node, offset, out));
    return out.size();
  }
  BFS_ASSIGN(auto file, view_->data_file(owner, ino, false));
  std::size_t got = 0;
  if (file) {
    BFS_ASSIGN(got, file->read_at(out, offset));
  }
  std::memset(out.data() + got, 0, out.size() - got);
  return out.size();
}

// --- writing ---------------------------------------------------------------------------------------

Result<std::shared_ptr<File>> OpenBranch::own_file(Node& node) {
  // Past what is gone a write would leave a hole, which the next reader takes for zeros.
  if (node.is_lost) {
    return make_error(Kind::damaged, fmt::format("inode {}: data of it is missing, so it cannot be written", node.attr.ino.v));
  }
  return view_->data_file(current_.load(), node.attr.ino, true);
}

void OpenBranch::grew(Node& node, std::uint64_t size) {
  if (size <= node.attr.size) return;
  node.attr.size = size;
  node.unsynced_told = false;
  if (owns(node)) node.journaled_size = size;  // told by the data file itself
}

void OpenBranch::written(Node& node) {
  node.attr.mtime = node.attr.ctime = store_->env().now();
  node.touched = true;
  ++node.changes;
  mark_dirty(node);
}

Status OpenBranch::write(Ino ino, std::uint64_t offset, std::span<const std::byte> data) {
  BFS_TRY(writable());
  BFS_TRY(check_range(offset, data.size()));
  if (data.empty()) return {};
  GatePass pass(gate_);
  BFS_ASSIGN(NodePtr node, need_file(ino));
  std::unique_lock lock(node->mutex);
  BFS_TRY(owns(*node) ? write_owned(*node, offset, data) : write_shadow(*node, offset, data));
  grew(*node, offset + data.size());
  written(*node);
  return {};
}

Status OpenBranch::write_owned(Node& node, std::uint64_t offset, std::span<const std::byte> data) {
  BFS_ASSIGN(auto file, own_file(node));
  return file->write_at(data, offset);
}

void OpenBranch::mark_present(Node& node, BlockRange range) {
  // Blocks that are in the journal already stay out of `pending`: overwriting them in place needs no new record.
  Source mine = own();
  std::uint64_t at = range.first.v;
  while (at < range.end()) {
    SourceMap::Run run = node.sources.run(BlockNo{at}, range.end() - at);
    if (run.source != mine) {
      node.pending.add({BlockNo{at}, run.count});
      node.unsynced_told = false;
    }
    at += run.count;
  }
  node.sources.set(range, mine);
}

// Copies a block that is about to be written in part from below into the open delta.
Status OpenBranch::bring_up(Node& node, BlockNo block) {
  if (node.sources.at(block) == own()) return {};
  std::vector<std::byte> bytes(kBlockSize);
  std::uint64_t start = offset_of(block);
  if (start < node.attr.size) {
    BFS_ASSIGN(Run run, view_->resolve(node, block, 1));
    auto valid = static_cast<std::size_t>(std::min<std::uint64_t>(kBlockSize, node.attr.size - start));
    BFS_TRY(view_->read_run(run, node.attr.ino, block, 0, bytes));
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(valid), bytes.end(), std::byte{0});
  }
  BFS_ASSIGN(auto file, own_file(node));
  BFS_TRY(file->write_at(bytes, start));
  mark_present(node, {block, 1});
  return {};
}

// Before the size grows from the middle of a block: what was behind the end reads as zeros from now on.
Status OpenBranch::zero_gap(Node& node, std::uint64_t new_size) {
  std::uint64_t size = node.attr.size;
  std::uint64_t in_block = size % kBlockSize;
  if (in_block == 0 || new_size <= size) return {};
  BlockNo last = block_of(size);
  if (node.sources.at(last) != own()) {
    BFS_ASSIGN(Run run, view_->resolve(node, last, 1));
    if (run.from == Run::From::zeros) return {};
    return bring_up(node, last);
  }
  BFS_ASSIGN(auto file, own_file(node));
  return file->write_at(std::span(zero_block()).first(kBlockSize - in_block), size);
}

Status OpenBranch::write_shadow(Node& node, std::uint64_t offset, std::span<const std::byte> data) {
  std::uint64_t end = offset + data.size();
  if (offset > node.attr.size) BFS_TRY(zero_gap(node, offset));
  BlockNo first = block_of(offset);
  BlockNo last = block_of(end - 1);
  if (offset % kBlockSize != 0) BFS_TRY(bring_up(node, first));
  // A last block that is written up to or beyond the end of the file has nothing below that counts.
  bool partial_end = end % kBlockSize != 0 && end < node.attr.size;
  if (partial_end) BFS_TRY(bring_up(node, last));
  BFS_ASSIGN(auto file, own_file(node));
  BFS_TRY(file->write_at(data, offset));
  mark_present(node, {first, last.v - first.v + 1});
  return {};
}

// --- size and attributes ---------------------------------------------------------------------------

Result<Attr> OpenBranch::setattr(Ino ino, const SetAttr& change) {
  BFS_TRY(writable());
  GatePass pass(gate_);
  BFS_ASSIGN(NodePtr node, change.size ? need_file(ino) : need(ino));
  std::unique_lock names(names_mutex_);  // orders the edit among those of names
  std::unique_lock lock(node->mutex);
  if (change.size) {
    BFS_TRY(check_range(*change.size, 0));
    BFS_TRY(resize(*node, *change.size));
  }
  Attr& a = node->attr;
  if (change.mode) {  // atomic, because Node::type() reads it without the lock
    const std::uint32_t mode = (a.mode & S_IFMT) | (*change.mode & ~static_cast<std::uint32_t>(S_IFMT));
    std::atomic_ref(a.mode).store(mode, std::memory_order_relaxed);
  }
  if (change.uid) a.uid = *change.uid;
  if (change.gid) a.gid = *change.gid;
  if (change.atime) a.atime = *change.atime;
  if (change.mtime) a.mtime = *change.mtime;
  a.ctime = change.ctime ? *change.ctime : store_->env().now();
  if (change.mtime && node->is_regular() && owns(*node)) {
    BFS_ASSIGN(auto file, view_->data_file(current_.load(), ino, false));
    const ::timespec times[2] = {a.atime, a.mtime};
    if (file) {
      BFS_TRY(file->set_times(times));
      // A kernel that keeps writes for a while says at each sync when the last one was (only then is there a ctime). That costs no
      // record: the data file tells its times (View::settle_owned_sizes).
      if (change.ctime && !change.mode && !change.uid && !change.gid && !change.size && !change.atime) return a;
    }
  }
  Edit edit;
  edit.inodes.push_back(state_of(*node));
  record(edit);
  return a;
}

Status OpenBranch::resize(Node& node, std::uint64_t size) {
  if (owns(node)) {
    if (size == 0) node.is_lost = false;  // there is nothing to be missed any more
    BFS_ASSIGN(auto file, size > 0 ? own_file(node) : view_->data_file(current_.load(), node.attr.ino, false));
    if (file) BFS_TRY(file->truncate(size));
    node.attr.size = node.journaled_size = size;
    node.durable_size = std::min(node.durable_size, size);
  } else if (size < node.attr.size) {
    BFS_TRY(shrink_shadow(node, size));
  } else if (size > node.attr.size) {
    BFS_TRY(zero_gap(node, size));
    grew(node, size);
  }
  written(node);
  return {};
}

Status OpenBranch::shrink_shadow(Node& node, std::uint64_t size) {
  BlockNo from{blocks_for(size)};
  bool had_own = node.sources.any_from(from, own());
  Edit edit;
  node.attr.size = size;
  node.journaled_size = std::min(node.journaled_size, size);
  BFS_ASSIGN(auto file, view_->data_file(current_.load(), node.attr.ino, false));
  if (size == 0 && !file) {  // nothing of it is left anywhere: from now on a plain file of this delta
    View::set_owned(node, current_.load());
    edit.inodes.push_back(state_of(node));
    record(edit);
    return {};
  }
  node.sources.clear_from(from);
  node.limit = std::min(node.limit, from.v);
  node.pending.erase_from(from);
  node.syncing.erase_from(from);
  edit.inodes.push_back(state_of(node));
  edit.cuts.push_back({node.attr.ino, from});
  JournalPosition position = record(edit);
  if (node.told_in == current_.load()) {  // a cut takes back what was told: the process may be killed as well after this as before
    node.told_in = kNoDelta;
    node.unsynced_told = false;
    tell_unsynced(node);
  }
  if (!had_own || !file) return {};
  // The cut must be durable before the blocks go: a crash would otherwise bring the old size back with zeros in it.
  Status synced = open_delta().journal().sync(position);
  if (!synced) {
    fail(synced.error());
    return synced;
  }
  ignore(file->truncate(offset_of(from)));  // only gives space back: nothing behind the cut counts as there any more
  return {};
}

// --- holes -----------------------------------------------------------------------------------------

Status OpenBranch::allocate(Ino ino, int mode, std::uint64_t offset, std::uint64_t length) {
  constexpr int kPunch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  constexpr int kZero = FALLOC_FL_ZERO_RANGE;
  bool keep_size = (mode & FALLOC_FL_KEEP_SIZE) != 0;
  bool known = mode == 0 || mode == FALLOC_FL_KEEP_SIZE || mode == kPunch || (mode & ~FALLOC_FL_KEEP_SIZE) == kZero;
  if (!known) return posix_error(EOPNOTSUPP);
  if (length == 0) return posix_error(EINVAL);
  BFS_TRY(writable());
  BFS_TRY(check_range(offset, length));
  GatePass pass(gate_);
  BFS_ASSIGN(NodePtr node, need_file(ino));
  std::unique_lock names(names_mutex_);
  std::unique_lock lock(node->mutex);
  std::uint64_t end = offset + length;
  bool clears = mode == kPunch || (mode & FALLOC_FL_ZERO_RANGE) != 0;
  if (owns(*node)) {
    BFS_ASSIGN(auto file, own_file(*node));
    BFS_TRY(file->allocate(mode, offset, length));
  } else {
    if (clears && offset < node->attr.size) {
      BFS_TRY(zero_range(*node, offset, std::min(end, node->attr.size) - offset));
    }
    if (mode != kPunch && end > node->attr.size) {
      // Space for what lies behind the end, so that extending into it cannot fail later. Blocks that are shared keep their
      // place below until they are written: reserving them here would copy what nobody changed.
      BFS_ASSIGN(auto file, own_file(*node));
      std::uint64_t from = std::max(offset, node->attr.size);
      BFS_TRY(file->allocate(FALLOC_FL_KEEP_SIZE, from, end - from));
    }
    if (!keep_size) BFS_TRY(zero_gap(*node, end));
  }
  if (!keep_size) grew(*node, end);
  written(*node);
  return {};
}

Status OpenBranch::zero_range(Node& node, std::uint64_t offset, std::uint64_t length) {
  std::uint64_t end = offset + length;
  auto zero_part = [&](std::uint64_t from, std::uint64_t to) -> Status {
    if (from >= to) return {};
    BFS_ASSIGN(Run run, view_->resolve(node, block_of(from), 1));
    if (run.from == Run::From::zeros) return {};
    BFS_TRY(bring_up(node, block_of(from)));
    BFS_ASSIGN(auto file, own_file(node));
    return file->write_at(std::span(zero_block()).first(to - from), from);
  };
  // A file's last block counts as whole: nothing behind its end is worth keeping.
  bool to_end = end >= node.attr.size;
  std::uint64_t first_whole = blocks_for(offset);
  std::uint64_t end_whole = to_end ? blocks_for(end) : end / kBlockSize;
  if (first_whole > end_whole) return zero_part(offset, end);  // inside one block
  BFS_TRY(zero_part(offset, std::min(end, offset_of(BlockNo{first_whole}))));
  if (end_whole > first_whole) BFS_TRY(zero_blocks(node, {BlockNo{first_whole}, end_whole - first_whole}));
  if (to_end) return {};
  return zero_part(std::max(offset, offset_of(BlockNo{end_whole})), end);
}

Status OpenBranch::zero_blocks(Node& node, BlockRange range) {
  Edit edit;
  std::uint64_t at = range.first.v;
  while (at < range.end()) {
    SourceMap::Run run = node.sources.run(BlockNo{at}, range.end() - at);
    BlockRange part{BlockNo{at}, run.count};
    if (run.source == own()) {
      // In place, as an ordinary overwrite: the block stays present and holds zeros.
      BFS_ASSIGN(auto file, own_file(node));
      BFS_TRY(file->allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset_of(part.first),
                             part.count * kBlockSize));
    } else if (run.source != kZeros) {
      node.sources.set(part, kZeros);
      edit.zeros.push_back({node.attr.ino, part});
    }
    at += run.count;
  }
  if (!edit.zeros.empty()) {
    edit.inodes.push_back(state_of(node));
    record(edit);
  }
  return {};
}

Result<std::uint64_t> OpenBranch::seek(Ino ino, std::uint64_t offset, int whence) {
  BFS_ASSIGN(NodePtr node, need_file(ino));
  std::shared_lock lock(node->mutex);
  std::uint64_t size = node->attr.size;
  if (offset >= size) return posix_error(ENXIO);
  if (owns(*node)) {
    BFS_ASSIGN(auto file, view_->data_file(current_.load(), ino, false));
    if (file) return file->seek(offset, whence);
  }
  BlockNo block = block_of(offset);
  std::uint64_t end = blocks_for(size);
  while (block.v < end) {
    BFS_ASSIGN(Run run, view_->resolve(*node, block, end - block.v));
    bool is_hole = run.from == Run::From::zeros;
    if (is_hole == (whence == SEEK_HOLE)) return std::max(offset, offset_of(block));
    block.v += run.count;
  }
  if (whence == SEEK_HOLE) return size;
  return posix_error(ENXIO);
}

Result<std::uint64_t> OpenBranch::blocks_512(Ino ino) {
  BFS_ASSIGN(NodePtr node, need(ino));
  std::shared_lock lock(node->mutex);
  if (!node->is_regular()) return std::uint64_t{node->is_dir() ? 8U : 0U};
  if (!owns(*node)) return (node->attr.size + 511) / 512;
  BFS_ASSIGN(auto file, view_->data_file(current_.load(), ino, false));
  if (!file) return std::uint64_t{0};
  BFS_ASSIGN(struct ::stat st, file->stat());
  return static_cast<std::uint64_t>(st.st_blocks);
}

Result<struct ::statvfs> OpenBranch::statfs() { return store_->env().space(store_->dir()); }

// --- sharing ---------------------------------------------------------------------------------------

// How the run can be named so that it means the same bytes for ever; nullopt when it cannot be shared.
std::optional<CloneItem> OpenBranch::clone_of(const Node& from, const Run& run, BlockNo block) const {
  CloneItem item;
  item.range.count = run.count;
  SourceMap::Run source = from.sources.run(block, 1);
  if (source.source == kCloned) {
    auto it = std::prev(from.clones.upper_bound(block.v));
    item.element = it->second.element;
    item.source = it->second.source;
    item.source_first = BlockNo{it->second.source_first.v + (block.v - it->first)};
    return item;
  }
  item.source = from.attr.ino;
  item.source_first = block;
  if (run.from == Run::From::delta) {
    if (run.delta == current_.load() || from.attr.nlink == 0) return std::nullopt;
    // After a power cut the element might not have it, and what the block held before would be gone as well.
    if (!view_->delta(run.delta).is_durable(from.attr.ino)) return std::nullopt;
    item.element = view_->delta(run.delta).id();
    return item;
  }
  if (from.attr.nlink == 0) return std::nullopt;
  item.element = view_->base()->id();
  return item;
}

Status OpenBranch::share_blocks(Node& from, BlockNo first, Node& to, BlockNo to_first, std::uint64_t count) {
  Edit edit;
  std::uint64_t done = 0;
  std::vector<std::byte> block(kBlockSize);
  while (done < count) {
    BlockNo at{first.v + done};
    BlockNo to_at{to_first.v + done};
    BFS_ASSIGN(Run run, view_->resolve(from, at, count - done));
    if (run.from == Run::From::zeros) {
      to.sources.set({to_at, run.count}, kZeros);
      to.pending.erase({to_at, run.count});
      to.syncing.erase({to_at, run.count});
      edit.zeros.push_back({to.attr.ino, {to_at, run.count}});
      done += run.count;
      continue;
    }
    if (auto item = clone_of(from, run, at)) {
      item->ino = to.attr.ino;
      item->range.first = to_at;
      CloneRef ref;
      ref.count = run.count;
      ref.element = item->element;
      ref.source = item->source;
      ref.source_first = item->source_first;
      BFS_TRY(view_->resolve_clone(ref));
      View::insert_clone(to, to_at, std::move(ref));
      to.pending.erase({to_at, run.count});
      to.syncing.erase({to_at, run.count});
      edit.clones.push_back(*item);
      done += run.count;
      continue;
    }
    BFS_TRY(view_->read_run(run, from.attr.ino, at, 0, block));
    BFS_ASSIGN(auto file, own_file(to));
    BFS_TRY(file->write_at(block, offset_of(to_at)));
    mark_present(to, {to_at, 1});
    ++done;
  }
  if (edit.clones.empty() && edit.zeros.empty()) return {};
  edit.inodes.push_back(state_of(to));
  record(edit);
  return {};
}

Result<std::uint64_t> OpenBranch::copy_bytes(Ino from, std::uint64_t from_offset, Ino to, std::uint64_t to_offset,
                                             std::uint64_t length) {
  std::vector<std::byte> buffer(std::min<std::uint64_t>(length, 1U << 20U));
  std::uint64_t done = 0;
  while (done < length) {
    auto part = std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), length - done));
    BFS_ASSIGN(std::size_t got, read(from, from_offset + done, part));
    if (got == 0) break;
    BFS_TRY(write(to, to_offset + done, part.first(got)));
    done += got;
  }
  return done;
}

Result<std::uint64_t> OpenBranch::copy_range(Ino from, std::uint64_t from_offset, Ino to, std::uint64_t to_offset,
                                             std::uint64_t length) {
  BFS_TRY(writable());
  BFS_TRY(check_range(to_offset, length));
  BFS_ASSIGN(NodePtr source, need_file(from));
  BFS_ASSIGN(NodePtr target, need_file(to));
  std::uint64_t source_size = 0;
  {
    std::shared_lock lock(source->mutex);
    source_size = source->attr.size;
  }
  if (from_offset >= source_size) return std::uint64_t{0};
  length = std::min(length, source_size - from_offset);
  bool aligned = from_offset % kBlockSize == 0 && to_offset % kBlockSize == 0 && source != target;
  std::uint64_t shared = 0;
  if (aligned && length >= kBlockSize) {
    GatePass pass(gate_);
    std::unique_lock names(names_mutex_);
    std::scoped_lock lock(source->mutex, target->mutex);
    // An empty file that the open delta owns has no data file yet: it may become one that shadows shared blocks.
    bool fresh = owns(*target) && target->attr.size == 0;
    if (fresh) {
      BFS_ASSIGN(auto file, view_->data_file(current_.load(), to, false));
      fresh = file == nullptr;
    }
    if (fresh) target->owner = kNoDelta;
    if (!owns(*target)) {
      if (to_offset > target->attr.size) BFS_TRY(zero_gap(*target, to_offset));
      std::uint64_t count = std::min(length, source->attr.size - std::min(from_offset, source->attr.size)) / kBlockSize;
      BFS_TRY(share_blocks(*source, block_of(from_offset), *target, block_of(to_offset), count));
      shared = count * kBlockSize;
      grew(*target, to_offset + shared);
      written(*target);
    }
  }
  BFS_ASSIGN(std::uint64_t copied,
             copy_bytes(from, from_offset + shared, to, to_offset + shared, length - shared));
  return shared + copied;
}

}  // namespace branchfs
