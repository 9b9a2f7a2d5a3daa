#include "layers/format/index_builder.h"

#include <algorithm>
#include <cstring>

#include "layers/base/checksum.h"

namespace branchfs {

namespace {

Error misuse(const std::string& why) { return make_error(Kind::usage, "write a layer: " + why); }

// Appends the index, taking the sum of each page as it fills.
class IndexStream {
 public:
  explicit IndexStream(AppendBuffer& out) : out_(out), start_(out.position()) { page_.reserve(kIndexPage); }

  template <class T>
  Status table(const std::vector<T>& records, Section& section) {
    return bytes(std::as_bytes(std::span(records)), records.size(), section);
  }
  Status bytes(std::span<const std::byte> data, std::uint64_t count, Section& section) {
    section = {start_ + size_, count};
    BFS_TRY(append(data));
    static constexpr std::byte kZeros[8]{};
    return append(std::span(kZeros).first((8 - size_ % 8) % 8));
  }
  Status finish() {
    if (page_.empty()) return {};
    sums_.push_back(checksum(page_));
    Status status = out_.append(page_);
    page_.clear();
    return status;
  }
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] const std::vector<std::uint64_t>& sums() const { return sums_; }

 private:
  Status append(std::span<const std::byte> data) {
    size_ += data.size();
    while (!data.empty()) {
      std::size_t n = std::min<std::size_t>(data.size(), kIndexPage - page_.size());
      page_.insert(page_.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(n));
      data = data.subspan(n);
      if (page_.size() == kIndexPage) BFS_TRY(finish());
    }
    return {};
  }
  AppendBuffer& out_;
  std::uint64_t start_;
  std::uint64_t size_ = 0;
  std::vector<std::byte> page_;
  std::vector<std::uint64_t> sums_;
};

}  // namespace

Result<std::uint32_t> IndexBuilder::add_layer(const LayerPtr& layer) {
  if (layer->id() == id_) return misuse("it cannot depend on itself");
  auto [at, is_new] = slots_.try_emplace(layer->id(), static_cast<std::uint32_t>(layers_.size()));
  if (is_new) layers_.push_back({layer});
  return at->second;
}

IndexBuilder::Text IndexBuilder::remember(std::string_view s) {
  Text t{text_.size(), s.size()};
  text_ += s;
  return t;
}

void IndexBuilder::keep_map(Ino ino, std::uint32_t slot, const MapRef& map) {
  kept_[ino] = {slot, map.first, map.count};
}

Status IndexBuilder::add_inode(const Attr& a, std::string_view symlink) {
  if (a.ino == kNoIno) return misuse("inode 0");
  if (symlink.size() > kMaxSymlinkSize) return misuse("a symlink's target is too long");
  Node node{};
  InodeRecord& r = node.record;
  r.ino = a.ino.v;
  r.size = a.size;
  r.rdev = a.rdev;
  r.atime_sec = a.atime.tv_sec;
  r.mtime_sec = a.mtime.tv_sec;
  r.ctime_sec = a.ctime.tv_sec;
  r.atime_nsec = static_cast<std::uint32_t>(a.atime.tv_nsec);
  r.mtime_nsec = static_cast<std::uint32_t>(a.mtime.tv_nsec);
  r.ctime_nsec = static_cast<std::uint32_t>(a.ctime.tv_nsec);
  r.mode = a.mode;
  r.uid = a.uid;
  r.gid = a.gid;
  r.nlink = a.nlink;
  r.symlink_size = symlink.size();
  node.symlink = remember(symlink);
  nodes_.push_back(node);
  return {};
}

Status IndexBuilder::add_name(Ino parent, std::string_view name, Ino ino, std::uint8_t type) {
  if (name.empty() || name.size() > kMaxNameSize || name == "." || name == ".." ||
      name.find('/') != name.npos || name.find('\0') != name.npos) {
    return misuse("\"" + std::string(name) + "\" cannot be a name");
  }
  names_.push_back({parent, ino, remember(name), type});
  return {};
}

Status IndexBuilder::sort_tables() {
  std::sort(nodes_.begin(), nodes_.end(),
            [](const Node& a, const Node& b) { return a.record.ino < b.record.ino; });
  for (std::size_t i = 1; i < nodes_.size(); ++i) {
    if (nodes_[i].record.ino == nodes_[i - 1].record.ino) {
      return misuse("inode " + std::to_string(nodes_[i].record.ino) + " was given twice");
    }
  }
  if (nodes_.empty() || nodes_[0].record.ino != kRootIno.v) return misuse("there is no root directory");
  auto key = [&](const Name& n) { return std::pair(n.parent, view(n.name)); };
  std::sort(names_.begin(), names_.end(), [&](const Name& a, const Name& b) { return key(a) < key(b); });
  for (std::size_t i = 1; i < names_.size(); ++i) {
    if (key(names_[i]) == key(names_[i - 1])) {
      return misuse("the name \"" + std::string(view(names_[i].name)) + "\" was given twice");
    }
  }
  std::sort(extents_.begin(), extents_.end(), [](const Placed& a, const Placed& b) {
    return std::pair(a.ino, a.extent.block) < std::pair(b.ino, b.extent.block);
  });
  return {};
}

// The extents of one inode, from extents_[next] on, join maps_.
Status IndexBuilder::add_map(Node& node, std::size_t& next) {
  InodeRecord& r = node.record;
  r.map_first = maps_.size();
  for (; next < extents_.size() && extents_[next].ino.v == r.ino; ++next) {
    const ExtentRecord& e = extents_[next].extent;
    layers_[e.layer].required = true;
    if (maps_.size() > r.map_first) {
      ExtentRecord& last = maps_.back();
      if (last.block + last.count > e.block) {
        return misuse("blocks of inode " + std::to_string(r.ino) + " were given twice");
      }
      if (last.block + last.count == e.block && last.layer == e.layer && last.chunk == e.chunk &&
          last.skip + last.count == e.skip) {
        last.count += e.count;
        continue;
      }
    }
    maps_.push_back(e);
  }
  r.map_count = maps_.size() - r.map_first;
  if (r.map_count == 0) r.map_first = 0;
  auto kept = kept_.find(Ino{r.ino});
  if (kept == kept_.end()) return {};
  if (r.map_count != 0)
    return misuse("inode " + std::to_string(r.ino) + " keeps a map and has one of its own");
  auto [slot, first, count] = kept->second;
  r.map_layer = slot;
  r.map_first = first;
  r.map_count = count;
  // The kept map's extents speak of the layers in that layer's table.
  layers_[slot].required = true;
  for (const LayerPtr& dependency : layers_[slot].layer->dependencies()) {
    BFS_ASSIGN(auto also, add_layer(dependency));
    layers_[also].required = true;
  }
  return {};
}

Status IndexBuilder::join_maps() {
  std::size_t next = 0;
  for (Node& node : nodes_) {
    while (next < extents_.size() && extents_[next].ino.v < node.record.ino) ++next;
    BFS_TRY(add_map(node, next));
  }
  extents_ = {};
  return {};
}

// By id, so that the table does not depend on the order in which workers finished.
std::vector<DepRecord> IndexBuilder::number_dependencies() {
  std::vector<std::uint32_t> order;
  for (std::uint32_t slot = 1; slot < layers_.size(); ++slot) {
    if (layers_[slot].required) order.push_back(slot);
  }
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return layers_[a].layer->id() < layers_[b].layer->id();
  });
  std::vector<DepRecord> deps;
  for (std::uint32_t slot : order) {
    ObjectId id = layers_[slot].layer->id();
    deps.push_back({id.hi, id.lo});
    layers_[slot].number = static_cast<std::uint32_t>(deps.size());
  }
  for (ExtentRecord& e : maps_) e.layer = layers_[e.layer].number;
  for (Node& node : nodes_) node.record.map_layer = layers_[node.record.map_layer].number;
  return deps;
}

// Texts lie in the order of the tables, so that a directory's names share pages.
void IndexBuilder::place_text(std::string& text, std::vector<NameRecord>& names) {
  text.reserve(text_.size());
  names.reserve(names_.size());
  for (const Name& n : names_) {
    names.push_back({n.parent.v, n.ino.v, text.size(), static_cast<std::uint32_t>(n.name.size), n.type});
    text += view(n.name);
  }
  for (Node& node : nodes_) {
    if (node.symlink.size == 0) continue;
    node.record.symlink_offset = text.size();
    text += view(node.symlink);
  }
}

Status IndexBuilder::write(AppendBuffer& out, const std::vector<ChunkRecord>& chunks, std::int64_t created) {
  BFS_TRY(sort_tables());
  BFS_TRY(join_maps());
  std::vector<DepRecord> deps = number_dependencies();
  if (deps.size() > kMaxDependencies) return misuse("it depends on too many layers");
  std::string text;
  std::vector<NameRecord> names;
  place_text(text, names);
  std::vector<InodeRecord> inodes;
  inodes.reserve(nodes_.size());
  for (const Node& node : nodes_) inodes.push_back(node.record);

  BFS_TRY(out.pad_to(kIndexAlign));
  Footer f{};
  std::memcpy(f.magic, kFooterMagic, sizeof f.magic);
  f.version = kLayerVersion;
  f.id_hi = id_.hi;
  f.id_lo = id_.lo;
  f.index_offset = out.position();
  f.max_ino = inodes.back().ino;
  f.created = created;
  IndexStream index(out);
  BFS_TRY(index.table(deps, f.deps));
  BFS_TRY(index.table(chunks, f.chunks));
  BFS_TRY(index.table(inodes, f.inodes));
  BFS_TRY(index.table(maps_, f.extents));
  BFS_TRY(index.table(names, f.names));
  BFS_TRY(index.bytes(std::as_bytes(std::span(text)), text.size(), f.text));
  BFS_TRY(index.finish());
  f.index_size = index.size();
  if (f.index_size > kMaxIndexSize) return misuse("its index is too large");
  f.page_sums = {out.position(), index.sums().size()};
  auto sums = std::as_bytes(std::span(index.sums()));
  f.page_sums_checksum = checksum(sums);
  BFS_TRY(out.append(sums));
  auto footer = std::as_bytes(std::span(&f, 1));
  f.checksum = checksum(footer.first(offsetof(Footer, checksum)));
  return out.append(footer);
}

}  // namespace branchfs
