#include "layers/format/layer.h"

#include <fcntl.h>
#include <lz4.h>
#include <sys/stat.h>

#include <cstring>

#include "layers/base/checksum.h"

namespace branchfs {

namespace {

// The last chunk this thread decompressed in part: sequential reads of single blocks decompress it once.
struct Scratch {
  std::uint64_t layer_serial = 0;
  std::uint32_t chunk = 0;
  std::vector<std::byte> blocks;
  std::vector<std::byte> stored;
};
thread_local Scratch scratch;

std::span<std::byte> sized(std::vector<std::byte>& buffer, std::size_t size) {
  if (buffer.size() < size) buffer.resize(size);
  return {buffer.data(), size};
}

template <class T>
std::span<const std::byte> leading_bytes(const T& record, std::size_t count) {
  return std::as_bytes(std::span(&record, 1)).first(count);
}

std::uint64_t round_up8(std::uint64_t v) { return (v + 7) & ~std::uint64_t{7}; }

// The first index in [0, count) for which `before` is false; ends on unsorted tables too.
template <class Before>
Result<std::uint64_t> lower_bound(std::uint64_t count, Before before) {
  std::uint64_t low = 0;
  std::uint64_t high = count;
  while (low < high) {
    std::uint64_t middle = low + (high - low) / 2;
    BFS_ASSIGN(bool is_before, before(middle));
    if (is_before) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

bool known_type(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
    case S_IFDIR:
    case S_IFLNK:
    case S_IFIFO:
    case S_IFSOCK:
    case S_IFCHR:
    case S_IFBLK:
      return true;
    default:
      return false;
  }
}

}  // namespace

Layer::~Layer() = default;

Error Layer::damaged(const std::string& why) const {
  return make_error(Kind::damaged, "layer " + id_.hex() + " is damaged: " + why,
                    "\"branchfs verify\" shows what it affects; restore " + path_ + " from a copy");
}

// --- opening -----------------------------------------------------------------------------------------

Result<std::shared_ptr<Layer>> Layer::load(Env& env, std::string path, ObjectId id) {
  static std::atomic<std::uint64_t> serials{0};
  std::shared_ptr<Layer> layer(new Layer);
  layer->serial_ = ++serials;
  layer->id_ = id;
  layer->path_ = std::move(path);
  auto file = env.open(layer->path_, O_RDONLY | O_NONBLOCK);  // a FIFO must not make us wait
  if (!file && file.error().sys == ENOENT) return layer->damaged("its file " + layer->path_ + " is missing");
  if (!file) return std::move(file).error();
  layer->file_ = *std::move(file);
  BFS_ASSIGN(auto st, layer->file_->stat());
  if (!S_ISREG(st.st_mode)) return layer->damaged("it is not a regular file");
  layer->file_size_ = static_cast<std::uint64_t>(st.st_size);
  BFS_TRY(layer->read_header());
  BFS_TRY(layer->read_footer());
  BFS_TRY(layer->check_layout());
  BFS_TRY(layer->read_page_sums());
  BFS_ASSIGN(layer->index_, layer->file_->map(layer->footer_.index_offset, layer->footer_.index_size));
  return layer;
}

Status Layer::read_header() {
  LayerHeader h{};
  if (file_size_ < kLayerHeaderSize + sizeof(Footer)) return damaged("it is shorter than an empty layer");
  BFS_ASSIGN(std::size_t got, file_->read_at(std::as_writable_bytes(std::span(&h, 1)), 0));
  if (got != sizeof h) return damaged("its header cannot be read");
  if (std::memcmp(h.magic, kLayerMagic, sizeof h.magic) != 0) return damaged("it has no layer header");
  if (h.checksum != checksum(leading_bytes(h, offsetof(LayerHeader, checksum)))) {
    return damaged("its header does not match its checksum");
  }
  if (h.version != kLayerVersion || h.features != 0) {
    return make_error(Kind::refused, "layer " + id_.hex() + " has a format this branchfs does not know",
                      "use a newer branchfs");
  }
  if (h.block_size != kBlockSize) return damaged("its block size is " + std::to_string(h.block_size));
  if (ObjectId{h.id_hi, h.id_lo} != id_ || !id_.valid()) return damaged("its header names another layer");
  return {};
}

Status Layer::read_footer() {
  std::uint64_t at = file_size_ - sizeof footer_;
  BFS_ASSIGN(std::size_t got, file_->read_at(std::as_writable_bytes(std::span(&footer_, 1)), at));
  if (got != sizeof footer_) return damaged("its footer cannot be read");
  const Footer& f = footer_;
  if (std::memcmp(f.magic, kFooterMagic, sizeof f.magic) != 0) return damaged("it has no footer");
  if (f.checksum != checksum(leading_bytes(f, offsetof(Footer, checksum)))) {
    return damaged("its footer does not match its checksum");
  }
  if (f.version != kLayerVersion || f.reserved != 0) return damaged("its footer has another version");
  if (ObjectId{f.id_hi, f.id_lo} != id_) return damaged("its footer names another layer");
  return {};
}

Status Layer::check_layout() const {
  const Footer& f = footer_;
  std::uint64_t footer_at = file_size_ - sizeof(Footer);
  if (f.index_offset < kLayerHeaderSize || f.index_offset % kIndexAlign != 0 || f.index_offset > footer_at) {
    return damaged("its index is out of place");
  }
  if (f.index_size % 8 != 0 || f.index_size > kMaxIndexSize || f.index_size > footer_at - f.index_offset) {
    return damaged("its index has an impossible size");
  }
  struct {
    const Section& section;
    std::uint64_t record_size;
    const char* name;
  } const tables[] = {{f.deps, sizeof(DepRecord), "dependency"}, {f.chunks, sizeof(ChunkRecord), "chunk"},
                      {f.inodes, sizeof(InodeRecord), "inode"},  {f.extents, sizeof(ExtentRecord), "extent"},
                      {f.names, sizeof(NameRecord), "name"},     {f.text, 1, "text"}};
  std::uint64_t end = f.index_offset + f.index_size;
  std::uint64_t at = f.index_offset;
  for (const auto& table : tables) {
    // Never overflows: `at` stays at or below `end`, and a count is compared before it is multiplied.
    if (table.section.offset != at || table.section.count > (end - at) / table.record_size) {
      return damaged(std::string("its ") + table.name + " table is out of place");
    }
    at = round_up8(at + table.section.count * table.record_size);
  }
  std::uint64_t pages = (f.index_size + kIndexPage - 1) / kIndexPage;
  if (at != end || f.page_sums.offset != end || f.page_sums.count != pages ||
      pages > (footer_at - end) / sizeof(std::uint64_t) || end + pages * sizeof(std::uint64_t) != footer_at) {
    return damaged("its tables do not fill its index");
  }
  if (f.deps.count > kMaxDependencies || f.chunks.count > UINT32_MAX || f.inodes.count == 0) {
    return damaged("a table has an impossible length");
  }
  return {};
}

Status Layer::read_page_sums() {
  page_sums_.resize(footer_.page_sums.count);
  auto bytes = std::as_writable_bytes(std::span(page_sums_));
  BFS_ASSIGN(std::size_t got, file_->read_at(bytes, footer_.page_sums.offset));
  if (got != bytes.size() || checksum(bytes) != footer_.page_sums_checksum) {
    return damaged("the checksums of its index do not match their own");
  }
  verified_pages_ = std::make_unique<std::atomic<std::uint64_t>[]>(page_sums_.size() / 64 + 1);
  return {};
}

Result<std::vector<ObjectId>> Layer::dependency_ids() const {
  std::vector<ObjectId> ids;
  ids.reserve(footer_.deps.count);
  ObjectId last;
  for (std::uint64_t i = 0; i < footer_.deps.count; ++i) {
    BFS_ASSIGN(DepRecord r, record<DepRecord>(footer_.deps, i));
    ObjectId id{r.id_hi, r.id_lo};
    if (id <= last || id == id_) return damaged("its dependency table is out of order");
    ids.push_back(id);
    last = id;
  }
  return ids;
}

// --- the index ---------------------------------------------------------------------------------------

Status Layer::verify_page(std::uint64_t page) const {
  std::uint64_t start = page * kIndexPage;
  std::uint64_t size = std::min(kIndexPage, footer_.index_size - start);
  // Read before the mapping is touched: a host I/O error then is an error, not SIGBUS.
  thread_local std::vector<std::byte> buffer;
  auto bytes = sized(buffer, size);
  BFS_ASSIGN(std::size_t got, file_->read_at(bytes, footer_.index_offset + start));
  if (got != size || checksum(bytes) != page_sums_[page]) {
    return damaged("page " + std::to_string(page) + " of its index does not match its checksum");
  }
  verified_pages_[page / 64].fetch_or(1ULL << (page % 64), std::memory_order_release);
  return {};
}

Result<const std::byte*> Layer::index_bytes(std::uint64_t offset, std::uint64_t length) const {
  if (offset < footer_.index_offset || length > footer_.index_size ||
      offset - footer_.index_offset > footer_.index_size - length) {
    return damaged("a reference leads out of its index");
  }
  std::uint64_t start = offset - footer_.index_offset;
  if (length != 0) {
    for (std::uint64_t page = start / kIndexPage; page <= (start + length - 1) / kIndexPage; ++page) {
      std::uint64_t bits = verified_pages_[page / 64].load(std::memory_order_acquire);
      if ((bits >> (page % 64) & 1U) == 0) BFS_TRY(verify_page(page));
    }
  }
  return index_.bytes().data() + start;
}

template <class T>
Result<T> Layer::record(const Section& section, std::uint64_t index) const {
  if (index >= section.count) return damaged("a reference leads beyond one of its tables");
  BFS_ASSIGN(const std::byte* bytes, index_bytes(section.offset + index * sizeof(T), sizeof(T)));
  T r;
  std::memcpy(&r, bytes, sizeof r);
  return r;
}

Result<std::string_view> Layer::text(std::uint64_t offset, std::uint64_t length) const {
  if (length > footer_.text.count || offset > footer_.text.count - length) {
    return damaged("a reference leads beyond its text");
  }
  BFS_ASSIGN(const std::byte* bytes, index_bytes(footer_.text.offset + offset, length));
  return std::string_view(reinterpret_cast<const char*>(bytes), length);
}

// --- inodes and names --------------------------------------------------------------------------------

Result<LayerInode> Layer::decode_inode(const InodeRecord& r) const {
  auto bad = [&](const char* why) { return damaged("inode " + std::to_string(r.ino) + " has " + why); };
  if (r.ino == 0 || !known_type(r.mode)) return bad("an unknown type");
  if (r.size > static_cast<std::uint64_t>(INT64_MAX)) return bad("an impossible size");
  if (r.atime_nsec >= 1'000'000'000 || r.mtime_nsec >= 1'000'000'000 || r.ctime_nsec >= 1'000'000'000) {
    return bad("an impossible time");
  }
  LayerInode node;
  node.attr = Attr{Ino{r.ino},
                   r.mode,
                   r.uid,
                   r.gid,
                   r.nlink,
                   r.rdev,
                   r.size,
                   {r.atime_sec, r.atime_nsec},
                   {r.mtime_sec, r.mtime_nsec},
                   {r.ctime_sec, r.ctime_nsec}};
  bool is_symlink = S_ISLNK(r.mode);
  if (is_symlink ? r.symlink_size == 0 || r.symlink_size > kMaxSymlinkSize || r.symlink_size != r.size
                 : r.symlink_size != 0) {
    return bad("an impossible symlink target");
  }
  if (is_symlink) {
    BFS_ASSIGN(auto target, text(r.symlink_offset, r.symlink_size));
    node.symlink = target;
  }
  if (r.map_count == 0) return node;
  if (!S_ISREG(r.mode)) return bad("data although it is not a regular file");
  if (r.map_layer > deps_.size()) return bad("its blocks in a layer that is not listed");
  node.map.layer = r.map_layer == 0 ? shared_from_this() : deps_[r.map_layer - 1];
  std::uint64_t extents = node.map.layer->footer_.extents.count;
  if (r.map_count > extents || r.map_first > extents - r.map_count) return bad("a block map out of range");
  node.map.first = r.map_first;
  node.map.count = r.map_count;
  return node;
}

Result<LayerInode> Layer::inode_at(std::uint64_t index) const {
  BFS_ASSIGN(auto r, record<InodeRecord>(footer_.inodes, index));
  return decode_inode(r);
}

Result<std::optional<LayerInode>> Layer::inode(Ino ino) const {
  BFS_ASSIGN(auto index, lower_bound(footer_.inodes.count, [&](std::uint64_t i) -> Result<bool> {
               BFS_ASSIGN(auto r, record<InodeRecord>(footer_.inodes, i));
               return r.ino < ino.v;
             }));
  if (index == footer_.inodes.count) return std::optional<LayerInode>();
  BFS_ASSIGN(auto r, record<InodeRecord>(footer_.inodes, index));
  if (r.ino != ino.v) return std::optional<LayerInode>();
  BFS_ASSIGN(auto node, decode_inode(r));
  return std::optional<LayerInode>(std::move(node));
}

Result<LayerName> Layer::decode_name(const NameRecord& r) const {
  if (r.name_size == 0 || r.name_size > kMaxNameSize) return damaged("a name has an impossible length");
  BFS_ASSIGN(auto name, text(r.name_offset, r.name_size));
  if (name == "." || name == ".." || name.find('/') != name.npos || name.find('\0') != name.npos) {
    return damaged("a name holds what no name can hold");
  }
  if (r.ino == 0 || r.type > 15) return damaged("a name leads to nothing that can exist");
  return LayerName{Ino{r.parent}, name, Ino{r.ino}, static_cast<std::uint8_t>(r.type)};
}

Result<LayerName> Layer::name_at(std::uint64_t index) const {
  BFS_ASSIGN(auto r, record<NameRecord>(footer_.names, index));
  return decode_name(r);
}

Result<std::optional<LayerName>> Layer::find(Ino parent, std::string_view name) const {
  BFS_ASSIGN(auto index, lower_bound(footer_.names.count, [&](std::uint64_t i) -> Result<bool> {
               BFS_ASSIGN(auto r, record<NameRecord>(footer_.names, i));
               if (r.parent != parent.v) return r.parent < parent.v;
               BFS_ASSIGN(auto entry, decode_name(r));
               return entry.name < name;
             }));
  if (index == footer_.names.count) return std::optional<LayerName>();
  BFS_ASSIGN(auto entry, name_at(index));
  if (entry.parent != parent || entry.name != name) return std::optional<LayerName>();
  return std::optional<LayerName>(entry);
}

Result<std::uint64_t> Layer::first_name_from(Ino parent) const {
  return lower_bound(footer_.names.count, [&](std::uint64_t i) -> Result<bool> {
    BFS_ASSIGN(auto r, record<NameRecord>(footer_.names, i));
    return r.parent < parent.v;
  });
}

Result<std::pair<std::uint64_t, std::uint64_t>> Layer::names_of(Ino parent) const {
  BFS_ASSIGN(auto first, first_name_from(parent));
  std::uint64_t end = footer_.names.count;
  if (parent.v != UINT64_MAX) {
    BFS_ASSIGN(end, first_name_from(Ino{parent.v + 1}));
  }
  if (end < first) return damaged("its names are out of order");
  return std::pair(first, end - first);
}

// --- block maps --------------------------------------------------------------------------------------

Result<Extent> Layer::decode_extent(const ExtentRecord& r) const {
  if (r.count == 0 || r.count > kMaxChunkBlocks || r.skip > kMaxChunkBlocks - r.count ||
      r.block > kMaxBlocks - r.count) {
    return damaged("an extent has an impossible range");
  }
  if (r.layer > deps_.size()) return damaged("an extent names a layer that is not listed");
  Extent extent{BlockNo{r.block}, r.count, r.layer == 0 ? shared_from_this() : deps_[r.layer - 1], r.chunk,
                r.skip};
  if (r.chunk >= extent.layer->footer_.chunks.count)
    return damaged("an extent names a chunk that does not exist");
  return extent;
}

Result<Extent> Layer::extent_number(const MapRef& map, std::uint64_t index) {
  if (!map.layer || index >= map.count) {
    return make_error(Kind::usage, "read a block map: no extent " + std::to_string(index));
  }
  BFS_ASSIGN(auto r, map.layer->record<ExtentRecord>(map.layer->footer_.extents, map.first + index));
  return map.layer->decode_extent(r);
}

Result<Extent> Layer::extent_at(const MapRef& map, BlockNo block) {
  Extent hole{block, UINT64_MAX - block.v, nullptr, 0, 0};
  if (!map.layer) return hole;
  const Layer& layer = *map.layer;
  auto raw = [&](std::uint64_t i) {
    return layer.record<ExtentRecord>(layer.footer_.extents, map.first + i);
  };
  BFS_ASSIGN(auto after, lower_bound(map.count, [&](std::uint64_t i) -> Result<bool> {
               BFS_ASSIGN(auto r, raw(i));
               return r.block <= block.v;
             }));
  if (after > 0) {
    BFS_ASSIGN(auto r, raw(after - 1));
    std::uint64_t cut = block.v - r.block;
    if (r.block > block.v) return layer.damaged("a block map is out of order");
    if (cut < r.count) {
      BFS_ASSIGN(auto extent, layer.decode_extent(r));
      extent.block = block;
      extent.count -= cut;
      extent.skip += static_cast<std::uint32_t>(cut);
      return extent;
    }
  }
  if (after < map.count) {
    BFS_ASSIGN(auto r, raw(after));
    if (r.block <= block.v) return layer.damaged("a block map is out of order");
    hole.count = r.block - block.v;
  }
  return hole;
}

// --- chunks ------------------------------------------------------------------------------------------

Result<ChunkRecord> Layer::chunk(std::uint32_t number) const {
  BFS_ASSIGN(auto r, record<ChunkRecord>(footer_.chunks, number));
  auto bad = [&](const char* why) { return damaged("chunk " + std::to_string(number) + " has " + why); };
  std::uint64_t plain = std::uint64_t{r.blocks} * kBlockSize;
  if (r.blocks == 0 || r.blocks > kMaxChunkBlocks) return bad("an impossible number of blocks");
  if (r.codec == static_cast<std::uint16_t>(Codec::raw)) {
    if (r.stored_size != plain) return bad("an impossible size");
  } else if (r.codec == static_cast<std::uint16_t>(Codec::lz4)) {
    if (r.stored_size == 0 || r.stored_size >= plain) return bad("an impossible size");
  } else {
    return bad("an unknown codec");
  }
  if (r.offset < kLayerHeaderSize || r.offset % 8 != 0 || r.offset > footer_.index_offset ||
      r.stored_size > footer_.index_offset - r.offset) {
    return bad("an impossible place");
  }
  return r;
}

Status Layer::read_stored(std::uint32_t number, const ChunkRecord& r, std::span<std::byte> out) const {
  BFS_ASSIGN(std::size_t got, file_->read_at(out, r.offset));
  if (got != out.size() || checksum(out) != r.checksum) {
    return damaged("chunk " + std::to_string(number) + " does not match its checksum");
  }
  return {};
}

Result<std::vector<std::byte>> Layer::stored_bytes(std::uint32_t number) const {
  BFS_ASSIGN(auto r, chunk(number));
  std::vector<std::byte> bytes(r.stored_size);
  BFS_TRY(read_stored(number, r, bytes));
  return bytes;
}

// All blocks of the chunk into `out`.
Status Layer::unpack_chunk(std::uint32_t number, const ChunkRecord& r, std::span<std::byte> out) const {
  if (r.codec == static_cast<std::uint16_t>(Codec::raw)) return read_stored(number, r, out);
  auto stored = sized(scratch.stored, r.stored_size);
  BFS_TRY(read_stored(number, r, stored));
  int got =
      LZ4_decompress_safe(reinterpret_cast<const char*>(stored.data()), reinterpret_cast<char*>(out.data()),
                          static_cast<int>(stored.size()), static_cast<int>(out.size()));
  if (got < 0 || static_cast<std::size_t>(got) != out.size()) {
    return damaged("chunk " + std::to_string(number) + " does not decompress to its blocks");
  }
  return {};
}

Status Layer::read_chunk(std::uint32_t number, std::uint32_t skip, std::uint64_t count,
                         std::span<std::byte> out) const {
  BFS_ASSIGN(auto r, chunk(number));
  if (count == 0 || count > r.blocks || skip > r.blocks - count) {
    return damaged("an extent reaches beyond chunk " + std::to_string(number));
  }
  if (out.size() != count * kBlockSize)
    return make_error(Kind::usage, "read a chunk: the buffer has another size");
  Scratch& s = scratch;
  bool remembered = s.layer_serial == serial_ && s.chunk == number;
  if (!remembered && count == r.blocks) return unpack_chunk(number, r, out);
  if (!remembered) {
    s.layer_serial = 0;  // what it holds is overwritten, and may fail half-way
    BFS_TRY(unpack_chunk(number, r, sized(s.blocks, std::size_t{r.blocks} * kBlockSize)));
    s.layer_serial = serial_;
    s.chunk = number;
  }
  std::memcpy(out.data(), s.blocks.data() + std::size_t{skip} * kBlockSize, out.size());
  return {};
}

}  // namespace branchfs
