// Stores that earlier versions wrote are read, written and looked after by this one.
//
// Each NAME.tar.gz here holds a store and NAME.txt what its branches show: a line a file. Never made anew: a version that changes the format
// adds one of its own (tests/README.md says how).
#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "layers/base/checksum.h"
#include "layers/jobs/import.h"
#include "layers/jobs/jobs.h"
#include "tests/support/scratch.h"

namespace branchfs::test {
namespace {

namespace fs = std::filesystem;

std::string bytes_of(Branch& branch, const Attr& attr) {
  std::string content(attr.size, '?');
  REQUIRE(must(branch.read(attr.ino, 0, std::as_writable_bytes(std::span(content)))) == content.size());
  return content;
}

void describe_dir(Branch& branch, Ino dir, const std::string& path, std::ostream& out) {
  auto entries = must(branch.list(dir));
  std::sort(entries.begin(), entries.end(), [](const NameEntry& a, const NameEntry& b) { return a.name < b.name; });
  for (const NameEntry& entry : entries) {
    const Attr attr = must(branch.lookup(dir, entry.name));
    const std::string below = path + "/" + entry.name;
    out << fmt::format("{} {:o} links {} mtime {}.{:09}", below, attr.mode, attr.nlink, attr.mtime.tv_sec, attr.mtime.tv_nsec);
    if (S_ISREG(attr.mode)) {
      const std::string content = bytes_of(branch, attr);
      out << fmt::format(" size {} xxh3 {:016x}", attr.size, checksum(std::as_bytes(std::span(content))));
    }
    if (S_ISLNK(attr.mode)) out << " to " << must(branch.readlink(attr.ino));
    out << "\n";
    if (S_ISDIR(attr.mode)) describe_dir(branch, attr.ino, below, out);
    branch.forget(attr.ino, 1);
  }
}

std::string describe(const std::shared_ptr<Store>& store, const std::string& name) {
  BranchOptions options;
  options.mode = OpenMode::read_only;
  auto branch = must(Branch::open(store, name, options));
  std::ostringstream out;
  describe_dir(*branch, kRootIno, name + ":", out);
  return out.str();
}

std::string describe(const std::shared_ptr<Store>& store) {
  std::string all;
  for (const BranchInfo& branch : must(store->list())) {
    all += fmt::format("{} from \"{}\" protected {} anonymized {}\n", branch.name, branch.manifest.parent_name,
                       branch.manifest.is_protected, !branch.manifest.masking.empty());
    all += describe(store, branch.name);
  }
  return all;
}

std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void expect_clean(Store& store) {
  const auto report = must(verify_store(store));
  INFO((report.lines.empty() ? "" : report.lines.front()));
  CHECK(report.problems == 0);
}

// --- making one --------------------------------------------------------------------------------------

std::string noise(std::size_t size, std::uint64_t seed) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    if (i % 16 == 0) seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    bytes[i] = static_cast<char>(seed >> (8 * (i % 8)));
  }
  return bytes;
}

void put(Branch& branch, Ino ino, std::uint64_t offset, const std::string& bytes) {
  must(branch.write(ino, offset, std::as_bytes(std::span(bytes))));
}

Ino ino_of(Branch& branch, const std::string& name) { return must(branch.lookup(kRootIno, name)).ino; }

Ino make(Branch& branch, const std::string& name, std::uint32_t mode = S_IFREG | 0600, const std::string& symlink = {}) {
  NewNode node;
  node.parent = kRootIno;
  node.name = name;
  node.mode = mode;
  node.symlink = symlink;
  return must(branch.create(node)).ino;
}

void import_root(const std::shared_ptr<Store>& store) {
  Attr root;
  root.mode = S_IFDIR | 0700;
  root.nlink = 2;
  auto builder = must(TreeBuilder::create(*store, root));
  const auto file = [&](const std::string& path, const std::string& bytes) {
    Attr attr;
    attr.mode = S_IFREG | 0640;
    attr.nlink = 1;
    attr.mtime = {1'700'000'000, 123'456'789};
    const Ino ino = must(builder->add(path, attr));
    must(builder->write(ino, 0, std::as_bytes(std::span(bytes))));
    must(builder->set_size(ino, bytes.size()));
    return ino;
  };
  Attr dir;
  dir.mode = S_IFDIR | 0700;
  dir.nlink = 2;
  must(builder->add("base", dir));
  file("PG_VERSION", "15\n");
  file("table", noise(9 * 8192, 1));
  file("twin", noise(9 * 8192, 1));  // the same chunks
  file("short", noise(5000, 2));
  file("empty", "");
  must(builder->set_size(file("holes", noise(8192, 3)), 20 * 8192));
  file("base/1", noise(3 * 8192, 4));
  must(builder->add_hard_link("base/linked", "short"));
  Attr link;
  link.mode = S_IFLNK | 0777;
  link.nlink = 1;
  must(builder->add("link", link, "base/1"));
  must(builder->publish("root", {}));
}

// Every kind of item, in an open delta, in frozen ones and in layers.
void fill(const std::shared_ptr<Store>& store) {
  import_root(store);
  must(create_branch(*store, "child", "root", {}));
  BranchOptions options;
  options.flush_interval = 0;
  options.sums = false;
  auto branch = must(Branch::open(store, "child", options));
  const Ino table = ino_of(*branch, "table");
  put(*branch, table, 8192, noise(8192, 10));
  put(*branch, table, 9 * 8192 - 100, noise(300, 11));
  put(*branch, make(*branch, "new"), 4000, noise(30'000, 12));
  make(*branch, "dir", S_IFDIR | 0750);
  make(*branch, "to", S_IFLNK | 0777, "../elsewhere");
  must(branch->unlink(kRootIno, "twin"));
  must(branch->sync_all());
  must(fork_live(*store, *branch, "child", "sibling"));
  SetAttr shorter;
  shorter.size = 3 * 8192 + 17;
  must(branch->setattr(table, shorter));
  put(*branch, table, 5 * 8192, noise(4096, 13));
  must(branch->allocate(table, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8192, 8192));
  must(branch->copy_range(ino_of(*branch, "holes"), 0, ino_of(*branch, "short"), 8192, 16 * 8192));
  must(branch->rename(kRootIno, "new", kRootIno, "empty", 0));
  must(branch->link(table, kRootIno, "table.link"));
  must(fork_live(*store, *branch, "child", "dev/second"));
  put(*branch, table, 0, noise(8192, 14));
  SetAttr mode;
  mode.mode = 0400;
  mode.mtime = ::timespec{1'600'000'000, 5};
  must(branch->setattr(ino_of(*branch, "PG_VERSION"), mode));
  branch.reset();
  must(create_branch(*store, "packed", "child", {}));
  must(pack(*store, "packed"));
  must(create_branch(*store, "alone", "packed", {}));
  must(compact(*store, "alone"));
  CreateOptions guarded;
  guarded.is_protected = true;
  must(create_branch(*store, "guarded", "sibling", guarded));
  auto again = must(Branch::open(store, "dev/second", options));
  put(*again, make(*again, "last"), 0, noise(12'345, 15));
  must(fork_live(*store, *again, "dev/second", "dev/third"));  // a frozen delta that stays one
  put(*again, ino_of(*again, "table"), 8192 + 5, noise(100, 16));
  must(again->unlink(kRootIno, "to"));
}

TEST_CASE("make a golden store in $BRANCHFS_GOLDEN", "[.make]") {
  const std::string dir = std::getenv("BRANCHFS_GOLDEN");
  must(Store::init(posix_env(), dir + "/store"));
  auto store = must(Store::open(posix_env(), dir + "/store"));
  fill(store);
  expect_clean(*store);
  std::ofstream(dir + "/expected.txt") << describe(store);
}

// --- reading them ------------------------------------------------------------------------------------

TEST_CASE("stores that earlier versions wrote", "[golden]") {
  std::vector<fs::path> golden;
  for (const auto& item : fs::directory_iterator(GOLDEN_DIR)) {
    if (item.path().extension() == ".gz") golden.push_back(item.path());
  }
  REQUIRE(!golden.empty());
  for (const fs::path& archive : golden) {
    DYNAMIC_SECTION(archive.filename().string()) {
      const ScratchStore scratch;  // for its directory
      const std::string dir = scratch.dir() + "/golden";
      fs::create_directory(dir);
      REQUIRE(std::system(fmt::format("tar -xzf '{}' -C '{}' --no-same-owner", archive.string(), dir).c_str()) == 0);
      const std::string expected = text_of(archive.parent_path() / (archive.stem().stem().string() + ".txt"));
      REQUIRE(!expected.empty());
      auto store = must(Store::open(posix_env(), dir + "/store"));
      expect_clean(*store);
      CHECK(describe(store) == expected);

      // And it goes on with them.
      const std::vector<BranchInfo> before = must(store->list());
      for (const BranchInfo& branch : before) {
        const std::string child = "new/" + std::to_string(&branch - before.data());
        const std::string was = describe(store, branch.name);
        must(create_branch(*store, child, branch.name, {}));
        BranchOptions options;
        auto opened = must(Branch::open(store, child, options));
        put(*opened, ino_of(*opened, "table"), 4 * 8192, noise(20'000, 99));
        opened.reset();
        CHECK(describe(store, branch.name) == was);
        must(delete_branch(*store, child));
      }
      must(pack(*store, ""));
      must(collect_garbage(*store));
      expect_clean(*store);
      CHECK(describe(store) == expected);
    }
  }
}

}  // namespace
}  // namespace branchfs::test
