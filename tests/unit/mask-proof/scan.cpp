// Every visible byte of a branch is scanned: content, names, symlink targets, across all borders.
#include <linux/falloc.h>

#include "tests/unit/jobs/support.h"
#include "tests/unit/mask-proof/support.h"
#include "tools/mask/proof/proof.h"

namespace branchfs::mask::test {
namespace {

using namespace branchfs::test;

constexpr char kValue[] = "j.smith@example.com";
constexpr std::uint64_t kPiece = 32U << 20U;
constexpr std::uint64_t kRead = 256U << 10U;

WitnessSet witnesses() {
  WitnessSet set;
  REQUIRE(set.add(set.add_column("app.public.users.email", "text"), kValue));
  REQUIRE(set.add(set.add_column("app.public.users.id", "int8"), "1234567890123"));  // ends with zeros on disk
  set.seal();
  return set;
}

std::string line(const ScanHit& hit) {
  return hit.path + " " + std::to_string(hit.offset) + " " + to_string(hit.place) + " " + to_string(hit.encoding);
}
std::vector<std::string> lines(const ScanResult& result) {
  std::vector<std::string> out;
  for (const ScanHit& hit : result.hits) out.push_back(line(hit));
  return out;
}

struct ScratchBranch {
  ScratchStore store;
  std::unique_ptr<Branch> branch;
  ScratchBranch() {
    store.make_root("staging");
    branch = store.open("staging");
  }
  ScanResult scan(const WitnessSet& set, const ScanOptions& options = {}) {
    must(branch->sync_all());
    return must(scan_branch(*store, "staging", set, options));
  }
};

}  // namespace

TEST_CASE("a value is found across every border of the scan, once") {
  ScratchBranch b;
  const WitnessSet set = witnesses();
  const std::size_t size = std::string(kValue).size();
  const Ino ino = make_file(*b.branch, kRootIno, "big", text(1, kPiece + 2 * kRead + 1000));
  std::vector<std::string> expected;
  auto plant = [&](std::uint64_t offset) {
    write(*b.branch, ino, offset, kValue);
    expected.push_back("big " + std::to_string(offset) + " content plain");
  };
  plant(0);
  plant(kRead - 10);
  plant(2 * kRead - size);
  plant(3 * kRead);
  plant(4 * kRead - 1);
  plant(5 * kRead - 30);  // within what is kept for the next read
  plant(kPiece - 7);
  plant(kPiece + kRead);
  plant(kPiece + 2 * kRead + 1000 - size);
  for (const unsigned threads : {1U, 3U}) {
    ScanOptions options;
    options.threads = threads;
    const ScanResult result = b.scan(set, options);
    CHECK(lines(result) == expected);
    CHECK(result.files == 1);
    CHECK(result.bytes == kPiece + 2 * kRead + 1000);
  }
  b.branch.reset();
  must(create_branch(**b.store, "child", "staging", {}));
  must(pack(**b.store, ""));
  CHECK(lines(must(scan_branch(*b.store, "child", set, {}))) == expected);
}

TEST_CASE("names, symlink targets and hard links") {
  ScratchBranch b;
  NewNode dir;
  dir.parent = kRootIno;
  dir.name = "dir";
  dir.mode = S_IFDIR | 0700;
  const Ino inside = must(b.branch->create(dir)).ino;
  const Ino ino = make_file(*b.branch, inside, std::string("export-") + kValue, kValue);
  must(b.branch->link(ino, kRootIno, "again"));
  NewNode link;
  link.parent = kRootIno;
  link.name = "link";
  link.mode = S_IFLNK | 0777;
  link.symlink = "/srv/j.smith@example.com/x";
  must(b.branch->create(link));
  const ScanResult result = b.scan(witnesses());
  CHECK(result.files == 1);
  REQUIRE(result.hits.size() == 3);
  std::multiset<std::string> places;
  for (const ScanHit& hit : result.hits) {
    places.insert(to_string(hit.place));
    CHECK(hit.column == "app.public.users.email");
    if (hit.place != Place::content) CHECK(hit.path.find(kValue) == std::string::npos);
  }
  CHECK(places == std::multiset<std::string>{"content", "name", "symlink"});
}

TEST_CASE("holes are skipped, and zeros around data still count") {
  ScratchBranch b;
  const Ino ino = make_file(*b.branch, kRootIno, "sparse", "");
  const std::string id("\xcb\x04\xfb\x71\x1f\x01\0\0", 8);  // 1234567890123
  write(*b.branch, ino, 100 * kBlockSize - 6, id.substr(0, 6));
  write(*b.branch, ino, 200 * kBlockSize - 6, id.substr(0, 6));
  SetAttr longer;
  longer.size = 3'000'000'000;
  must(b.branch->setattr(ino, longer));
  const ScanResult result = b.scan(witnesses());
  CHECK(lines(result) == std::vector<std::string>{"sparse " + std::to_string(100 * kBlockSize - 6) + " content binary",
                                                  "sparse " + std::to_string(200 * kBlockSize - 6) + " content binary"});
  CHECK(result.bytes == 3'000'000'000);
  CHECK(result.bytes_read < 100 * kBlockSize);
}

TEST_CASE("what was cut off or overwritten is not seen, what lies below is") {
  ScratchBranch b;
  const Ino ino = make_file(*b.branch, kRootIno, "f", std::string(20'000, '.') + kValue + std::string(20'000, '.'));
  make_file(*b.branch, kRootIno, "kept", kValue);
  b.branch.reset();
  must(create_branch(**b.store, "child", "staging", {}));
  auto child = b.store.open("child");
  SetAttr cut;
  cut.size = 20'010;
  must(child->setattr(ino, cut));
  cut.size = 60'000;
  must(child->setattr(ino, cut));
  must(child->sync_all());
  CHECK(lines(must(scan_branch(*b.store, "child", witnesses(), {}))) == std::vector<std::string>{"kept 0 content plain"});
}

TEST_CASE("a sealed branch is scanned too; hits are limited; a scan can be cancelled") {
  ScratchBranch b;
  std::string many;
  for (int i = 0; i < 100; ++i) many += std::string(kValue) + "\n";
  make_file(*b.branch, kRootIno, "f", many);
  must(b.branch->sync_all());
  Manifest manifest = must(b.store->read_manifest("staging"));
  manifest.state = "proving";
  must(b.store->write_manifest(must(b.store->lock()), "staging", manifest));
  ScanOptions options;
  options.hit_limit = 7;
  std::uint64_t told = 0;
  options.progress = [&](std::uint64_t bytes) { told = bytes; };
  CHECK(b.scan(witnesses(), options).hits.size() == 7);
  CHECK(told == many.size());
  options.cancelled = [] { return true; };
  const auto cancelled = scan_branch(*b.store, "staging", witnesses(), options);
  REQUIRE_FALSE(cancelled);
  CHECK(cancelled.error().sys == ECANCELED);
}

}  // namespace branchfs::mask::test
