// Values in chunks and WAL across page headers: what a scan of the files as they are would not see.
#include <lz4.h>

#include "tests/unit/jobs/support.h"
#include "tests/unit/mask-proof/support.h"
#include "tools/mask/proof/proof.h"
#include "tools/mask/proof/toast.h"
#include "tools/mask/proof/wal_scan.h"

namespace branchfs::mask::test {
namespace {

using namespace branchfs::test;

constexpr std::size_t kChunk = 1996;
constexpr char kValue[] = "j.smith@example.com";

WitnessSet witnesses() {
  WitnessSet set;
  REQUIRE(set.add(set.add_column("app.public.users.email", "text"), kValue));
  set.seal();
  return set;
}

template <class T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

// A row of a TOAST table: the header as PostgreSQL 15 wrote it, then chunk_id, chunk_seq, chunk_data.
std::string row(std::uint32_t id, std::uint32_t sequence, const std::string& data, bool brief = false) {
  std::string out = from_hex("fb02000000000000000000000000000001000300020818") + std::string(1, '\0') + raw(id) + raw(sequence);
  out += brief ? std::string(1, static_cast<char>((data.size() + 1) << 1U | 1U)) : raw(static_cast<std::uint32_t>((data.size() + 4) << 2U));
  out += data;
  out.resize((out.size() + 7) / 8 * 8);
  return out;
}

// Rows from the end of the page on, without line pointers: none is needed.
std::string page(const std::vector<std::string>& rows) {
  std::string out(kBlockSize, '\0');
  std::size_t at = kBlockSize;
  for (const std::string& r : rows) {
    at -= r.size();
    out.replace(at, r.size(), r);
  }
  return out;
}

std::vector<std::string> chunks(const std::string& value) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < value.size(); at += kChunk) out.push_back(value.substr(at, kChunk));
  return out;
}

// As it is stored: size and method, then the compressed bytes.
std::string lz4(const std::string& value) {
  std::string packed(static_cast<std::size_t>(LZ4_compressBound(static_cast<int>(value.size()))), '\0');
  const int size = LZ4_compress_default(value.data(), packed.data(), static_cast<int>(value.size()), static_cast<int>(packed.size()));
  packed.resize(static_cast<std::size_t>(size));
  return raw(static_cast<std::uint32_t>(value.size() | 1U << 30U)) + packed;
}

// Of several chunks even when compressed, and with the witness not to be seen in the result.
std::string long_value() {
  Random random(7);
  std::string out;
  for (int i = 0; i < 600; ++i) {
    out += "j.smith@example.org ";
    out += std::to_string(random()) + " ";
    if (i == 500) out += "j.smith@example.c";
    if (i == 500) out += "om ";
  }
  return out;
}

std::vector<std::string> lines(const ScanResult& result) {
  std::vector<std::string> out;
  for (const ScanHit& hit : result.hits) out.push_back(hit.path + " " + to_string(hit.place));
  return out;
}

struct ScratchBranch {
  ScratchStore store;
  std::unique_ptr<Branch> branch;
  ScratchBranch() {
    store.make_root("staging");
    branch = store.open("staging");
  }
  ScanResult scan() {
    must(branch->sync_all());
    ScanOptions options;
    options.is_toast = [](const std::string& path) { return path.starts_with("16475"); };
    return must(scan_branch(*store, "staging", witnesses(), options));
  }
};

}  // namespace

TEST_CASE("a witness across two chunks is found, in order or not, across segments, in a 1-byte header") {
  const std::string value = std::string(kChunk - 10, 'x') + kValue + "zz";
  const auto parts = chunks(value);
  REQUIRE(parts.size() == 2);
  ScratchBranch b;
  SECTION("one page") { make_file(*b.branch, kRootIno, "16475", page({row(7, 0, parts[0]), row(7, 1, parts[1])})); }
  SECTION("the other way round") { make_file(*b.branch, kRootIno, "16475", page({row(7, 1, parts[1])}) + page({row(7, 0, parts[0])})); }
  SECTION("a short header") { make_file(*b.branch, kRootIno, "16475", page({row(7, 0, parts[0]), row(7, 1, parts[1], true)})); }
  SECTION("among others") {
    make_file(*b.branch, kRootIno, "16475",
              page({row(7, 0, parts[0]), row(8, 1, parts[1])}) + page({row(8, 0, parts[1] + "?"), row(7, 1, parts[1])}));
  }
  SECTION("an id that was used before") {
    make_file(*b.branch, kRootIno, "16475",
              page({row(7, 2, std::string(kChunk, 'o')), row(7, 0, std::string(kChunk, 'p'))}) +
                  page({row(7, 0, parts[0]), row(7, 1, parts[1])}));
  }
  CHECK(lines(b.scan()) == std::vector<std::string>{"16475 toast"});
}

TEST_CASE("chunks of one value in two segments belong together, of two relations not") {
  const auto parts = chunks(std::string(kChunk - 10, 'x') + kValue);
  ScratchBranch b;
  make_file(*b.branch, kRootIno, "16475", page({row(7, 0, parts[0])}));
  SECTION("segments") {
    make_file(*b.branch, kRootIno, "16475.1", page({row(7, 1, parts[1])}));
    CHECK(b.scan().hits.size() == 1);
  }
  SECTION("relations") {
    make_file(*b.branch, kRootIno, "164759", page({row(7, 1, parts[1])}));
    CHECK(b.scan().hits.empty());
  }
}

TEST_CASE("a compressed value in chunks is decompressed; a part of one is not") {
  const std::string packed = lz4(long_value());
  REQUIRE(packed.find(kValue) == packed.npos);
  const auto parts = chunks(packed);
  REQUIRE(parts.size() > 2);
  std::vector<std::string> pages;
  for (std::uint32_t i = 0; i < parts.size(); ++i) pages.push_back(page({row(99, i, parts[i])}));
  ScratchBranch b;
  std::string all;
  for (const std::string& p : pages) all += p;
  make_file(*b.branch, kRootIno, "16475", all);
  make_file(*b.branch, kRootIno, "16476", all);  // no TOAST table: nobody says that these are chunks
  const ScanResult result = b.scan();
  CHECK(lines(result) == std::vector<std::string>{"16475 toast"});
  CHECK(result.compressed_values == 1);
  const Ino ino = must(b.branch->lookup(kRootIno, "16475")).ino;
  write(*b.branch, ino, 2 * kBlockSize, std::string(kBlockSize, '\0'));
  CHECK(b.scan().hits.empty());
}

TEST_CASE("chunks that are not held are read again") {
  const auto parts = chunks(lz4(long_value()));
  ScratchBranch b;
  std::string all;
  for (std::uint32_t i = static_cast<std::uint32_t>(parts.size()); i-- > 0;) all += page({row(99, i, parts[i])});
  const WitnessSet set = witnesses();
  ScanOptions options;
  Findings findings(set, options);
  std::size_t reads = 0;
  auto read = [&](Ino, std::uint64_t offset, std::span<std::byte> out) -> Status {
    ++reads;
    std::memcpy(out.data(), all.data() + offset, out.size());
    return {};
  };
  ToastRelation relation(findings, read, kChunk);
  const std::string path = "16475";
  const ToastFile file{&path, Ino{5}};
  for (std::size_t at = 0; at < all.size(); at += kBlockSize) must(relation.add_page(file, at, bytes_of(all).subspan(at, kBlockSize)));
  must(relation.finish());
  CHECK(reads > 0);
  CHECK(must(findings.take(1)).hits.size() == 1);
}

TEST_CASE("pages of anything are no danger") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  Random random(seed);
  const WitnessSet set = witnesses();
  ScanOptions options;
  Findings findings(set, options);
  ToastRelation relation(findings, [](Ino, std::uint64_t, std::span<std::byte>) -> Status { return {}; });
  const std::string path = "16475";
  const ToastFile file{&path, Ino{5}};
  const auto parts = chunks(lz4(long_value()));
  for (int round = 0; round < 2000; ++round) {
    std::string p = page({row(static_cast<std::uint32_t>(round % 5), static_cast<std::uint32_t>(below(random, 4)), parts[0]),
                          row(99, 1, parts[1], false), row(99, 0, "x", true)});
    for (int i = 0; i < 200; ++i) p[below(random, p.size())] = static_cast<char>(random());
    must(relation.add_page(file, 0, bytes_of(p)));
    scan_wal_pages(bytes_of(p), 1 + below(random, 2), path, 0, findings);
  }
  must(relation.finish());
  CHECK(must(findings.take(1)).hits.empty());
}

TEST_CASE("WAL is one stream: across page headers, across segments, compressed at any place") {
  auto body = [](std::size_t header) {
    std::string p(kBlockSize, '.');
    p.replace(0, header, std::string(header, '\x01'));
    p[2] = header == 40 ? '\x02' : '\0';
    p[3] = '\0';
    return p;
  };
  const std::string value = kValue;
  std::string first = body(40) + body(24) + body(24);
  std::string second = body(40) + body(24);
  first.replace(kBlockSize - 8, 8, value.substr(0, 8));
  first.replace(kBlockSize + 24, value.size() - 8, value.substr(8));
  first.replace(3 * kBlockSize - 3, 3, value.substr(0, 3));
  second.replace(40, value.size() - 3, value.substr(3));
  first.replace(100, value.size(), value);  // is content
  ScratchBranch b;
  make_file(*b.branch, kRootIno, "000000010000000000000007", first);
  make_file(*b.branch, kRootIno, "000000010000000000000008", second);
  make_file(*b.branch, kRootIno, "00000001.history", first);  // no segment
  const ScanResult result = b.scan();
  std::vector<std::string> found;
  for (const ScanHit& hit : result.hits) found.push_back(hit.path + " " + std::to_string(hit.offset) + " " + to_string(hit.place));
  CHECK(found == std::vector<std::string>{"00000001.history 100 content", "000000010000000000000007 100 content",
                                          "000000010000000000000007 8184 wal", "000000010000000000000007 24573 wal"});

  std::string repeated;
  for (int i = 0; i < 50; ++i) repeated += value + "; ";
  const std::string packed = lz4(repeated);
  const std::string inline_value = raw(static_cast<std::uint32_t>((packed.size() + 4) << 2U | 2U)) + packed;
  std::string third = body(40) + body(24);
  third.replace(kBlockSize - 21, 21, inline_value.substr(0, 21));
  third.replace(kBlockSize + 24, inline_value.size() - 21, inline_value.substr(21));
  make_file(*b.branch, kRootIno, "000000010000000000000009", third);
  const ScanResult again = b.scan();
  CHECK(again.compressed_values == 1);
  CHECK(std::count_if(again.hits.begin(), again.hits.end(), [](const ScanHit& hit) {
          return hit.path.ends_with("9") && hit.place == Place::compressed && hit.offset == kBlockSize - 21;
        }) == 50);
}

}  // namespace branchfs::mask::test
