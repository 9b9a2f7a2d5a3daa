#include "layers/jobs/write_tree.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <unordered_set>

#include "layers/io/data_ranges.h"

namespace branchfs {

namespace {

constexpr std::uint64_t kPieceBlocks = 128;  // 1 MiB read at once

class TreeWriter {
 public:
  TreeWriter(View& view, LayerWriter& writer, const WriteTreeOptions& options)
      : view_(view), writer_(writer), options_(options), buffer_(kPieceBlocks * kBlockSize) {}

  Status run() {
    BFS_TRY(names());
    BFS_TRY(untouched_inodes());
    return touched_inodes();
  }

 private:
  Status names();
  Status untouched_inodes();
  Status touched_inodes();
  Status data(Node& node);
  Status run_at(Node& node, BlockNo block, Run& run, std::uint64_t blocks);
  Status delta_blocks(Node& node, BlockNo block, const Run& run);
  Status copy(Node& node, BlockNo block, const Run& run);
  Status add(Node& node, BlockNo block, std::uint64_t count);
  [[nodiscard]] bool keeps_map(const Node& node, const MapRef& base) const;
  Result<bool> has_bytes_past_end(Node& node, BlockNo block, const Run& run);
  Status advance(std::uint64_t blocks) {
    if (!options_.progress || options_.progress(blocks * kBlockSize)) return {};
    return Error{Kind::failed, ECANCELED, "stopped", {}};
  }

  View& view_;
  LayerWriter& writer_;
  const WriteTreeOptions& options_;
  std::vector<std::byte> buffer_;
  std::unordered_set<Ino> named_;
};

// From the root down, so that what no name reaches (deleted while open) is left out.
Status TreeWriter::names() {
  named_.insert(kRootIno);
  std::vector<Ino> todo{kRootIno};
  while (!todo.empty()) {
    Ino ino = todo.back();
    todo.pop_back();
    BFS_ASSIGN(NodePtr dir, view_.node(ino));
    if (!dir || !dir->is_dir()) {
      return make_error(Kind::damaged, fmt::format("directory inode {} does not exist", ino.v));
    }
    BFS_TRY(view_.for_each_name(*dir, [&](std::string_view name, Node::Name entry) -> Status {
      if (named_.insert(entry.ino).second && entry.type == S_IFDIR >> 12U) todo.push_back(entry.ino);
      return writer_.add_name(ino, name, entry.ino, entry.type);
    }));
  }
  return {};
}

Status TreeWriter::untouched_inodes() {
  const LayerPtr& base = view_.base();
  for (std::uint64_t i = 0; base && i < base->inode_count(); ++i) {
    BFS_ASSIGN(LayerInode stored, base->inode_at(i));
    Ino ino = stored.attr.ino;
    NodePtr loaded = view_.cached(ino);
    if (!named_.contains(ino) || view_.is_dead(ino) || (loaded && loaded->touched)) continue;
    named_.erase(ino);
    BFS_TRY(writer_.add_inode(stored.attr, stored.symlink));
    if (!options_.copy_layers) {
      BFS_TRY(writer_.keep_map(ino, stored.map));
    } else if (stored.map.count != 0) {
      Node node(ino);
      node.attr = stored.attr;
      node.base = stored.map;
      BFS_TRY(data(node));
    }
  }
  return {};
}

Status TreeWriter::touched_inodes() {
  for (const NodePtr& node : view_.touched_nodes()) {
    if (named_.erase(node->attr.ino) == 0) continue;
    BFS_TRY(writer_.add_inode(node->attr, node->symlink));
    if (node->is_regular()) BFS_TRY(data(*node));
  }
  if (named_.empty()) return {};
  return make_error(Kind::damaged,
                    fmt::format("a name leads to inode {}, which does not exist", named_.begin()->v));
}

// Whether only attributes and names of the file changed.
bool TreeWriter::keeps_map(const Node& node, const MapRef& base) const {
  if (options_.copy_layers || !base.layer || node.owner != kNoDelta || !node.sources.empty()) return false;
  auto last = Layer::extent_number(base, base.count - 1);
  if (!last) return false;  // the slow way finds out what is wrong with it
  std::uint64_t end = last->block.v + last->count;
  return end <= node.limit && end <= node.attr.size / kBlockSize;  // a partial last block may have to be cut
}

Status TreeWriter::data(Node& node) {
  if (keeps_map(node, node.base)) return writer_.keep_map(node.attr.ino, node.base);
  std::uint64_t blocks = blocks_for(node.attr.size);
  for (BlockNo block{0}; block.v < blocks;) {
    BFS_ASSIGN(Run run, view_.resolve(node, block, blocks - block.v));
    run.count = std::min(run.count, blocks - block.v);
    if (run.count == 0)
      return make_error(Kind::damaged, fmt::format("inode {} has a bad block map", node.attr.ino.v));
    BFS_TRY(run_at(node, block, run, blocks));
    block.v += run.count;
  }
  return {};
}

Status TreeWriter::run_at(Node& node, BlockNo block, Run& run, std::uint64_t blocks) {
  if (run.from == Run::From::zeros) return {};
  if (run.from == Run::From::delta) return delta_blocks(node, block, run);
  if (options_.copy_layers) return copy(node, block, run);
  // Of shared blocks (copy_file_range) the extent names where they stand in the file they come from.
  run.extent.block = block;
  run.extent.count = run.count;
  bool reaches_end = block.v + run.count == blocks && node.attr.size % kBlockSize != 0;
  if (reaches_end) {
    BFS_ASSIGN(bool bytes_past_end, has_bytes_past_end(node, block, run));
    if (bytes_past_end) {
      run.extent.count = run.count - 1;
      BFS_TRY(writer_.add_extent(node.attr.ino, run.extent));
      return add(node, BlockNo{blocks - 1}, 1);
    }
  }
  return writer_.add_extent(node.attr.ino, run.extent);
}

// Leaves the last block in buffer_.
Result<bool> TreeWriter::has_bytes_past_end(Node& node, BlockNo block, const Run& run) {
  Run last = run;
  last.extent.skip += static_cast<std::uint32_t>(run.count - 1);
  last.count = last.extent.count = 1;
  auto bytes = std::span(buffer_).first(kBlockSize);
  BFS_TRY(view_.read_run(last, node.attr.ino, BlockNo{block.v + run.count - 1}, 0, bytes));
  auto past = bytes.subspan(node.attr.size % kBlockSize);
  return std::any_of(past.begin(), past.end(), [](std::byte b) { return b != std::byte{0}; });
}

// `count` blocks from buffer_; what lies past the file's end becomes zeros (P7).
Status TreeWriter::add(Node& node, BlockNo block, std::uint64_t count) {
  auto bytes = std::span(buffer_).first(count * kBlockSize);
  std::uint64_t start = offset_of(block);
  if (node.attr.size < start + bytes.size()) {
    auto past = bytes.subspan(node.attr.size - start);
    std::fill(past.begin(), past.end(), std::byte{0});
  }
  BFS_TRY(writer_.add_data(node.attr.ino, block, bytes));
  return advance(count);
}

Status TreeWriter::copy(Node& node, BlockNo block, const Run& run) {
  BFS_TRY(view_.read_run(run, node.attr.ino, block, 0, std::span(buffer_).first(run.count * kBlockSize)));
  return add(node, block, run.count);
}

// The host's holes need not be read: in a delta's file they are zeros like any other.
Status TreeWriter::delta_blocks(Node& node, BlockNo block, const Run& run) {
  BFS_ASSIGN(auto file, view_.data_file(run.delta, run.ino, false));
  // A delta says that there are blocks; that it is nothing would be for ever, as a layer.
  if (!file) return view_.read_run(run, run.ino, run.block, 0, std::span(buffer_).first(kBlockSize));
  std::uint64_t end = run.block.v + run.count;
  for (std::uint64_t from = run.block.v; from < end;) {
    BFS_ASSIGN(DataRange range, view_.next_data(run, *file, offset_of(BlockNo{from}), offset_of(BlockNo{end})));
    std::uint64_t first = range.begin / kBlockSize;
    std::uint64_t stop = blocks_for(range.end);
    for (from = first; from < stop;) {
      std::uint64_t count = std::min(kPieceBlocks, stop - from);
      auto bytes = std::span(buffer_).first(count * kBlockSize);
      BFS_TRY(view_.read_run(run, run.ino, run.block, offset_of(BlockNo{from - run.block.v}), bytes));
      BFS_TRY(add(node, BlockNo{block.v + (from - run.block.v)}, count));
      from += count;
    }
  }
  return {};
}

}  // namespace

Status write_tree(View& view, LayerWriter& writer, const WriteTreeOptions& options) {
  return TreeWriter(view, writer, options).run();
}

}  // namespace branchfs
