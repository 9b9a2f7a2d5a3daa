// What happens to the data files of a frozen delta, whoever does it, is an error that says where and never
// other bytes (P3).
#include "layers/delta/sums.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/unit/branch/support.h"

namespace branchfs::test {
namespace {

namespace fs = std::filesystem;

// "main" with a packed file "shadowed" of 40 blocks, of which its frozen delta has two, and "own", which is
// all in that delta: data, a hole of 30 blocks, data, and a last block of 10 bytes.
struct Summed {
  ScratchStore store;
  ObjectId id;
  Ino shadowed, own;

  Summed() {
    store.make_root("base");
    {
      auto base = store.open("base");
      write(*base, make_file(*base, "shadowed"), 0, blocks('a', 40));
    }
    must(create_branch(**store, "main", "base", {}));
    must(pack(**store, "base"));
    {
      auto main = store.open("main");
      shadowed = ino_of(*main, "shadowed");
      write(*main, shadowed, 3 * kBlockSize, blocks('b', 1));
      write(*main, shadowed, 30 * kBlockSize, blocks('c', 1));
      own = make_file(*main, "own");
      write(*main, own, 0, blocks('d', 2));
      write(*main, own, 32 * kBlockSize, blocks('e', 1) + std::string(10, 'f'));
    }
    must(create_branch(**store, "child", "main", {}));
    id = must(store->read_manifest("child")).stack.front();
  }
  [[nodiscard]] std::string dir() const { return store_dir() + "/deltas/" + id.hex(); }
  [[nodiscard]] std::string store_dir() const { return store.path(); }
  [[nodiscard]] std::string data(Ino ino) const { return dir() + "/f/" + Delta::file_name(ino); }
  void make() {
    REQUIRE(must(delta()->make_sums([] { return false; })) == Sums::Made::all);
  }
  std::unique_ptr<Delta> delta() {
    return must(Delta::open(posix_env(), dir(), id, false, [](const Edit&, Told) { return Status{}; }));
  }
  static void put(const std::string& path, std::uint64_t at, const std::string& bytes) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file << bytes;
    REQUIRE(file.good());
  }
  // The error of reading `size` bytes of a file of "child" at `offset`; "" when that works.
  std::string error(const std::string& name, std::uint64_t offset, std::size_t size) {
    auto child = store.open("child", OpenMode::read_only);
    std::vector<std::byte> out(size);
    auto got = child->read(ino_of(*child, name), offset, out);
    if (!got) CHECK(got.error().to_errno() == EIO);
    return got ? "" : got.error().what;
  }
  std::vector<std::string> verified() { return must(verify_store(**store)).lines; }
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_CASE("a flipped bit in a frozen delta is an error that names inode and block, for whatever reads it",
          "[P3]") {
  Summed s;
  const std::string right = read(s.store, "child", "shadowed");
  const std::string right_own = read(s.store, "child", "own");
  s.make();
  CHECK(read(s.store, "child", "shadowed") == right);
  CHECK(read(s.store, "child", "own") == right_own);
  CHECK(s.verified().empty());
  s.put(s.data(s.shadowed), 3 * kBlockSize + 4000, "B");
  const std::string where = fmt::format("delta {}: the data of inode {} does not match its checksum, block 3",
                                        s.id.hex(), s.shadowed.v);
  CHECK(s.error("shadowed", 0, 40 * kBlockSize) == where);
  CHECK(s.error("shadowed", 3 * kBlockSize, kBlockSize) == where);
  CHECK(s.error("shadowed", 3 * kBlockSize + 5, 1) == where);  // another byte of the same block
  CHECK(s.error("shadowed", 2 * kBlockSize + 5, kBlockSize) == where);
  CHECK(s.error("shadowed", 30 * kBlockSize, kBlockSize).empty());
  CHECK(s.error("shadowed", 0, 3 * kBlockSize).empty());
  CHECK(s.error("own", 0, 33 * kBlockSize).empty());
  auto packed = pack(**s.store, "child");
  REQUIRE_FALSE(packed);
  CHECK(has(packed.error().what, where));
  const auto lines = s.verified();
  REQUIRE_FALSE(lines.empty());
  CHECK(has(lines[0], fmt::format("inode {} does not match its checksums, blocks 3", s.shadowed.v)));
  CHECK(std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
    return has(line, "\"shadowed\"") && has(line, "block 3 cannot be read");
  }));
  // One bit can be found.
  const auto repaired = must(repair_store(posix_env(), s.store_dir(), "", {}));
  CHECK(repaired.lost.empty());
  CHECK(repaired.after.problems == 0);
  s.store.reopen();
  CHECK(read(s.store, "child", "shadowed") == right);
}

TEST_CASE("a frozen delta's data file that was cut, grown, punched, overwritten or removed is noticed",
          "[P3]") {
  Summed s;
  s.make();
  const std::string right = read(s.store, "child", "own");
  const std::uint64_t size = fs::file_size(s.data(s.own));
  REQUIRE(size == 33 * kBlockSize + 10);
  SECTION("cut") {
    fs::resize_file(s.data(s.own), 32 * kBlockSize);
    CHECK(has(s.error("own", 32 * kBlockSize, 100),
              fmt::format("inode {} does not match its checksum, block 32", s.own.v)));
    CHECK(s.error("own", 0, 32 * kBlockSize).empty());
    CHECK(has(s.verified().at(0), "bytes long, and was"));
    CHECK_FALSE(pack(**s.store, "child"));  // which must not take it for a hole
  }
  SECTION("grown") {
    s.put(s.data(s.own), size, "behind the end");
    CHECK(read(s.store, "child", "own") == right);
    CHECK(has(s.verified().at(0), "bytes long, and was"));
    must(repair_store(posix_env(), s.store_dir(), "", {}));
    CHECK(fs::file_size(s.data(s.own)) == size);
  }
  SECTION("punched") {
    const int fd = ::open(s.data(s.own).c_str(), O_RDWR);
    REQUIRE(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, kBlockSize, kBlockSize) == 0);
    ::close(fd);
    CHECK(has(s.error("own", 0, 2 * kBlockSize), "block 1"));
    CHECK_FALSE(pack(**s.store, "child"));
    CHECK(has(s.verified().at(0), "blocks 1"));
  }
  SECTION("something in its hole") {
    s.put(s.data(s.own), 10 * kBlockSize, "x");
    CHECK(has(s.error("own", 0, 20 * kBlockSize), "block 10"));
    CHECK(has(s.verified().at(0), "blocks 10"));
  }
  SECTION("another's") {
    fs::copy_file(s.data(s.shadowed), s.data(s.own), fs::copy_options::overwrite_existing);
    CHECK(has(s.error("own", 0, kBlockSize), "block 0"));
  }
  SECTION("removed") {
    fs::remove(s.data(s.own));
    CHECK(has(s.error("own", 0, kBlockSize), "missing"));
    CHECK(has(s.verified().at(0), "missing"));
  }
  CHECK(s.error("shadowed", 0, 40 * kBlockSize).empty());
}

TEST_CASE("a data file that is gone is never packed as zeros, nor read as such by who had the branch open",
          "[P3]") {
  Summed s;
  s.make();
  auto child = s.store.open("child", OpenMode::read_only);
  const Ino own = ino_of(*child, "own");
  fs::remove(s.data(s.own));
  fs::remove(s.data(s.shadowed));
  std::vector<std::byte> out(kBlockSize);
  const auto got = child->read(own, 0, out);
  CHECK((!got || out[0] == std::byte{'d'}));  // it may have it open
  auto packed = pack(**s.store, "child");
  REQUIRE_FALSE(packed);
  CHECK(has(packed.error().what, "missing"));
}

TEST_CASE("where the checksums of a data file end, a cut is still noticed, and is not mended with zeros",
          "[P3]") {
  Summed s;
  // Until the record of the first blocks of "own" is there, and what lies behind its hole is not. Asked
  // before each file and each piece.
  std::uint64_t known = 0;
  std::uint64_t before = 0;
  while (known == 0) {
    int asked = 0;
    const int most = before > 0 ? 3 : 2;
    REQUIRE(must(s.delta()->make_sums([&] { return ++asked > most; })) == Sums::Made::stopped);
    if (auto sums = must(Sums::open(posix_env(), s.dir(), s.id))) {
      sums->for_each_file([&](Ino ino, std::uint64_t size, std::uint64_t blocks) {
        if (ino == s.own) known = blocks;
        if (ino == s.shadowed && blocks == blocks_for(size)) before = blocks;
      });
    }
  }
  REQUIRE(known < 34);
  fs::resize_file(s.data(s.own), 2 * kBlockSize);
  CHECK(s.error("own", 0, 2 * kBlockSize).empty());
  CHECK(has(s.error("own", 32 * kBlockSize, kBlockSize), "does not match its checksum, block 32"));
  CHECK_FALSE(pack(**s.store, "child"));
  CHECK(has(s.verified().at(0), "bytes long, and was"));
  const auto repaired = must(repair_store(posix_env(), s.store_dir(), "", {}));
  CHECK_FALSE(repaired.lost.empty());
  CHECK(repaired.after.problems > 0);
}

TEST_CASE("making checksums goes on where it was stopped, and what has none yet is read", "[P3]") {
  Summed s;
  int asked = 0;
  CHECK(must(s.delta()->make_sums([&] { return ++asked == 4; })) == Sums::Made::stopped);
  const auto some = fs::file_size(s.dir() + "/sums");
  CHECK_FALSE(must(Sums::open(posix_env(), s.dir(), s.id))->complete());
  CHECK(s.error("own", 0, 34 * kBlockSize).empty());
  {
    std::ofstream torn(s.dir() + "/sums", std::ios::app | std::ios::binary);  // a killed process
    torn << std::string(20, '\1');
  }
  CHECK(s.verified().empty());
  s.make();
  CHECK(fs::file_size(s.dir() + "/sums") > some);
  CHECK(must(Sums::open(posix_env(), s.dir(), s.id))->complete());
  CHECK(s.verified().empty());
  // Nobody else is let in meanwhile.
  Summed other;
  int asked_there = 0;
  must(other.delta()->make_sums([&] { return ++asked_there == 1; }));
  auto file = must(posix_env().open(other.dir() + "/sums", O_RDWR));
  REQUIRE(must(file->try_lock(LockMode::exclusive)));
  CHECK(must(other.delta()->make_sums([] { return false; })) == Sums::Made::by_another);
}

TEST_CASE("damaged checksums do not make data unreadable, and verify tells", "[P3]") {
  Summed s;
  s.make();
  const std::string right = read(s.store, "child", "own");
  s.put(s.dir() + "/sums", 80, "\xff");
  CHECK(read(s.store, "child", "own") == right);
  CHECK(has(s.verified().at(0), "sums: the record at 48 is damaged"));
  must(repair_store(posix_env(), s.store_dir(), "", {}));
  s.store.reopen();
  CHECK(s.verified().empty());
  CHECK(read(s.store, "child", "own") == right);
  // Nor does what is no file at all.
  fs::remove(s.dir() + "/sums");
  fs::create_directory(s.dir() + "/sums");
  CHECK(read(s.store, "child", "own") == right);
  CHECK(has(s.verified().at(0), "sums"));
  must(repair_store(posix_env(), s.store_dir(), "", {}));
  s.store.reopen();
  CHECK(s.verified().empty());
}

TEST_CASE("a branch that is open for writing gives its frozen deltas checksums", "[P3]") {
  Summed s;
  auto wait = [&](ObjectId id) {
    const std::string dir = s.store_dir() + "/deltas/" + id.hex();
    for (int i = 0; i < 2000; ++i) {
      if (auto sums = must(Sums::open(posix_env(), dir, id)); sums && sums->complete()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  };
  auto main = must(Branch::open(*s.store, "main", {}));
  CHECK(wait(s.id));
  // And what it freezes itself; it looks at them at once.
  const Ino more = make_file(*main, "more");
  write(*main, more, 0, blocks('m', 2));
  s.store.fork_live(*main, "main", "live-child");
  const ObjectId frozen = must(s.store->read_manifest("main")).stack.front();
  REQUIRE(wait(frozen));
  s.put(s.store_dir() + "/deltas/" + frozen.hex() + "/f/" + Delta::file_name(more), kBlockSize, "M");
  std::vector<std::byte> out(kBlockSize);
  for (int i = 0; i < 2000 && main->read(more, kBlockSize, out); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  CHECK_FALSE(main->read(more, kBlockSize, out));
  CHECK(main->read(more, 0, out));
}

}  // namespace
}  // namespace branchfs::test
