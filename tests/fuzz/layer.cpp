// A layer file from anybody: every question a reader can ask ends with an answer or an error, and what `verify` calls
// sound answers without errors. An input is a whole layer file; one with the id of the layer that ours depends on takes its place.
#include "layers/format/layer.h"

#include <algorithm>

#include "layers/base/checksum.h"
#include "tests/fuzz/support.h"

namespace {

using namespace branchfs;
using namespace branchfs::fuzz;

constexpr ObjectId kBase{0, 1};
constexpr ObjectId kTop{0, 2};
constexpr std::uint64_t kMostRecords = 256;  // of each table that an input may keep us busy with
constexpr std::uint64_t kMostReads = 128;

std::string path_of(ObjectId id) { return "/" + id.hex(); }

// kTop has blocks of its own and of kBase, and a map of kBase.
void fill(Env& env) {
  write_layer(env, path_of(kBase), kBase);
  LayerSet set(env, path_of);
  const auto base = need(set.open(kBase));
  const auto map = need(base->inode(Ino{3}))->map;
  LayerWriterOptions options;
  options.threads = 1;
  auto writer = need(LayerWriter::create(env, path_of(kTop), kTop, std::move(options)));
  need(writer->add_inode(attr_of(1, S_IFDIR | 0700, 0, 2)));
  need(writer->add_inode(attr_of(3, S_IFREG | 0600, kLayerBlocks * kBlockSize)));
  need(writer->add_name(kRootIno, "kept", Ino{3}, DT_REG));
  need(writer->keep_map(Ino{3}, map));
  need(writer->add_inode(attr_of(4, S_IFREG | 0600, 9 * kBlockSize)));
  need(writer->add_name(kRootIno, "mixed", Ino{4}, DT_REG));
  need(writer->add_data(Ino{4}, BlockNo{0}, pattern(77, 2)));
  auto extent = need(Layer::extent_at(map, BlockNo{1}));
  extent.block = BlockNo{4};
  need(writer->add_extent(Ino{4}, extent));
  need(writer->finish(0));
}

class Reader {
 public:
  explicit Reader(const Layer& layer) : layer_(layer) {}

  void run() {
    for (std::uint64_t i = 0; i < std::min(layer_.inode_count(), kMostRecords); ++i) inode(i);
    for (std::uint64_t i = 0; i < std::min(layer_.name_count(), kMostRecords); ++i) name(i);
    for (std::uint32_t i = 0; i < std::min(layer_.chunk_count(), kMostRecords); ++i) failed_ |= !layer_.stored_bytes(i);
    for (const std::uint64_t number : {std::uint64_t{0}, layer_.inode_count(), UINT64_MAX}) {
      ignore(layer_.inode(Ino{number}));
      ignore(layer_.inode_at(number));
      ignore(layer_.name_at(number));
      ignore(layer_.names_of(Ino{number}));
      ignore(layer_.find(Ino{number}, "base"));
      ignore(layer_.chunk(static_cast<std::uint32_t>(number)));
    }
    const std::uint64_t problems = need(layer_.verify([](const std::string&) {}));
    // Dependencies are verified by themselves.
    if (problems == 0 && layer_.dependencies().empty()) expect(!failed_);
  }

 private:
  void inode(std::uint64_t index) {
    const auto node = layer_.inode_at(index);
    if (!node) return void(failed_ = true);
    expect(node->attr.size <= static_cast<std::uint64_t>(INT64_MAX));
    const auto found = layer_.inode(node->attr.ino);
    failed_ |= !found || !*found || (*found)->attr.ino != node->attr.ino;
    for (std::uint64_t i = 0; i < std::min<std::uint64_t>(node->map.count, 8); ++i) ignore(Layer::extent_number(node->map, i));
    ignore(Layer::extent_number(node->map, UINT64_MAX));
    for (const std::uint64_t block : {std::uint64_t{1} << 51U, UINT64_MAX - 1, UINT64_MAX}) ignore(Layer::extent_at(node->map, BlockNo{block}));
    file(*node);
  }

  void file(const LayerInode& node) {
    const std::uint64_t blocks = blocks_for(node.attr.size);
    for (std::uint64_t block = 0; block < blocks && reads_ < kMostReads; ++reads_) {
      const auto extent = Layer::extent_at(node.map, BlockNo{block});
      if (!extent) return void(failed_ = true);
      expect(extent->count > 0 && extent->block.v == block);
      if (extent->layer) failed_ |= !read(*extent);
      if (extent->count > UINT64_MAX - block) return;
      block += extent->count;
    }
  }

  // All at once and the last block alone are the same bytes.
  static bool read(const Extent& extent) {
    Bytes all(extent.count * kBlockSize);
    Bytes last(kBlockSize);
    if (!extent.layer->read_chunk(extent.chunk, extent.skip, extent.count, all)) return false;
    const auto skip = static_cast<std::uint32_t>(extent.skip + extent.count - 1);
    need(extent.layer->read_chunk(extent.chunk, skip, 1, last));
    expect(std::equal(last.begin(), last.end(), all.end() - kBlockSize));
    return true;
  }

  void name(std::uint64_t index) {
    const auto entry = layer_.name_at(index);
    if (!entry) return void(failed_ = true);
    expect(!entry->name.empty() && entry->name.size() <= kMaxNameSize && entry->name.find('/') == std::string_view::npos);
    const auto found = layer_.find(entry->parent, entry->name);
    failed_ |= !found || !*found || (*found)->ino != entry->ino;
    const auto names = layer_.names_of(entry->parent);
    failed_ |= !names || names->first > index || names->first + names->second <= index;
  }

  const Layer& layer_;
  std::uint64_t reads_ = 0;
  bool failed_ = false;
};

// --- mutation: the parts change, then the layout and every checksum are made right again, as an attacker would -----------------

struct Parts {
  LayerHeader header{};
  Footer footer{};
  Bytes chunks;  // the bytes between header and index
  Bytes tables[6];
};
constexpr std::size_t kRecords[6] = {sizeof(DepRecord), sizeof(ChunkRecord), sizeof(InodeRecord), sizeof(ExtentRecord), sizeof(NameRecord), 1};

Section (&sections(Footer& footer))[6] { return *reinterpret_cast<Section(*)[6]>(&footer.deps); }

bool take_apart(std::span<const std::byte> file, Parts& parts) {
  if (file.size() < kLayerHeaderSize + sizeof(Footer)) return false;
  std::memcpy(&parts.header, file.data(), sizeof parts.header);
  std::memcpy(&parts.footer, file.data() + file.size() - sizeof(Footer), sizeof(Footer));
  const std::uint64_t index = parts.footer.index_offset;
  if (index < kLayerHeaderSize || index > file.size()) return false;
  parts.chunks.assign(file.begin() + kLayerHeaderSize, file.begin() + static_cast<std::ptrdiff_t>(index));
  for (std::size_t i = 0; i < 6; ++i) {
    const Section& s = sections(parts.footer)[i];
    if (s.offset > file.size() || s.count > (file.size() - s.offset) / kRecords[i]) return false;
    const auto bytes = file.subspan(s.offset, s.count * kRecords[i]);
    parts.tables[i].assign(bytes.begin(), bytes.end());
  }
  return true;
}

template <class T>
void append(Bytes& out, const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

// Chunks whose place is in the file get the checksum that their bytes have.
void sign_chunks(const Bytes& file, Bytes& table) {
  for (std::size_t at = 0; at + sizeof(ChunkRecord) <= table.size(); at += sizeof(ChunkRecord)) {
    ChunkRecord r;
    std::memcpy(&r, table.data() + at, sizeof r);
    if (r.offset > file.size() || r.stored_size > file.size() - r.offset) continue;
    r.checksum = checksum(std::span(file).subspan(r.offset, r.stored_size));
    std::memcpy(table.data() + at, &r, sizeof r);
  }
}

Bytes put_together(Parts parts) {
  Bytes file;
  parts.header.checksum = checksum(std::as_bytes(std::span(&parts.header, 1)).first(offsetof(LayerHeader, checksum)));
  append(file, parts.header);
  file.resize(kLayerHeaderSize);
  file.insert(file.end(), parts.chunks.begin(), parts.chunks.end());
  file.resize((file.size() + kIndexAlign - 1) / kIndexAlign * kIndexAlign);
  sign_chunks(file, parts.tables[1]);
  Footer& f = parts.footer;
  f.index_offset = file.size();
  for (std::size_t i = 0; i < 6; ++i) {
    sections(f)[i] = {file.size(), parts.tables[i].size() / kRecords[i]};
    parts.tables[i].resize(sections(f)[i].count * kRecords[i]);
    file.insert(file.end(), parts.tables[i].begin(), parts.tables[i].end());
    file.resize((file.size() + 7) / 8 * 8);
  }
  f.index_size = file.size() - f.index_offset;
  f.page_sums = {file.size(), (f.index_size + kIndexPage - 1) / kIndexPage};
  for (std::uint64_t page = 0; page < f.page_sums.count; ++page) {
    const std::uint64_t size = std::min(kIndexPage, f.index_size - page * kIndexPage);
    append(file, checksum(std::span(file).subspan(f.index_offset + page * kIndexPage, size)));
  }
  f.page_sums_checksum = checksum(std::span(file).subspan(f.page_sums.offset));
  f.checksum = checksum(std::as_bytes(std::span(&f, 1)).first(offsetof(Footer, checksum)));
  append(file, f);
  return file;
}

// Of the footer alone; only its own checksum is made right.
Bytes change_footer(Random& random, std::span<const std::byte> whole) {
  Bytes file(whole.begin(), whole.end());
  Footer f;
  std::memcpy(&f, file.data() + file.size() - sizeof f, sizeof f);
  change_field(random, std::as_writable_bytes(std::span(&f, 1)).subspan(16));
  f.checksum = checksum(std::as_bytes(std::span(&f, 1)).first(offsetof(Footer, checksum)));
  std::memcpy(file.data() + file.size() - sizeof f, &f, sizeof f);
  return file;
}

void change_parts(Random& random, Parts& parts, std::size_t most) {
  const std::size_t i = below(random, 7);
  if (i == 6) {
    mutate(parts.chunks, most);
    return;
  }
  Bytes& table = parts.tables[i];
  switch (below(random, 4)) {
    case 0: mutate(table, table.size() + kRecords[i]); break;
    case 1: shuffle_records(random, table, kRecords[i]); break;
    default: change_field(random, table); break;
  }
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed) {
  Random random(seed + 1);
  Parts parts;
  const auto whole = as_span(data, size);
  if (!take_apart(whole, parts) || below(random, 32) == 0) return LLVMFuzzerMutate(data, size, max_size);
  if (below(random, 16) == 0) return give(change_footer(random, whole), data, max_size);
  const std::size_t room = max_size > size ? max_size - size : 0;
  for (std::size_t n = 1 + below(random, 4); n > 0; --n) change_parts(random, parts, parts.chunks.size() + room / 2);
  const Bytes file = put_together(std::move(parts));
  return file.size() <= max_size ? give(file, data, max_size) : size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Stage stage(fill);
  LayerHeader header{};
  if (size < sizeof header) return 0;
  std::memcpy(&header, data, sizeof header);
  const ObjectId id{header.id_hi, header.id_lo};
  if (!id.valid()) return 0;
  test::MemoryDisk disk(stage.image());
  test::MemoryEnv env(disk, 1, 2);
  put_file(env, path_of(id), as_span(data, size));
  LayerSet set(env, path_of);
  for (const ObjectId opened : {id, kTop}) {
    if (const auto layer = set.open(opened)) Reader(**layer).run();
  }
  return 0;
}
