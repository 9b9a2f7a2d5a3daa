// Names and permissions through the kernel: directories, links, renames, owners and modes.
#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <set>
#include <string>

#include "tests/catch.h"
#include "tests/mount/mount_fixture.h"

using namespace branchfs::test;

namespace {

void touch(const std::string& path, ::mode_t mode = 0644) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, mode);
  INFO(path);
  REQUIRE(fd >= 0);
  ::close(fd);
}

void put(const std::string& path, const std::string& text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  REQUIRE(fd >= 0);
  REQUIRE(::write(fd, text.data(), text.size()) == static_cast<::ssize_t>(text.size()));
  ::close(fd);
}

std::string get(const std::string& path) {
  std::string out(4096, '\0');
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "<none>";
  const ::ssize_t n = ::read(fd, out.data(), out.size());
  ::close(fd);
  out.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
  return out;
}

struct ::stat stat_of(const std::string& path) {
  struct ::stat st {};
  INFO(path);
  REQUIRE(::lstat(path.c_str(), &st) == 0);
  return st;
}

std::set<std::string> names(const std::string& dir) {
  std::set<std::string> out;
  ::DIR* d = ::opendir(dir.c_str());
  REQUIRE(d != nullptr);
  while (const ::dirent* e = ::readdir(d)) CHECK(out.insert(e->d_name).second);
  ::closedir(d);
  return out;
}

template <class Call>
int error_of(Call call) {
  errno = 0;
  return call() == -1 ? errno : 0;
}

}  // namespace

TEST_CASE("rename replaces, refuses and exchanges as asked", "[mount]") {
  const Mounted m;
  REQUIRE(m.mount.mounted());
  const auto rename2 = [&](const char* a, const char* b, unsigned flags) {
    return error_of(
        [&] { return ::renameat2(AT_FDCWD, m.path(a).c_str(), AT_FDCWD, m.path(b).c_str(), flags); });
  };
  put(m.path("a"), "A");
  put(m.path("b"), "B");
  CHECK(rename2("a", "b", RENAME_NOREPLACE) == EEXIST);
  CHECK(rename2("a", "b", RENAME_EXCHANGE) == 0);
  CHECK(get(m.path("a")) == "B");
  CHECK(get(m.path("b")) == "A");
  CHECK(rename2("a", "c", RENAME_EXCHANGE) == ENOENT);
  CHECK(rename2("a", "c", RENAME_NOREPLACE) == 0);
  CHECK(get(m.path("a")) == "<none>");
  CHECK(rename2("c", "b", 0) == 0);
  CHECK(get(m.path("b")) == "B");
  CHECK(rename2("b", "w", RENAME_WHITEOUT) == EINVAL);
  REQUIRE(::mkdir(m.path("d").c_str(), 0755) == 0);
  REQUIRE(::mkdir(m.path("e").c_str(), 0755) == 0);
  touch(m.path("e/x"));
  CHECK(rename2("d", "e", 0) == ENOTEMPTY);
  CHECK(rename2("b", "e", 0) == EISDIR);
  CHECK(rename2("d", "b", 0) == ENOTDIR);
  CHECK(rename2("e", "e/sub", 0) == EINVAL);
  CHECK(rename2("e", "d", 0) == 0);
  CHECK(names(m.path("d")) == std::set<std::string>{".", "..", "x"});
  CHECK(rename2("d", "b", RENAME_EXCHANGE) == 0);
  CHECK(S_ISDIR(stat_of(m.path("b")).st_mode));
  CHECK(get(m.path("d")) == "B");
  REQUIRE(::mkdir(m.path("p").c_str(), 0755) == 0);
  CHECK(stat_of(m.path("p")).st_nlink == 2);
  CHECK(rename2("b", "p/b", 0) == 0);
  CHECK(stat_of(m.path("p")).st_nlink == 3);
  CHECK(stat_of(m.path("p/b/..")).st_ino == stat_of(m.path("p")).st_ino);
}

TEST_CASE("links, symlinks, fifos, sockets and devices", "[mount]") {
  const Mounted m;
  REQUIRE(m.mount.mounted());
  put(m.path("f"), "text");
  REQUIRE(::link(m.path("f").c_str(), m.path("hard").c_str()) == 0);
  CHECK(stat_of(m.path("f")).st_nlink == 2);
  CHECK(stat_of(m.path("hard")).st_ino == stat_of(m.path("f")).st_ino);
  CHECK(error_of([&] { return ::link(m.path("f").c_str(), m.path("hard").c_str()); }) == EEXIST);
  const std::string target(1000, 't');
  REQUIRE(::symlink(target.c_str(), m.path("soft").c_str()) == 0);
  std::string read(2000, '\0');
  REQUIRE(::readlink(m.path("soft").c_str(), read.data(), read.size()) == 1000);
  CHECK(read.substr(0, 1000) == target);
  CHECK(stat_of(m.path("soft")).st_size == 1000);
  REQUIRE(::mkfifo(m.path("fifo").c_str(), 0600) == 0);
  CHECK(S_ISFIFO(stat_of(m.path("fifo")).st_mode));
  REQUIRE(::mknod(m.path("dev").c_str(), S_IFCHR | 0600, makedev(1, 3)) == 0);
  CHECK(stat_of(m.path("dev")).st_rdev == makedev(1, 3));
  const int s = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ::sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof(address.sun_path), "%s", m.path("sock").c_str());
  CHECK(::bind(s, reinterpret_cast<::sockaddr*>(&address), sizeof(address)) == 0);
  CHECK(S_ISSOCK(stat_of(m.path("sock")).st_mode));
  ::close(s);
}

TEST_CASE("names may have 255 bytes, directories must be empty to go", "[mount]") {
  const Mounted m;
  REQUIRE(m.mount.mounted());
  const std::string longest(255, 'n');
  touch(m.path(longest));
  CHECK(names(m.place.point).contains(longest));
  CHECK(error_of([&] { return ::open(m.path(longest + "n").c_str(), O_CREAT | O_WRONLY, 0600); }) ==
        ENAMETOOLONG);
  CHECK(error_of([&] { return ::rename(m.path(longest).c_str(), m.path(longest + "n").c_str()); }) ==
        ENAMETOOLONG);
  REQUIRE(::mkdir(m.path("d").c_str(), 0755) == 0);
  touch(m.path("d/f"));
  CHECK(error_of([&] { return ::rmdir(m.path("d").c_str()); }) == ENOTEMPTY);
  CHECK(error_of([&] { return ::unlink(m.path("d").c_str()); }) == EISDIR);
  CHECK(error_of([&] { return ::rmdir(m.path("d/f").c_str()); }) == ENOTDIR);
  REQUIRE(::unlink(m.path("d/f").c_str()) == 0);
  REQUIRE(::rmdir(m.path("d").c_str()) == 0);
  CHECK(error_of([&] { return ::rmdir(m.path("d").c_str()); }) == ENOENT);
  touch(m.path("d"));  // a name known to be absent comes back
  CHECK(S_ISREG(stat_of(m.path("d")).st_mode));
}

TEST_CASE("100,000 files in one directory, removed while it is read", "[mount]") {
  const Mounted m;
  REQUIRE(m.mount.mounted());
  REQUIRE(::mkdir(m.path("d").c_str(), 0755) == 0);
  const int dir = ::open(m.path("d").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  constexpr int kFiles = 100000;
  for (int i = 0; i < kFiles; ++i) {
    const int fd =
        ::openat(dir, ("f" + std::to_string(i)).c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0);
    ::close(fd);
  }
  CHECK(names(m.path("d")).size() == kFiles + 2);
  ::DIR* d = ::opendir(m.path("d").c_str());
  int seen = 0;
  while (const ::dirent* e = ::readdir(d)) {
    if (e->d_name[0] == '.') continue;
    ++seen;
    if (::unlinkat(dir, e->d_name, 0) != 0) FAIL(e->d_name);
  }
  CHECK(seen == kFiles);
  touch(m.path("d/new"));
  ::rewinddir(d);
  std::set<std::string> left;
  while (const ::dirent* e = ::readdir(d)) left.insert(e->d_name);
  ::closedir(d);
  CHECK(left == std::set<std::string>{".", "..", "new"});
  ::close(dir);
}

TEST_CASE("seekdir returns to where telldir was", "[mount]") {
  const Mounted m;
  REQUIRE(m.mount.mounted());
  for (int i = 0; i < 500; ++i) touch(m.path("f" + std::to_string(i)));
  ::DIR* d = ::opendir(m.place.point.c_str());
  for (int i = 0; i < 250; ++i) REQUIRE(::readdir(d) != nullptr);
  const long at = ::telldir(d);
  const std::string next = ::readdir(d)->d_name;
  while (::readdir(d) != nullptr) {
  }
  ::seekdir(d, at);
  CHECK(::readdir(d)->d_name == next);
  ::closedir(d);
}

TEST_CASE("permissions are checked against the shown owner", "[mount]") {
  const Mounted m;
  REQUIRE(m.mount.mounted());
  REQUIRE(::chmod(m.place.point.c_str(), 0755) == 0);
  put(m.path("secret"), "s");
  REQUIRE(::chmod(m.path("secret").c_str(), 0600) == 0);
  const auto cannot_read = [](const std::string& p) {
    return ::open(p.c_str(), O_RDONLY) == -1 && errno == EACCES;
  };
  CHECK(as_user(kSomebody, kSomebody, cannot_read, m.path("secret")));
  REQUIRE(::chown(m.path("secret").c_str(), kSomebody, kSomebody) == 0);
  CHECK_FALSE(as_user(kSomebody, kSomebody, cannot_read, m.path("secret")));
  CHECK(as_user(kSomebodyElse, kSomebodyElse, cannot_read, m.path("secret")));
  const auto cannot_create = [](const std::string& p) {
    return ::open((p + "/x").c_str(), O_CREAT | O_WRONLY, 0600) == -1 && errno == EACCES;
  };
  CHECK(as_user(kSomebody, kSomebody, cannot_create, m.place.point));
  REQUIRE(::mkdir(m.path("open").c_str(), 0777) == 0);
  REQUIRE(::chmod(m.path("open").c_str(), 0777) == 0);
  const auto creates = [](const std::string& p) {
    ::umask(027);
    const int fd = ::open((p + "/mine").c_str(), O_CREAT | O_WRONLY, 0666);
    struct ::stat st {};
    return fd >= 0 && ::fstat(fd, &st) == 0 && st.st_uid == kSomebody && st.st_gid == kSomebody &&
           (st.st_mode & 07777) == 0640;
  };
  CHECK(as_user(kSomebody, kSomebody, creates, m.path("open")));
  REQUIRE(::chmod(m.path("open").c_str(), 01777) == 0);
  const auto cannot_unlink = [](const std::string& p) {
    return ::unlink((p + "/mine").c_str()) == -1 && errno == EPERM;
  };
  CHECK(as_user(kSomebodyElse, kSomebodyElse, cannot_unlink, m.path("open")));
  const auto unlinks = [](const std::string& p) { return ::unlink((p + "/mine").c_str()) == 0; };
  CHECK(as_user(kSomebody, kSomebody, unlinks, m.path("open")));
}

TEST_CASE("a set-group-ID directory passes its group on", "[mount]") {
  const Mounted m;
  REQUIRE(m.mount.mounted());
  REQUIRE(::mkdir(m.path("d").c_str(), 0777) == 0);
  REQUIRE(::chown(m.path("d").c_str(), 0, kSomebody) == 0);
  REQUIRE(::chmod(m.path("d").c_str(), 02777) == 0);
  touch(m.path("d/f"));
  REQUIRE(::mkdir(m.path("d/sub").c_str(), 0755) == 0);
  CHECK(stat_of(m.path("d/f")).st_gid == kSomebody);
  CHECK((stat_of(m.path("d/f")).st_mode & S_ISGID) == 0);
  CHECK(stat_of(m.path("d/sub")).st_gid == kSomebody);
  CHECK((stat_of(m.path("d/sub")).st_mode & S_ISGID) != 0);
}

TEST_CASE("writing and chown clear set-user-ID and set-group-ID", "[mount]") {
  const Mounted m;
  REQUIRE(m.mount.mounted());
  REQUIRE(::chmod(m.place.point.c_str(), 0755) == 0);
  const auto writes = [](const std::string& p) {
    const int fd = ::open(p.c_str(), O_WRONLY);
    return fd >= 0 && ::write(fd, "x", 1) == 1;
  };
  const auto truncates = [](const std::string& p) { return ::truncate(p.c_str(), 0) == 0; };
  const auto chowns = [](const std::string& p) {
    return ::chown(p.c_str(), static_cast<::uid_t>(-1), kSomebody) == 0;
  };
  for (auto* body : {+writes, +truncates, +chowns}) {
    touch(m.path("f"));
    REQUIRE(::chown(m.path("f").c_str(), kSomebody, kSomebody) == 0);
    REQUIRE(::chmod(m.path("f").c_str(), 06755) == 0);
    CHECK((stat_of(m.path("f")).st_mode & 07777) == 06755);
    CHECK(as_user(kSomebody, kSomebody, body, m.path("f")));
    CHECK((stat_of(m.path("f")).st_mode & 07777) == 0755);
  }
}

TEST_CASE("statfs describes the host's space and 255-byte names", "[mount]") {
  const Mounted m;
  REQUIRE(m.mount.mounted());
  struct ::statvfs fs {};
  REQUIRE(::statvfs(m.place.point.c_str(), &fs) == 0);
  CHECK(fs.f_namemax == 255);
  CHECK(fs.f_blocks > 0);
  CHECK(fs.f_bavail <= fs.f_blocks);
}

TEST_CASE("uid= and gid= swap the stored owner with the shown one", "[mount]") {
  const Place place;
  const Mount mount(place.store, place.point, "main", "uid=4711,gid=4711");
  REQUIRE(mount.mounted());
  CHECK(stat_of(place.point).st_uid == kSomebody);
  const auto creates = [](const std::string& p) {
    const int fd = ::open((p + "/f").c_str(), O_CREAT | O_WRONLY, 0600);
    struct ::stat st {};
    return fd >= 0 && ::fstat(fd, &st) == 0 && st.st_uid == kSomebody && st.st_gid == kSomebody;
  };
  CHECK(as_user(kSomebody, kSomebody, creates, place.point));
  touch(place.point + "/roots");
  CHECK(stat_of(place.point + "/roots").st_uid == 0);
  REQUIRE(::chown((place.point + "/roots").c_str(), kSomebodyElse, kSomebody) == 0);
  CHECK(stat_of(place.point + "/roots").st_uid == kSomebodyElse);
  CHECK(stat_of(place.point + "/roots").st_gid == kSomebody);
}
