// Damaged and hostile layer files: an error, or the right bytes; never a crash, an endless loop or wrong
// bytes (P3). Run under the address and undefined sanitizers to mean what it says.
#include <cstring>

#include "layers/base/checksum.h"
#include "tests/unit/format/support.h"

namespace branchfs::test {
namespace {

const ObjectId kBase{0, 1};
const ObjectId kTop{0, 2};

// kTop keeps inode 2 of kBase, has blocks of its own and of kBase in inode 3, and a symlink.
struct Fixture {
  TempDir dir;
  Bytes two = pattern(2, 6);
  Bytes three;
  Bytes top;  // the file's bytes, undamaged

  Fixture() {
    {
      auto writer = writer_for(dir, kBase);
      add_file(*writer, 2, "two", 6);
      must(writer->add_data(Ino{2}, BlockNo{0}, two));
      must(writer->finish(0));
    }
    LayerSet set(posix_env(), dir.path_of());
    auto base = must(set.open(kBase));
    auto map = must(base->inode(Ino{2}))->map;
    three = pattern(3, 5) + Bytes(kBlockSize) + Bytes(two.begin() + 4 * kBlockSize, two.end()) + noise(4, 1);
    {
      auto writer = writer_for(dir, kTop);
      add_file(*writer, 2, "two", 6);
      must(writer->keep_map(Ino{2}, map));
      add_file(*writer, 3, "three", 9);
      must(writer->add_data(Ino{3}, BlockNo{0}, std::span(three).first(6 * kBlockSize)));
      auto extent = must(Layer::extent_at(map, BlockNo{4}));
      extent.block = BlockNo{6};
      must(writer->add_extent(Ino{3}, extent));
      must(writer->add_data(Ino{3}, BlockNo{8}, std::span(three).subspan(8 * kBlockSize)));
      must(writer->add_inode(attr_of(4, S_IFLNK | 0777, 3), "two"));
      must(writer->add_name(kRootIno, "link", Ino{4}, DT_LNK));
      must(writer->finish(0));
    }
    top = slurp(dir.layer(kTop));
  }

  [[nodiscard]] Footer footer() const {
    Footer f;
    std::memcpy(&f, top.data() + top.size() - sizeof f, sizeof f);
    return f;
  }
};

struct Outcome {
  unsigned errors = 0;
  unsigned wrong = 0;  // bytes, names or attributes that are not what was written
  std::uint64_t problems = 0;
};

// Everything a reader can ask. `want` gives the true content, or null when any answer will do.
Outcome exercise(const Fixture& f, const Fixture* want) {
  Outcome out;
  LayerSet set(posix_env(), f.dir.path_of());
  auto opened = set.open(kTop);
  if (!opened) {
    out.errors = 1;
    return out;
  }
  const Layer& layer = **opened;
  auto expect = [&](bool right) { out.wrong += want != nullptr && !right ? 1 : 0; };
  auto check_file = [&](std::uint64_t ino, const Bytes& content) {
    auto node = layer.inode(Ino{ino});
    if (!node) return void(++out.errors);
    expect(node->has_value() && (*node)->attr.size == content.size() && (*node)->attr.uid == 1000);
    if (!*node) return;
    std::uint64_t blocks = std::min<std::uint64_t>(blocks_for((*node)->attr.size), 20);
    for (std::uint64_t step : {1, 9}) {
      for (std::uint64_t b = 0; b < blocks; b += step) {
        std::uint64_t n = std::min(step, blocks - b);
        auto got = read_blocks((*node)->map, b, n);
        if (!got) {
          ++out.errors;
          continue;
        }
        auto at = content.begin() + static_cast<std::ptrdiff_t>(b * kBlockSize);
        expect((b + n) * kBlockSize <= content.size() && std::equal(got->begin(), got->end(), at));
      }
    }
    ignore(Layer::extent_at((*node)->map, BlockNo{UINT64_MAX}));
    ignore(Layer::extent_at((*node)->map, BlockNo{1ULL << 51U}));
  };
  check_file(2, f.two);
  check_file(3, f.three);
  auto link = layer.inode(Ino{4});
  if (!link) {
    ++out.errors;
  } else {
    expect(*link && (*link)->symlink == "two");
  }
  for (auto [name, ino] : {std::pair("two", 2), std::pair("three", 3), std::pair("link", 4)}) {
    auto found = layer.find(kRootIno, name);
    if (!found) {
      ++out.errors;
    } else {
      expect(*found && (*found)->ino.v == static_cast<std::uint64_t>(ino));
    }
  }
  auto names = layer.names_of(kRootIno);
  if (!names) {
    ++out.errors;
  } else {
    expect(names->second == 3);
  }
  for (std::uint64_t i = 0; i < 8; ++i) {
    ignore(layer.name_at(i));
    ignore(layer.inode_at(i));
    ignore(layer.stored_bytes(static_cast<std::uint32_t>(i)));
  }
  auto problems = layer.verify([](const std::string&) {});
  out.problems = problems ? *problems : 1;
  return out;
}

// Makes all checksums of a changed file right again: what an attacker would do.
void sign(Bytes& file) {
  Footer f;
  std::memcpy(&f, file.data() + file.size() - sizeof f, sizeof f);
  auto span = std::span<std::byte>(file);
  if (f.index_offset <= file.size() && f.index_size <= file.size() - f.index_offset) {
    std::size_t sums = f.index_offset + f.index_size;
    std::size_t count = (file.size() - sizeof f - sums) / 8;
    for (std::size_t page = 0; page < count && page * kIndexPage < f.index_size; ++page) {
      std::size_t size = std::min<std::size_t>(kIndexPage, f.index_size - page * kIndexPage);
      std::uint64_t sum = checksum(span.subspan(f.index_offset + page * kIndexPage, size));
      std::memcpy(file.data() + sums + page * 8, &sum, 8);
    }
    f.page_sums_checksum = checksum(span.subspan(sums, count * 8));
  }
  f.checksum = checksum(std::as_bytes(std::span(&f, 1)).first(offsetof(Footer, checksum)));
  std::memcpy(file.data() + file.size() - sizeof f, &f, sizeof f);
  LayerHeader h;
  std::memcpy(&h, file.data(), sizeof h);
  h.checksum = checksum(std::as_bytes(std::span(&h, 1)).first(offsetof(LayerHeader, checksum)));
  std::memcpy(file.data(), &h, sizeof h);
}

template <class T>
void edit(Bytes& file, std::size_t at, const std::function<void(T&)>& change) {
  T r;
  std::memcpy(&r, file.data() + at, sizeof r);
  change(r);
  std::memcpy(file.data() + at, &r, sizeof r);
}

}  // namespace

TEST_CASE("the undamaged layer is read right and verifies") {
  Fixture f;
  auto out = exercise(f, &f);
  CHECK(out.errors == 0);
  CHECK(out.wrong == 0);
  CHECK(out.problems == 0);
}

TEST_CASE("no changed byte anywhere goes unnoticed") {
  Fixture f;
  // The chunks are covered by few positions each: their bytes are all alike to the reader.
  auto interesting = [&](std::size_t at) {
    return at < sizeof(LayerHeader) + 8 || at >= f.footer().index_offset || at % 997 == 0;
  };
  for (std::size_t at = 0; at < f.top.size(); ++at) {
    if (!interesting(at)) continue;
    for (std::byte flip : {std::byte{1}, std::byte{0x80}, std::byte{0xff}}) {
      Bytes bad = f.top;
      bad[at] ^= flip;
      spill(f.dir.layer(kTop), bad);
      auto out = exercise(f, &f);
      INFO("byte " << at << " flipped by " << static_cast<int>(flip));
      CHECK(out.wrong == 0);
      bool padding_between_chunks = at >= kLayerHeaderSize && at < f.footer().index_offset;
      CHECK((out.errors + out.problems > 0 || padding_between_chunks));
    }
  }
}

TEST_CASE("a file cut or extended anywhere is refused") {
  Fixture f;
  for (std::size_t size = 0; size <= f.top.size() + 300; size += size < f.footer().index_offset ? 509 : 1) {
    if (size == f.top.size()) continue;
    Bytes bad = f.top;
    bad.resize(size);
    spill(f.dir.layer(kTop), bad);
    LayerSet set(posix_env(), f.dir.path_of());
    auto opened = set.open(kTop);
    INFO("size " << size);
    REQUIRE_FALSE(opened.ok());
    CHECK(opened.error().kind == Kind::damaged);
  }
}

TEST_CASE("signed lies in any field of footer and index do no harm") {
  Fixture f;
  const std::uint64_t values[] = {
      0,          1,          7,          8,          255,       4096,       0xffff,     65536,
      0x7fffffff, 0xffffffff, 1ULL << 40, 1ULL << 62, INT64_MAX, 1ULL << 63, UINT64_MAX, UINT64_MAX - 7};
  std::size_t start = f.footer().index_offset;
  std::size_t end = f.top.size() - 16;  // the last two fields are checksums
  std::size_t sums = start + f.footer().index_size;
  for (std::size_t at = start; at + 8 <= end; at += 4) {
    if (at >= sums && at < f.top.size() - sizeof(Footer)) continue;
    for (std::size_t width : {4U, 8U}) {
      for (std::uint64_t value : values) {
        Bytes bad = f.top;
        std::memcpy(bad.data() + at, &value, width);
        sign(bad);
        spill(f.dir.layer(kTop), bad);
        exercise(f, nullptr);
      }
    }
  }
  SUCCEED();
}

TEST_CASE("targeted lies are refused or found by verify") {
  Fixture f;
  Footer foot = f.footer();
  Bytes bad = f.top;
  std::size_t footer_at = f.top.size() - sizeof(Footer);
  auto record = [](const Section& s, std::size_t i, std::size_t size) { return s.offset + i * size; };
  auto chunk = [&](std::size_t i) { return record(foot.chunks, i, sizeof(ChunkRecord)); };
  auto inode = [&](std::size_t i) { return record(foot.inodes, i, sizeof(InodeRecord)); };
  auto extent = [&](std::size_t i) { return record(foot.extents, i, sizeof(ExtentRecord)); };
  auto name = [&](std::size_t i) { return record(foot.names, i, sizeof(NameRecord)); };

  SECTION("header: unknown feature") {
    edit<LayerHeader>(bad, 0, [](auto& h) { h.features = 1; });
  }
  SECTION("header: next version") {
    edit<LayerHeader>(bad, 0, [](auto& h) { h.version = 2; });
  }
  SECTION("header: block size") {
    edit<LayerHeader>(bad, 0, [](auto& h) { h.block_size = 4096; });
  }
  SECTION("header and footer: another id") {
    edit<LayerHeader>(bad, 0, [](auto& h) { h.id_lo = 9; });
    edit<Footer>(bad, footer_at, [](auto& x) { x.id_lo = 9; });
  }
  SECTION("footer: section outside") {
    edit<Footer>(bad, footer_at, [](auto& x) { x.text.offset = UINT64_MAX - 8; });
  }
  SECTION("footer: count overflows") {
    edit<Footer>(bad, footer_at, [](auto& x) { x.chunks.count = UINT64_MAX / 24 + 2; });
  }
  SECTION("footer: max_ino") {
    edit<Footer>(bad, footer_at, [](auto& x) { x.max_ino = 3; });
  }
  SECTION("dependency on itself") {
    edit<DepRecord>(bad, foot.deps.offset, [](auto& d) { d.id_lo = kTop.lo; });
  }
  SECTION("dependency that does not exist") {
    edit<DepRecord>(bad, foot.deps.offset, [](auto& d) { d.id_lo = 99; });
  }
  SECTION("chunk: bomb") {
    edit<ChunkRecord>(bad, chunk(0), [](auto& c) { c.blocks = 32; });
  }
  SECTION("chunk: too many blocks") {
    edit<ChunkRecord>(bad, chunk(0), [](auto& c) { c.blocks = 65535; });
  }
  SECTION("chunk: empty") {
    edit<ChunkRecord>(bad, chunk(0), [](auto& c) { c.blocks = 0; });
  }
  SECTION("chunk: codec") {
    edit<ChunkRecord>(bad, chunk(0), [](auto& c) { c.codec = 3; });
  }
  SECTION("chunk: outside") {
    edit<ChunkRecord>(bad, chunk(1), [](auto& c) { c.offset = UINT64_MAX - 7; });
  }
  SECTION("chunk: in the index") {
    edit<ChunkRecord>(bad, chunk(1), [&](auto& c) { c.offset = foot.index_offset - 8; });
  }
  SECTION("chunk: two in one place") {
    ChunkRecord first;
    std::memcpy(&first, bad.data() + chunk(0), sizeof first);
    edit<ChunkRecord>(bad, chunk(1), [&](auto& c) { c = first; });
  }
  SECTION("inode: order") {
    edit<InodeRecord>(bad, inode(1), [](auto& i) { i.ino = 3; });
    edit<InodeRecord>(bad, inode(2), [](auto& i) { i.ino = 2; });
  }
  SECTION("inode: map layer") {
    edit<InodeRecord>(bad, inode(1), [](auto& i) { i.map_layer = 2; });
  }
  SECTION("inode: map range") {
    edit<InodeRecord>(bad, inode(1), [](auto& i) { i.map_first = UINT64_MAX; });
  }
  SECTION("inode: shorter than its blocks") {
    edit<InodeRecord>(bad, inode(2), [](auto& i) { i.size = 8192; });
  }
  SECTION("inode: bytes past the end") {
    edit<InodeRecord>(bad, inode(2), [](auto& i) { i.size -= 1; });
  }
  SECTION("inode: link count") {
    edit<InodeRecord>(bad, inode(2), [](auto& i) { i.nlink = 2; });
  }
  SECTION("inode: symlink outside") {
    edit<InodeRecord>(bad, inode(3), [](auto& i) { i.symlink_offset = 100; });
  }
  SECTION("inode: no type") {
    edit<InodeRecord>(bad, inode(2), [](auto& i) { i.mode = 0600; });
  }
  SECTION("extent: order") {
    edit<ExtentRecord>(bad, extent(0), [](auto& e) { e.block = 1; });
  }
  SECTION("extent: chunk outside") {
    edit<ExtentRecord>(bad, extent(0), [](auto& e) { e.chunk = 9; });
  }
  SECTION("extent: layer outside") {
    edit<ExtentRecord>(bad, extent(0), [](auto& e) { e.layer = 2; });
  }
  SECTION("extent: beyond its chunk") {
    edit<ExtentRecord>(bad, extent(0), [](auto& e) { e.skip = 1; });
  }
  SECTION("extent: endless") {
    edit<ExtentRecord>(bad, extent(0), [](auto& e) { e.count = UINT32_MAX; });
  }
  SECTION("extent: empty") {
    edit<ExtentRecord>(bad, extent(0), [](auto& e) { e.count = 0; });
  }
  SECTION("name: text outside") {
    edit<NameRecord>(bad, name(0), [](auto& n) { n.name_offset = 1U << 20U; });
  }
  SECTION("name: length") {
    edit<NameRecord>(bad, name(0), [](auto& n) { n.name_size = 256; });
  }
  SECTION("name: slash") { bad[foot.text.offset] = std::byte{'/'}; }
  SECTION("name: order") { bad[foot.text.offset] = std::byte{'z'}; }
  SECTION("name: type") {
    edit<NameRecord>(bad, name(0), [](auto& n) { n.type = DT_DIR; });
  }
  SECTION("name: nowhere") {
    edit<NameRecord>(bad, name(0), [](auto& n) { n.ino = 77; });
  }
  SECTION("name: in a file") {
    edit<NameRecord>(bad, name(2), [](auto& n) { n.parent = 3; });
  }
  REQUIRE(bad != f.top);
  sign(bad);
  spill(f.dir.layer(kTop), bad);
  auto out = exercise(f, nullptr);
  CHECK(out.errors + out.problems > 0);
}

TEST_CASE("a directory that is its own ancestor is found") {
  TempDir dir;
  auto writer = writer_for(dir, kTop);
  must(writer->add_inode(attr_of(2, S_IFDIR | 0700, 0, 2)));
  must(writer->add_inode(attr_of(3, S_IFDIR | 0700, 0, 2)));
  must(writer->add_name(Ino{2}, "three", Ino{3}, DT_DIR));
  must(writer->add_name(Ino{3}, "two", Ino{2}, DT_DIR));
  must(writer->finish(0));
  LayerSet set(posix_env(), dir.path_of());
  CHECK(problems_of(*must(set.open(kTop))).size() == 2);
}

TEST_CASE("layers that depend on each other, and a chain of thousands, do not hurt") {
  TempDir dir;
  // Files with one dependency each, made by hand: the writer cannot make a circle.
  auto chain = [&](std::uint64_t n, std::uint64_t next) {
    Fixture f;
    Bytes file = f.top;
    edit<LayerHeader>(file, 0, [&](auto& h) { h.id_lo = n; });
    edit<Footer>(file, file.size() - sizeof(Footer), [&](auto& x) { x.id_lo = n; });
    edit<DepRecord>(file, f.footer().deps.offset, [&](auto& d) { d.id_lo = next; });
    return file;
  };
  SECTION("a circle of three") {
    for (std::uint64_t n : {10, 11, 12}) {
      Bytes file = chain(n, n == 12 ? 10 : n + 1);
      sign(file);
      spill(dir.layer(ObjectId{0, n}), file);
    }
    LayerSet set(posix_env(), dir.path_of());
    auto opened = set.open(ObjectId{0, 10});
    REQUIRE_FALSE(opened.ok());
    CHECK(opened.error().kind == Kind::damaged);
  }
  SECTION("a long chain that ends nowhere") {
    Bytes file = chain(10, 11);
    Footer foot;
    std::memcpy(&foot, file.data() + file.size() - sizeof foot, sizeof foot);
    for (std::uint64_t n = 10; n < 900; ++n) {
      edit<LayerHeader>(file, 0, [&](auto& h) { h.id_lo = n; });
      edit<Footer>(file, file.size() - sizeof(Footer), [&](auto& x) { x.id_lo = n; });
      edit<DepRecord>(file, foot.deps.offset, [&](auto& d) { d.id_lo = n + 1; });
      sign(file);
      spill(dir.layer(ObjectId{0, n}), file);
    }
    LayerSet set(posix_env(), dir.path_of());
    CHECK_FALSE(set.open(ObjectId{0, 10}).ok());
  }
}

}  // namespace branchfs::test
