// File contents through the kernel: what a program sees with read, write, mmap, O_DIRECT and friends.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/mount/mount_fixture.h"

using namespace branchfs::test;

namespace {

class Fd {
 public:
  Fd(const std::string& path, int flags, ::mode_t mode = 0644)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  operator int() const { return fd_; }  // NOLINT: stands for the descriptor in system calls

 private:
  int fd_;
};

std::string read_at(int fd, ::off_t offset, std::size_t size) {
  std::string out(size, '?');
  const ::ssize_t n = ::pread(fd, out.data(), size, offset);
  REQUIRE(n >= 0);
  out.resize(static_cast<std::size_t>(n));
  return out;
}

struct ::stat stat_of(int fd) {
  struct ::stat st {};
  REQUIRE(::fstat(fd, &st) == 0);
  return st;
}

void drop_caches(int fd) {
  REQUIRE(::fsync(fd) == 0);
  REQUIRE(::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
}

std::string pattern(std::size_t size, unsigned seed) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>((i * 2654435761U + seed * 40503U) >> 11U);
  return out;
}

}  // namespace

TEST_CASE("writes are read back, from the cache and from the daemon", "[mount]") {
  const Mounted m;
  REQUIRE(m.mount.mounted());
  const Fd fd(m.path("f"), O_RDWR | O_CREAT | O_EXCL);
  REQUIRE(fd >= 0);
  const std::string data = pattern(3 * 1024 * 1024 + 777, 1);
  REQUIRE(::pwrite(fd, data.data(), data.size(), 0) == static_cast<::ssize_t>(data.size()));
  CHECK(stat_of(fd).st_size == static_cast<::off_t>(data.size()));
  CHECK((read_at(fd, 0, data.size()) == data));
  drop_caches(fd);
  CHECK((read_at(fd, 0, data.size() + 100) == data));
  REQUIRE(::pwrite(fd, "XYZ", 3, 8190) == 3);  // across two blocks
  drop_caches(fd);
  CHECK(read_at(fd, 8189, 5) == data.substr(8189, 1) + "XYZ" + data.substr(8193, 1));
}

TEST_CASE("O_APPEND, O_TRUNC and truncate keep size and zeros (P7)", "[mount]") {
  const Mounted m;
  REQUIRE(m.mount.mounted());
  { REQUIRE(Fd(m.path("f"), O_RDWR | O_CREAT) >= 0); }
  const Fd a(m.path("f"), O_WRONLY | O_APPEND);
  const Fd b(m.path("f"), O_WRONLY | O_APPEND);
  for (int i = 0; i < 100; ++i) {
    REQUIRE(::write(i % 2 == 0 ? a : b, "0123456789", 10) == 10);
  }
  const Fd r(m.path("f"), O_RDWR);
  CHECK(stat_of(r).st_size == 1000);
  CHECK(::lseek(r, 0, SEEK_END) == 1000);
  REQUIRE(::ftruncate(r, 5) == 0);
  REQUIRE(::ftruncate(r, 20000) == 0);
  CHECK(read_at(r, 0, 30000) == "01234" + std::string(19995, '\0'));
  drop_caches(r);
  CHECK(read_at(r, 0, 30000) == "01234" + std::string(19995, '\0'));
  {
    const Fd t(m.path("f"), O_WRONLY | O_TRUNC);
    CHECK(stat_of(t).st_size == 0);
  }
  CHECK(stat_of(r).st_size == 0);
  CHECK(read_at(r, 0, 10).empty());
}

TEST_CASE("holes: sparse files, punch, zero range, SEEK_DATA and SEEK_HOLE", "[mount]") {
  const Mounted m;
  REQUIRE(m.mount.mounted());
  const Fd fd(m.path("f"), O_RDWR | O_CREAT);
  const ::off_t far = 5LL << 30;
  REQUIRE(::pwrite(fd, "end", 3, far) == 3);
  CHECK(stat_of(fd).st_size == far + 3);
  CHECK(stat_of(fd).st_blocks < 1024);
  CHECK(read_at(fd, far - 3, 10) == std::string(3, '\0') + "end");
  const ::off_t data = ::lseek(fd, 0, SEEK_DATA);
  if (keeps_writes()) {
    CHECK(data == 0);  // whatever is not sent yet counts as data
  } else {
    CHECK(data > far - (1 << 20));
    CHECK(data <= far);
    CHECK(::lseek(fd, 0, SEEK_HOLE) == 0);
  }
  CHECK(::lseek(fd, far, SEEK_HOLE) == far + 3);
  CHECK(::lseek(fd, far + 3, SEEK_DATA) == -1);
  CHECK(errno == ENXIO);

  const Fd g(m.path("g"), O_RDWR | O_CREAT);
  const std::string text(65536, 'x');
  REQUIRE(::pwrite(g, text.data(), text.size(), 0) == 65536);
  REQUIRE(::fallocate(g, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8192, 16384) == 0);
  CHECK((read_at(g, 0, 65536) == text.substr(0, 8192) + std::string(16384, '\0') + text.substr(24576)));
  REQUIRE(::fallocate(g, FALLOC_FL_ZERO_RANGE, 65000, 2000) == 0);
  CHECK(stat_of(g).st_size == 67000);
  REQUIRE(::fallocate(g, FALLOC_FL_KEEP_SIZE, 70000, 10000) == 0);
  CHECK(stat_of(g).st_size == 67000);
  REQUIRE(::posix_fallocate(g, 0, 90000) == 0);
  CHECK(stat_of(g).st_size == 90000);
  drop_caches(g);
  CHECK((read_at(g, 60000, 40000) == text.substr(0, 5000) + std::string(25000, '\0')));
  CHECK(::fallocate(g, FALLOC_FL_COLLAPSE_RANGE, 0, 8192) == -1);
  CHECK(errno == EOPNOTSUPP);
}

TEST_CASE("copy_file_range copies, within and beyond the source's end", "[mount]") {
  const Mounted m;
  REQUIRE(m.mount.mounted());
  const Fd from(m.path("from"), O_RDWR | O_CREAT);
  const Fd to(m.path("to"), O_RDWR | O_CREAT);
  const std::string data = pattern(1000000, 7);
  REQUIRE(::pwrite(from, data.data(), data.size(), 0) == 1000000);
  ::off_t in = 0;
  ::off_t out = 8192;
  std::size_t copied = 0;
  for (::ssize_t n = 0; (n = ::copy_file_range(from, &in, to, &out, 2000000, 0)) > 0;)
    copied += static_cast<std::size_t>(n);
  CHECK(copied == data.size());
  CHECK((read_at(to, 0, 2000000) == std::string(8192, '\0') + data));
  REQUIRE(::pwrite(from, "changed", 7, 0) == 7);
  drop_caches(to);
  CHECK((read_at(to, 8192, 100) == data.substr(0, 100)));
  CHECK(m.status()["requests"]["copy_file_range"].get<int>() >= 1);
}

TEST_CASE("an unlinked file lives until its last descriptor is closed", "[mount]") {
  const Mounted m;
  REQUIRE(m.mount.mounted());
  const Fd fd(m.path("f"), O_RDWR | O_CREAT);
  REQUIRE(::write(fd, "before", 6) == 6);
  REQUIRE(::unlink(m.path("f").c_str()) == 0);
  CHECK(stat_of(fd).st_nlink == 0);
  REQUIRE(::pwrite(fd, " after", 6, 6) == 6);
  drop_caches(fd);
  CHECK(read_at(fd, 0, 100) == "before after");
  CHECK(::open(m.path("f").c_str(), O_RDONLY) == -1);
  CHECK(errno == ENOENT);
  const Fd again(m.path("f"), O_RDWR | O_CREAT | O_EXCL);
  CHECK(again >= 0);
  CHECK(stat_of(again).st_ino != stat_of(fd).st_ino);
}

TEST_CASE("mmap: shared writes reach the file, private ones do not", "[mount]") {
  const Mounted m;
  REQUIRE(m.mount.mounted());
  const Fd fd(m.path("f"), O_RDWR | O_CREAT);
  REQUIRE(::ftruncate(fd, 16384) == 0);
  auto* shared = static_cast<char*>(::mmap(nullptr, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  auto* priv = static_cast<char*>(::mmap(nullptr, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  REQUIRE(shared != MAP_FAILED);
  REQUIRE(priv != MAP_FAILED);
  std::memcpy(shared + 5000, "shared", 6);
  CHECK(read_at(fd, 5000, 6) == "shared");
  CHECK(std::memcmp(priv + 5000, "shared", 6) == 0);
  std::memcpy(priv + 9000, "private", 7);
  REQUIRE(::msync(shared, 16384, MS_SYNC) == 0);
  drop_caches(fd);
  CHECK(read_at(fd, 5000, 6) == "shared");
  CHECK(read_at(fd, 9000, 7) == std::string(7, '\0'));
  REQUIRE(::pwrite(fd, "W", 1, 5000) == 1);
  CHECK(shared[5000] == 'W');
  ::munmap(shared, 16384);
  ::munmap(priv, 16384);
}

TEST_CASE("O_DIRECT and cached descriptors see each other's writes", "[mount]") {
  const Mounted m;
  REQUIRE(m.mount.mounted());
  const Fd cached(m.path("f"), O_RDWR | O_CREAT);
  const Fd direct(m.path("f"), O_RDWR | O_DIRECT);
  REQUIRE(direct >= 0);
  void* memory = nullptr;
  REQUIRE(::posix_memalign(&memory, 4096, 65536) == 0);
  auto* buffer = static_cast<char*>(memory);
  std::memset(buffer, 'd', 65536);
  REQUIRE(::pwrite(direct, buffer, 65536, 0) == 65536);
  CHECK((read_at(cached, 0, 70000) == std::string(65536, 'd')));
  REQUIRE(::pwrite(cached, "cached", 6, 8192) == 6);
  REQUIRE(::pread(direct, buffer, 8192, 8192) == 8192);
  CHECK(std::memcmp(buffer, "cachedd", 7) == 0);
  std::memset(buffer, 'e', 8192);
  REQUIRE(::pwrite(direct, buffer, 8192, 8192) == 8192);
  CHECK(read_at(cached, 8192, 6) == "eeeeee");
  ::free(memory);
}

TEST_CASE("an O_DSYNC write is followed by a sync before it returns (P2)", "[mount]") {
  const Mounted m;
  REQUIRE(m.mount.mounted());
  for (const int flags : {O_DSYNC, O_SYNC, O_DSYNC | O_DIRECT}) {
    const Fd fd(m.path("f" + std::to_string(flags)), O_RDWR | O_CREAT | flags);
    REQUIRE(fd >= 0);
    void* memory = nullptr;
    REQUIRE(::posix_memalign(&memory, 4096, 8192) == 0);
    std::memset(memory, 's', 8192);
    const int before = m.status()["requests"].value("fsync", 0);
    REQUIRE(::pwrite(fd, memory, 8192, 0) == 8192);
    CHECK(m.status()["requests"].value("fsync", 0) == before + 1);
    ::free(memory);
  }
}

TEST_CASE("flock and fcntl locks work between processes", "[mount]") {
  const Mounted m;
  REQUIRE(m.mount.mounted());
  const Fd fd(m.path("f"), O_RDWR | O_CREAT, 0666);
  ::fchmod(fd, 0666);
  ::chmod(m.place.point.c_str(), 0755);
  REQUIRE(::flock(fd, LOCK_EX) == 0);
  struct ::flock range {};
  range.l_type = F_WRLCK;
  range.l_start = 100;
  range.l_len = 10;
  REQUIRE(::fcntl(fd, F_SETLK, &range) == 0);
  const auto other = [](const std::string& path) {
    const Fd mine(path, O_RDWR);
    struct ::flock r {};
    r.l_type = F_WRLCK;
    r.l_start = 105;
    r.l_len = 1;
    const bool overlapping = ::fcntl(mine, F_SETLK, &r) == 0;
    r.l_start = 200;
    const bool apart = ::fcntl(mine, F_SETLK, &r) == 0;
    return mine >= 0 && ::flock(mine, LOCK_EX | LOCK_NB) != 0 && !overlapping && apart;
  };
  CHECK(as_user(kSomebody, kSomebody, other, m.path("f")));
}

TEST_CASE("times follow what happened, although the kernel caches attributes", "[mount]") {
  const Mounted m;
  REQUIRE(m.mount.mounted());
  const Fd fd(m.path("f"), O_RDWR | O_CREAT);
  const auto later = [](const ::timespec& a, const ::timespec& b) {
    return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
  };
  // The clock of a kernel that keeps writes, and then times too, is this coarse.
  constexpr ::useconds_t kTick = 12000;
  auto old = stat_of(fd);
  const auto changed = [&](bool mtime) {
    const auto st = stat_of(fd);
    const bool right = later(st.st_ctim, old.st_ctim) && later(st.st_mtim, old.st_mtim) == mtime;
    old = st;
    ::usleep(kTick);
    return right;
  };
  ::usleep(kTick);
  REQUIRE(::pwrite(fd, "x", 1, 0) == 1);
  CHECK(changed(true));
  REQUIRE(::fchmod(fd, 0600) == 0);
  CHECK(changed(false));
  REQUIRE(::link(m.path("f").c_str(), m.path("g").c_str()) == 0);
  CHECK(stat_of(fd).st_nlink == 2);
  CHECK(changed(false));
  REQUIRE(::rename(m.path("g").c_str(), m.path("h").c_str()) == 0);
  CHECK(changed(false));
  REQUIRE(::unlink(m.path("h").c_str()) == 0);
  CHECK(stat_of(fd).st_nlink == 1);
  CHECK(changed(false));
  REQUIRE(::ftruncate(fd, 100) == 0);
  CHECK(changed(true));
  REQUIRE(::fallocate(fd, 0, 0, 20000) == 0);
  CHECK(changed(true));
  const ::timespec times[2] = {{1000, 111222333}, {2000, 444555666}};
  REQUIRE(::futimens(fd, times) == 0);
  const auto st = stat_of(fd);
  CHECK(st.st_atim.tv_sec == 1000);
  CHECK(st.st_atim.tv_nsec == 111222333);
  CHECK(st.st_mtim.tv_sec == 2000);
  CHECK(st.st_mtim.tv_nsec == 444555666);
  CHECK(later(st.st_ctim, old.st_ctim));
}

TEST_CASE("a program in the mount can be executed", "[mount]") {
  const Mounted m;
  REQUIRE(m.mount.mounted());
  REQUIRE(run({"/bin/cp", "/bin/true", m.path("true")}).code == 0);
  CHECK(run({m.path("true")}).code == 0);
  CHECK(run({"/bin/cp", "/bin/false", m.path("true")}).code == 0);
  CHECK(run({m.path("true")}).code == 1);
}

TEST_CASE("one write costs one request once the mount is warm", "[mount]") {
  if (keeps_writes()) return;
  const Mounted m;
  REQUIRE(m.mount.mounted());
  const Fd fd(m.path("f"), O_RDWR | O_CREAT);
  const std::string page(8192, 'p');
  REQUIRE(::pwrite(fd, page.data(), page.size(), 0) == 8192);
  const auto before = m.status()["requests"];
  for (int i = 0; i < 100; ++i) REQUIRE(::pwrite(fd, page.data(), page.size(), i * 8192) == 8192);
  for (int i = 0; i < 100; ++i) REQUIRE(read_at(fd, i * 8192, 8192) == page);
  const auto after = m.status()["requests"];
  int requests = 0;
  for (const auto& [op, n] : after.items()) requests += n.get<int>() - before.value(op, 0);
  CHECK(after["write"].get<int>() - before["write"].get<int>() == 100);
  CHECK(requests <= 102);  // no getxattr, no open, no read of what was just written
}
