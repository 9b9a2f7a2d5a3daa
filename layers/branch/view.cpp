#include "layers/branch/view.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace branchfs {
namespace {

// Leaves most descriptors to layers, sockets and the FUSE session.
std::size_t file_cache_capacity() {
  ::rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return std::clamp<std::size_t>(limit.rlim_cur / 2, 8, 8192);
}

}  // namespace

View::View(std::shared_ptr<Store> store, bool writable)
    : store_(std::move(store)),
      writable_(writable),
      deltas_(std::make_unique<std::unique_ptr<Delta>[]>(kMaxDeltas)),
      files_(file_cache_capacity()) {}

Result<std::unique_ptr<View>> View::open(std::shared_ptr<Store> store, const std::vector<ObjectId>& stack,
                                         ObjectId open_delta, bool writable) {
  // A delta that is packed and collected between our look and our open is found as a layer the second time.
  for (int attempt = 0;; ++attempt) {
    std::unique_ptr<View> view(new View(store, writable));
    Status opened = view->open_stack(stack, open_delta);
    if (opened) return view;
    bool vanished = opened.error().sys == ENOENT || opened.error().kind == Kind::busy;
    if (!vanished || attempt == 3) return std::move(opened).error();
  }
}

Status View::open_stack(const std::vector<ObjectId>& stack, ObjectId open_delta) {
  std::vector<ObjectId> frozen;
  for (ObjectId id : stack) {
    if (store_->env().exists(store_->layer_path(id))) {
      BFS_ASSIGN(base_, store_->layers().open(id));
      break;
    }
    frozen.push_back(id);
  }
  if (base_) next_ino_ = Ino{base_->max_ino().v + 1};
  if (frozen.size() + 1 >= kMaxDeltas) return make_error(Kind::refused, "too many frozen deltas", "branchfs pack");
  for (auto it = frozen.rbegin(); it != frozen.rend(); ++it) BFS_TRY(replay(*it, false));
  if (open_delta.valid()) BFS_TRY(replay(open_delta, writable_));
  return {};
}

Status View::replay(ObjectId id, bool writable) {
  std::size_t index = delta_count();
  replaying_open_ = writable;
  auto delta = Delta::open(store_->env(), store_->delta_dir(id), id, writable,
                           [&](const Edit& edit, Told told) { return apply(edit, index, told); });
  if (!delta) return std::move(delta).error().context("delta " + id.hex());
  deltas_[index] = *std::move(delta);
  delta_count_.store(index + 1, std::memory_order_release);
  for (const NodePtr& node : touched_nodes()) {
    // As after a freeze: what is told of a frozen delta, its own journal holds.
    if (!writable && node->told_in == index) node->journaled_size = node->attr.size;
  }
  return settle_owned_sizes(index);
}

// Of a file that a delta owns, the data file is the truth: its journal need not be written for every append.
Status View::settle_owned_sizes(std::size_t index) {
  const Sums* sums = deltas_[index]->sums();
  for (const NodePtr& node : touched_nodes()) {
    if (node->owner != index || !node->is_regular()) continue;
    BFS_ASSIGN(auto file, data_file(index, node->attr.ino, false));
    std::optional<std::uint64_t> summed;
    if (sums != nullptr) summed = sums->size_of(node->attr.ino);
    if (!file) {
      // A shorter file may be a truncation whose record did not become durable; none at all is damage.
      node->is_lost = node->journaled_size > 0 || (summed && *summed > 0);
      node->attr.size = node->durable_size = std::max(node->journaled_size, summed ? *summed : 0);
      continue;
    }
    BFS_ASSIGN(struct ::stat st, file->stat());
    node->attr.size = summed ? *summed : static_cast<std::uint64_t>(st.st_size);  // the host may have cut it since
    auto later = [](const ::timespec& a, const ::timespec& b) {
      return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
    };
    // Times set by utimes() were given to the data file too; writes moved it on.
    node->attr.mtime = st.st_mtim;
    if (later(st.st_mtim, node->attr.ctime)) node->attr.ctime = st.st_mtim;
    // How much of it a sync has seen nobody knows, unless a record says so.
    node->durable_size = std::min(node->journaled_size, node->attr.size);
    node->journaled_size = node->attr.size;
  }
  return {};
}

Result<std::size_t> View::add_delta(std::unique_ptr<Delta> delta) {
  std::size_t index = delta_count();
  if (index + 1 >= kMaxDeltas) return make_error(Kind::refused, "too many frozen deltas", "unmount, pack, mount");
  deltas_[index] = std::move(delta);
  delta_count_.store(index + 1, std::memory_order_release);
  return index;
}

// --- inodes ----------------------------------------------------------------------------------------

NodePtr View::cached(Ino ino) const {
  std::shared_lock lock(nodes_mutex_);
  auto it = nodes_.find(ino);
  return it == nodes_.end() ? nullptr : it->second;
}

Result<NodePtr> View::node(Ino ino) {
  if (NodePtr known = cached(ino)) return known;
  if (!base_ || is_dead(ino)) return NodePtr{};
  BFS_ASSIGN(auto stored, base_->inode(ino));
  if (!stored) return NodePtr{};
  auto fresh = std::make_shared<Node>(ino);
  fresh->attr = stored->attr;
  fresh->symlink = std::move(stored->symlink);
  fresh->base = std::move(stored->map);
  fresh->journaled_size = fresh->attr.size;
  fresh->in_base = true;
  std::unique_lock lock(nodes_mutex_);
  if (dead_.contains(ino)) return NodePtr{};
  return nodes_.try_emplace(ino, std::move(fresh)).first->second;
}

Result<NodePtr> View::reference(Ino ino) {
  for (;;) {
    BFS_ASSIGN(NodePtr found, node(ino));
    if (!found) return found;
    std::shared_lock lock(nodes_mutex_);
    auto it = nodes_.find(ino);
    if (it == nodes_.end() || it->second != found) continue;  // dropped from memory meanwhile: load it again
    found->references.fetch_add(1);
    return found;
  }
}

bool View::unreference(Ino ino, std::uint64_t count) {
  std::unique_lock lock(nodes_mutex_);
  auto it = nodes_.find(ino);
  if (it == nodes_.end()) return false;
  Node& node = *it->second;
  std::uint64_t before = node.references.load();
  std::uint64_t after = before > count ? before - count : 0;
  node.references.store(after);
  if (after == 0 && !node.touched && node.names.empty() && ino != kRootIno) nodes_.erase(it);
  return after == 0;
}

NodePtr View::add_node(Ino ino) {
  auto fresh = std::make_shared<Node>(ino);
  fresh->touched = true;
  std::unique_lock lock(nodes_mutex_);
  if (ino.v >= next_ino_.v) next_ino_ = Ino{ino.v + 1};
  return nodes_.insert_or_assign(ino, std::move(fresh)).first->second;
}

void View::drop_node(Ino ino) {
  std::unique_lock lock(nodes_mutex_);
  nodes_.erase(ino);
}

void View::mark_dead(Ino ino) {
  std::unique_lock lock(nodes_mutex_);
  dead_.insert(ino);
}

bool View::is_dead(Ino ino) const {
  std::shared_lock lock(nodes_mutex_);
  return dead_.contains(ino);
}

std::vector<NodePtr> View::touched_nodes() const {
  std::vector<NodePtr> out;
  {
    std::shared_lock lock(nodes_mutex_);
    for (const auto& [ino, node] : nodes_) {
      if (node->touched) out.push_back(node);
    }
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a->attr.ino < b->attr.ino; });
  return out;
}

// --- names -----------------------------------------------------------------------------------------

Result<bool> View::base_has(const Node& dir, std::string_view name) const {
  if (!dir.in_base || !base_) return false;
  BFS_ASSIGN(auto found, base_->find(dir.attr.ino, name));
  return found.has_value();
}

Result<std::optional<Node::Name>> View::find(Node& dir, std::string_view name) {
  if (auto it = dir.names.find(std::string(name)); it != dir.names.end()) {
    if (it->second.ino == kNoIno) return std::optional<Node::Name>{};
    return std::optional<Node::Name>(it->second);
  }
  if (!dir.in_base || !base_) return std::optional<Node::Name>{};
  BFS_ASSIGN(auto found, base_->find(dir.attr.ino, name));
  if (!found) return std::optional<Node::Name>{};
  return std::optional<Node::Name>(Node::Name{found->ino, found->type});
}

Status View::for_each_name(Node& dir, const std::function<Status(std::string_view, Node::Name)>& visit) {
  if (dir.in_base && base_) {
    BFS_ASSIGN(auto range, base_->names_of(dir.attr.ino));
    for (std::uint64_t i = 0; i < range.second; ++i) {
      BFS_ASSIGN(LayerName entry, base_->name_at(range.first + i));
      if (!dir.names.empty() && dir.names.contains(std::string(entry.name))) continue;
      BFS_TRY(visit(entry.name, Node::Name{entry.ino, entry.type}));
    }
  }
  for (const auto& [name, value] : dir.names) {
    if (value.ino != kNoIno) BFS_TRY(visit(name, value));
  }
  return {};
}

void View::set_name(Node& dir, const std::string& name, Node::Name value, bool base_has_it) {
  if (value.ino == kNoIno && !base_has_it) {
    dir.names.erase(name);  // nothing below to hide
  } else {
    dir.names[name] = value;
  }
}

// --- data ------------------------------------------------------------------------------------------

Result<Run> View::resolve(const Node& node, BlockNo block, std::uint64_t most) {
  SourceMap::Run sources = node.sources.run(block, most);
  Run run;
  run.count = sources.count;
  if (sources.source.is_delta()) {
    run.from = Run::From::delta;
    run.delta = sources.source.index();
    run.ino = node.attr.ino;
    run.block = block;
    return run;
  }
  if (sources.source == kZeros) return run;
  const MapRef* map = &node.base;
  BlockNo map_block = block;
  if (sources.source == kCloned) {
    auto it = node.clones.upper_bound(block.v);
    if (it == node.clones.begin()) return posix_error(EIO);
    const auto& [first, ref] = *--it;
    if (block.v - first >= ref.count) return posix_error(EIO);
    run.count = std::min(run.count, first + ref.count - block.v);
    map_block = BlockNo{ref.source_first.v + (block.v - first)};
    if (ref.delta != kNoDelta) {
      run.from = Run::From::delta;
      run.delta = ref.delta;
      run.ino = ref.source;
      run.block = map_block;
      return run;
    }
    map = &ref.map;
  } else {
    if (block.v >= node.limit) return run;
    run.count = std::min(run.count, node.limit - block.v);
    if (node.owner != kNoDelta) {
      if (node.is_lost) return lost_data(node, block);
      // A file that was empty when its delta was frozen has no data file: what made it longer later shows zeros.
      BFS_ASSIGN(auto file, data_file(node.owner, node.attr.ino, false));
      if (!file) {
        const Sums* sums = deltas_[node.owner]->sums();
        return sums != nullptr && sums->size_of(node.attr.ino).value_or(0) > 0 ? Result<Run>(lost_data(node, block)) : run;
      }
      run.from = Run::From::delta;
      run.delta = node.owner;
      run.ino = node.attr.ino;
      run.block = block;
      return run;
    }
  }
  if (!map->layer) return run;
  BFS_ASSIGN(Extent extent, Layer::extent_at(*map, map_block));
  run.count = std::min(run.count, extent.count);
  if (!extent.layer) return run;
  run.from = Run::From::layer;
  run.extent = std::move(extent);
  run.extent.count = run.count;
  return run;
}

Result<std::shared_ptr<File>> View::data_file(std::size_t delta, Ino ino, bool create) {
  FileCache::Key key{delta, ino};
  if (auto file = files_.find(key)) return file;
  bool is_open_delta = writable_ && delta + 1 == delta_count();
  const Sums* sums = deltas_[delta]->sums();
  if (sums != nullptr && sums->complete() && !sums->size_of(ino)) return std::shared_ptr<File>{};  // whatever has appeared there since
  BFS_ASSIGN(auto file, deltas_[delta]->open_file(ino, is_open_delta, create));
  if (file) files_.add(key, file);
  return file;
}

Error View::missing_data(const Run& run) const {
  return make_error(Kind::damaged, fmt::format("delta {}: the data of inode {} is missing, block {}", deltas_[run.delta]->id().hex(),
                                               run.ino.v, run.block.v));
}

Error View::lost_data(const Node& node, BlockNo block) const {
  return make_error(Kind::damaged, fmt::format("inode {}, block {}: its data file is missing, {}", node.attr.ino.v, block.v,
                                               deltas_[node.owner]->file_path(node.attr.ino)));
}

Status View::read_run(const Run& run, Ino ino, BlockNo block, std::uint64_t skip_bytes, std::span<std::byte> out) {
  if (run.from == Run::From::zeros) {
    std::memset(out.data(), 0, out.size());
    return {};
  }
  if (run.from == Run::From::delta) return read_delta(run, sums_of(run), skip_bytes, out);
  auto fail = [&](Error error) {
    return std::move(error).context(fmt::format("inode {}, block {}", ino.v, block.v));
  };
  const Extent& e = run.extent;
  if (skip_bytes == 0 && out.size() % kBlockSize == 0) {
    Status got = e.layer->read_chunk(e.chunk, e.skip, out.size() / kBlockSize, out);
    return got ? Status{} : Status{fail(std::move(got).error())};
  }
  std::vector<std::byte> blocks(offset_of(BlockNo{blocks_for(skip_bytes + out.size())}));
  if (Status got = e.layer->read_chunk(e.chunk, e.skip, blocks.size() / kBlockSize, blocks); !got) {
    return fail(std::move(got).error());
  }
  std::memcpy(out.data(), blocks.data() + skip_bytes, out.size());
  return {};
}

Status View::read_delta(const Run& run, const Sums* sums, std::uint64_t skip_bytes, std::span<std::byte> out) {
  BFS_ASSIGN(auto file, data_file(run.delta, run.ino, false));
  if (!file) return missing_data(run);
  const bool is_whole = skip_bytes % kBlockSize == 0 && out.size() % kBlockSize == 0;
  if (sums == nullptr || is_whole) {
    BFS_ASSIGN(std::size_t got, file->read_at(out, offset_of(run.block) + skip_bytes));
    std::memset(out.data() + got, 0, out.size() - got);  // past the end of the data file: a hole
    return sums == nullptr ? Status{} : sums->check(run.ino, BlockNo{run.block.v + block_of(skip_bytes).v}, out, got);
  }
  // A checksum is of a whole block.
  const BlockNo first = block_of(skip_bytes);
  const std::uint64_t skip = skip_bytes - offset_of(first);
  std::vector<std::byte> blocks(offset_of(BlockNo{blocks_for(skip + out.size())}));
  BFS_TRY(read_delta(run, sums, offset_of(first), blocks));
  std::memcpy(out.data(), blocks.data() + skip, out.size());
  return {};
}

const Sums* View::sums_of(const Run& run) const {
  const Sums* sums = deltas_[run.delta]->sums();
  return sums != nullptr && sums->size_of(run.ino) ? sums : nullptr;
}

Result<DataRange> View::next_data(const Run& run, File& file, std::uint64_t offset, std::uint64_t limit) const {
  BFS_ASSIGN(const DataRange host, branchfs::next_data(file, offset, limit));
  const Sums* sums = sums_of(run);
  if (sums == nullptr) return host;
  const DataRange known = sums->next_data(run.ino, offset, limit);
  if (known.begin < host.begin) return known;
  if (host.begin < limit) return host;
  // What a file that has become shorter has lost is no hole, whether there are sums of it or not.
  BFS_ASSIGN(struct ::stat st, file.stat());
  const std::uint64_t end = std::min(*sums->size_of(run.ino), limit);
  const std::uint64_t begin = std::max(offset, static_cast<std::uint64_t>(st.st_size));
  return begin < end ? DataRange{begin, end} : host;
}

// What lies in deltas, in one go: after scattered updates a read meets many short runs there.
Status View::read_deltas(std::span<Piece> pieces, Ino ino) {
  thread_local std::vector<FileRead> reads;
  std::vector<std::shared_ptr<File>> files;
  reads.clear();
  for (Piece& piece : pieces) {
    if (!piece.at_once()) continue;
    BFS_ASSIGN(auto file, data_file(piece.run.delta, piece.run.ino, false));
    if (!file) return missing_data(piece.run);
    reads.push_back({file.get(), offset_of(piece.run.block) + piece.skip, piece.out, 0});
    if (files.empty() || files.back() != file) files.push_back(std::move(file));
  }
  if (Status done = store_->env().read_at(reads); !done) return std::move(done).error().context(fmt::format("inode {}", ino.v));
  for (const FileRead& read : reads) std::memset(read.out.data() + read.got, 0, read.out.size() - read.got);  // behind its end: a hole
  const FileRead* read = reads.data();
  for (const Piece& piece : pieces) {
    if (!piece.at_once()) continue;
    const std::size_t got = read++->got;
    if (piece.sums != nullptr) BFS_TRY(piece.sums->check(piece.run.ino, piece.run.block, piece.out, got));
  }
  return {};
}

// A checksum is of a whole block, and a read of less than that has to read more.
bool View::Piece::at_once() const {
  if (run.from != Run::From::delta) return false;
  return sums == nullptr || (skip == 0 && out.size() % kBlockSize == 0);
}

Status View::read(Node& node, std::uint64_t offset, std::span<std::byte> out) {
  // The memory is this thread's for its next read; the layers named in it are not: gc may want their space back.
  thread_local std::vector<Piece> pieces;
  Status done = read_pieces(node, offset, out, pieces);
  pieces.clear();
  return done;
}

Status View::read_pieces(Node& node, std::uint64_t offset, std::span<std::byte> out, std::vector<Piece>& pieces) {
  while (!out.empty()) {
    Piece& piece = pieces.emplace_back();
    piece.block = block_of(offset);
    piece.skip = offset % kBlockSize;
    {
      std::shared_lock lock(node.mutex);
      BFS_ASSIGN(piece.run, resolve(node, piece.block, blocks_for(piece.skip + out.size())));
    }
    const std::size_t part = std::min<std::uint64_t>(out.size(), piece.run.count * kBlockSize - piece.skip);
    piece.out = out.first(part);
    out = out.subspan(part);
    offset += part;
  }
  // No lock is held while reading: what is below never changes, and the open delta's file is as consistent as any host file.
  for (Piece& piece : pieces) {
    if (piece.run.from == Run::From::delta) piece.sums = sums_of(piece.run);
  }
  const bool many = std::count_if(pieces.begin(), pieces.end(), [](const Piece& piece) { return piece.at_once(); }) > 1;
  if (many) BFS_TRY(read_deltas(pieces, node.attr.ino));
  for (const Piece& piece : pieces) {
    if (many && piece.at_once()) continue;
    if (piece.run.from == Run::From::delta) {
      BFS_TRY(read_delta(piece.run, piece.sums, piece.skip, piece.out));
    } else {
      BFS_TRY(read_run(piece.run, node.attr.ino, piece.block, piece.skip, piece.out));
    }
  }
  return {};
}

}  // namespace branchfs
