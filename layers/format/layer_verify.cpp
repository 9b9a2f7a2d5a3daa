// Layer::verify: every rule of layers/FORMAT.md §3 that opening and reading do not check already.
#include <sys/stat.h>

#include <algorithm>

#include "layers/base/checksum.h"
#include "layers/format/layer.h"

namespace branchfs {

class LayerVerifier {
 public:
  using Report = std::function<void(const std::string&)>;
  using ProgressOf = std::function<void(std::uint64_t)>;
  using BadChunk = std::function<void(std::uint32_t)>;
  LayerVerifier(const Layer& layer, const Report& report, const ProgressOf& progress, const BadChunk& bad_chunk)
      : layer_(layer), report_(report), progress_(progress), bad_chunk_(bad_chunk) {}

  Result<std::uint64_t> run() {
    check_header_padding();
    // A page that does not hold makes what follows repeat the same complaint for each of its records.
    if (!check_pages()) return problems_;
    check_chunks();
    check_inodes();
    check_names();
    check_tree();
    return problems_;
  }

 private:
  void problem(const std::string& why) {
    ++problems_;
    report_(layer_.damaged(why).what);
  }
  void problem(const Error& error) {
    ++problems_;
    report_(error.what);
  }
  void done(std::uint64_t bytes) {
    if (progress_) progress_(bytes);
  }

  void check_header_padding();
  bool check_pages();
  void check_chunks();
  void check_inodes();
  void check_map(const LayerInode& node);
  void check_last_block(const LayerInode& node, const Extent& last);
  void check_names();
  void check_name(const LayerName& name);
  void check_tree();
  // The position of an inode in inodes_, or inodes_.size().
  [[nodiscard]] std::size_t position(Ino ino) const;

  struct Seen {
    Ino ino;
    std::uint32_t mode;
    std::uint32_t nlink;
    std::uint32_t names = 0;
    std::size_t parent = 0;  // position, of a directory with a name
    bool reachable = false;
  };

  const Layer& layer_;
  const Report& report_;
  const ProgressOf& progress_;
  const BadChunk& bad_chunk_;
  std::uint64_t problems_ = 0;
  std::vector<Seen> inodes_;
};

Result<std::uint64_t> Layer::verify(const std::function<void(const std::string&)>& report,
                                    const std::function<void(std::uint64_t)>& progress,
                                    const std::function<void(std::uint32_t)>& bad_chunk) const {
  return LayerVerifier(*this, report, progress, bad_chunk).run();
}

void LayerVerifier::check_header_padding() {
  std::vector<std::byte> padding(kLayerHeaderSize - sizeof(LayerHeader));
  auto got = layer_.file_->read_at(padding, sizeof(LayerHeader));
  if (!got) return problem(got.error());
  if (std::any_of(padding.begin(), padding.end(), [](std::byte b) { return b != std::byte{0}; })) {
    problem("the unused part of its header is not zero");
  }
  done(kLayerHeaderSize);
}

bool LayerVerifier::check_pages() {
  std::uint64_t before = problems_;
  for (std::uint64_t page = 0; page < layer_.page_sums_.size(); ++page) {
    if (auto status = layer_.verify_page(page); !status) problem(status.error());
    done(kIndexPage);
  }
  return problems_ == before;
}

void LayerVerifier::check_chunks() {
  std::uint64_t end = kLayerHeaderSize;
  std::vector<std::byte> blocks(std::size_t{kMaxChunkBlocks} * kBlockSize);
  for (std::uint32_t i = 0; i < layer_.chunk_count(); ++i) {
    auto r = layer_.chunk(i);
    if (!r) {
      problem(r.error());
      continue;
    }
    if (r->offset != end) problem("chunk " + std::to_string(i) + " does not follow the one before it");
    end = (r->offset + r->stored_size + 7) & ~std::uint64_t{7};
    auto out = std::span(blocks).first(std::size_t{r->blocks} * kBlockSize);
    if (auto status = layer_.read_chunk(i, 0, r->blocks, out); !status) {
      problem(status.error());
      if (bad_chunk_) bad_chunk_(i);
    }
    done(r->stored_size);
  }
  end = (end + kIndexAlign - 1) & ~(kIndexAlign - 1);
  if (end != layer_.footer_.index_offset) problem("its index does not follow its last chunk");
}

void LayerVerifier::check_inodes() {
  Ino last;
  for (std::uint64_t i = 0; i < layer_.inode_count(); ++i) {
    auto node = layer_.inode_at(i);
    if (!node) {
      problem(node.error());
      continue;
    }
    const Attr& attr = node->attr;
    if (attr.ino <= last) problem("inode " + std::to_string(attr.ino.v) + " is out of order");
    last = std::max(last, attr.ino);
    inodes_.push_back({attr.ino, attr.mode, attr.nlink});
    check_map(*node);
  }
  if (last != layer_.max_ino()) problem("its largest inode number is not what its footer says");
}

void LayerVerifier::check_map(const LayerInode& node) {
  std::string who = "inode " + std::to_string(node.attr.ino.v);
  std::uint64_t end = 0;
  for (std::uint64_t i = 0; i < node.map.count; ++i) {
    auto extent = Layer::extent_number(node.map, i);
    if (!extent) return problem(extent.error());
    if (extent->block.v < end) return problem("the blocks of " + who + " are out of order");
    end = extent->block.v + extent->count;
    auto chunk = extent->layer->chunk(extent->chunk);
    if (!chunk) return problem(chunk.error());
    if (extent->skip + extent->count > chunk->blocks) {
      return problem("the blocks of " + who + " reach beyond a chunk");
    }
    if (i + 1 == node.map.count) check_last_block(node, *extent);
  }
  if (end > blocks_for(node.attr.size)) problem(who + " has blocks past its end");
}

void LayerVerifier::check_last_block(const LayerInode& node, const Extent& last) {
  std::uint64_t tail = node.attr.size % kBlockSize;
  std::uint64_t last_block = last.block.v + last.count - 1;
  if (tail == 0 || last_block != node.attr.size / kBlockSize) return;
  std::vector<std::byte> block(kBlockSize);
  auto skip = static_cast<std::uint32_t>(last.skip + last.count - 1);
  if (auto status = last.layer->read_chunk(last.chunk, skip, 1, block); !status)
    return problem(status.error());
  if (std::any_of(block.begin() + static_cast<std::ptrdiff_t>(tail), block.end(),
                  [](std::byte b) { return b != std::byte{0}; })) {
    problem("inode " + std::to_string(node.attr.ino.v) + " has bytes past its end (P7)");
  }
}

std::size_t LayerVerifier::position(Ino ino) const {
  auto found =
      std::lower_bound(inodes_.begin(), inodes_.end(), ino, [](const Seen& s, Ino i) { return s.ino < i; });
  if (found == inodes_.end() || found->ino != ino) return inodes_.size();
  return static_cast<std::size_t>(found - inodes_.begin());
}

void LayerVerifier::check_names() {
  Ino last_parent;
  std::string_view last_name;
  for (std::uint64_t i = 0; i < layer_.name_count(); ++i) {
    auto name = layer_.name_at(i);
    if (!name) {
      problem(name.error());
      continue;
    }
    if (std::pair(name->parent, name->name) <= std::pair(last_parent, last_name)) {
      problem("name \"" + std::string(name->name) + "\" is out of order");
    }
    last_parent = name->parent;
    last_name = name->name;
    check_name(*name);
  }
}

void LayerVerifier::check_name(const LayerName& name) {
  std::string who = "name \"" + std::string(name.name) + "\"";
  std::size_t parent = position(name.parent);
  std::size_t target = position(name.ino);
  if (parent == inodes_.size() || !S_ISDIR(inodes_[parent].mode)) {
    problem(who + " is in inode " + std::to_string(name.parent.v) + ", which is no directory");
  }
  if (target == inodes_.size()) return problem(who + " leads to no inode");
  Seen& seen = inodes_[target];
  ++seen.names;
  if (seen.mode >> 12U != name.type) problem(who + " has another type than its inode");
  if (S_ISDIR(seen.mode) && parent != inodes_.size()) seen.parent = parent;
}

void LayerVerifier::check_tree() {
  std::size_t root = position(kRootIno);
  if (root == inodes_.size() || !S_ISDIR(inodes_[root].mode)) return problem("it has no root directory");
  if (inodes_[root].names != 0) problem("its root has a name");
  inodes_[root].reachable = true;
  std::vector<std::size_t> climb;
  for (std::size_t i = 0; i < inodes_.size(); ++i) {
    Seen& seen = inodes_[i];
    std::string who = "inode " + std::to_string(seen.ino.v);
    if (i != root && seen.names == 0) problem(who + " has no name");
    if (!S_ISDIR(seen.mode)) {
      if (seen.names != 0 && seen.names != seen.nlink) problem(who + " has a wrong link count");
      continue;
    }
    if (seen.names > 1) problem("directory " + who + " has several names");
    // Up to a directory known to be reachable; a climb longer than the table is a loop.
    climb.clear();
    std::size_t at = i;
    while (!inodes_[at].reachable && inodes_[at].names != 0 && climb.size() <= inodes_.size()) {
      climb.push_back(at);
      at = inodes_[at].parent;
    }
    if (climb.size() > inodes_.size()) {
      problem("directory " + who + " cannot be reached from the root");
    } else if (inodes_[at].reachable) {
      for (std::size_t c : climb) inodes_[c].reachable = true;
    }
  }
}

}  // namespace branchfs
