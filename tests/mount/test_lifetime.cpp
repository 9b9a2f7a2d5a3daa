// The life of a mount: ready, refused, ended in every way, used again.
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <thread>

#include "fs/mount_table.h"
#include "layers/io/env.h"
#include "layers/store/branches.h"
#include "layers/store/control.h"
#include "tests/catch.h"
#include "tests/mount/mount_fixture.h"

using namespace branchfs;
using namespace branchfs::test;

namespace {

void put(const std::string& path, const std::string& text, bool sync = false) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  REQUIRE(fd >= 0);
  REQUIRE(::write(fd, text.data(), text.size()) == static_cast<::ssize_t>(text.size()));
  if (sync) REQUIRE(::fsync(fd) == 0);
  ::close(fd);
}

std::string get(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

bool is_mounted(const std::string& point) {
  const auto entry = mounted_at(point);
  return entry.ok() && entry->has_value();
}

bool clean_exit(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }

std::vector<std::string> command(const Place& place, const std::string& options) {
  return {mount_program(), place.store, place.point, "-o", options};
}

nlohmann::json call(const Place& place, const nlohmann::json& request) {
  const auto answer = control_call(place.store + "/branches/main", request, std::chrono::seconds(5));
  INFO((answer ? "" : answer.error().what));
  REQUIRE(answer.ok());
  return *answer;
}

template <class Done>
bool eventually(Done done) {
  for (int i = 0; i < 2500; ++i) {
    if (done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}

// The daemon of a detached mount, by what it says of itself.
::pid_t daemon_pid(const Place& place) { return call(place, {{"op", "status"}})["pid"].get<::pid_t>(); }

}  // namespace

TEST_CASE("what was written is there after umount and mount", "[mount]") {
  const Place place;
  {
    Mount mount(place.store, place.point, "main");
    REQUIRE(mount.mounted());
    REQUIRE(::mkdir((place.point + "/d").c_str(), 0750) == 0);
    put(place.point + "/d/f", std::string(100000, 'k'));
    REQUIRE(::symlink("d/f", (place.point + "/s").c_str()) == 0);
    CHECK(clean_exit(mount.umount()));
    CHECK_FALSE(is_mounted(place.point));
  }
  Mount mount(place.store, place.point, "main", "ro");
  REQUIRE(mount.mounted());
  CHECK((get(place.point + "/s") == std::string(100000, 'k')));
  struct ::stat st {};
  REQUIRE(::stat((place.point + "/d").c_str(), &st) == 0);
  CHECK((st.st_mode & 07777) == 0750);
  CHECK(::open((place.point + "/new").c_str(), O_CREAT | O_WRONLY, 0600) == -1);
  CHECK(errno == EROFS);
}

TEST_CASE("SIGTERM, SIGINT and SIGHUP unmount and exit 0", "[mount]") {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    const Place place;
    Mount mount(place.store, place.point, "main");
    REQUIRE(mount.mounted());
    put(place.point + "/f", "x");
    mount.kill(signal);
    CHECK(clean_exit(mount.wait()));
    CHECK_FALSE(is_mounted(place.point));
  }
}

TEST_CASE("after SIGTERM or umount -l an open file is served to the end", "[mount]") {
  const Place place;
  for (const bool lazy : {false, true}) {
    Mount mount(place.store, place.point, "main");
    REQUIRE(mount.mounted());
    const int fd = ::open((place.point + "/f").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    REQUIRE(fd >= 0);
    if (lazy) {
      REQUIRE(::umount2(place.point.c_str(), MNT_DETACH) == 0);
    } else {
      mount.kill(SIGTERM);
    }
    REQUIRE(eventually([&] { return !is_mounted(place.point); }));
    CHECK(mount.wait(1) == -1);  // somebody still uses it
    REQUIRE(::pwrite(fd, lazy ? "lazy" : "term", 4, 0) == 4);
    REQUIRE(::fsync(fd) == 0);
    ::close(fd);
    CHECK(clean_exit(mount.wait()));
    Mount again(place.store, place.point, "main");
    REQUIRE(again.mounted());
    CHECK(get(place.point + "/f") == (lazy ? "lazy" : "term"));
  }
}

TEST_CASE("after SIGKILL what was synced is there, and the branch can be mounted again (P8)", "[mount]") {
  const Place place;
  {
    Mount mount(place.store, place.point, "main");
    REQUIRE(mount.mounted());
    put(place.point + "/f", std::string(50000, 's'), true);
    mount.kill(SIGKILL);
    mount.wait();
  }
  struct ::stat st {};
  CHECK(::stat(place.point.c_str(), &st) == -1);
  const bool dead = errno == ENOTCONN || errno == ECONNABORTED;  // the latter in the moment of the abort, over io_uring
  CHECK(dead);
  const Ran refused = run(command(place, "branch=main"));
  CHECK(refused.code == 5);
  CHECK(refused.err.find("umount -l") != std::string::npos);
  REQUIRE(::umount2(place.point.c_str(), MNT_DETACH) == 0);
  Mount mount(place.store, place.point, "main");
  REQUIRE(mount.mounted());
  CHECK((get(place.point + "/f") == std::string(50000, 's')));
}

TEST_CASE("a second writer is refused with the first one's name, exit 5 (P9)", "[mount]") {
  const Place place;
  const Mount mount(place.store, place.point, "main");
  REQUIRE(mount.mounted());
  const std::string other = place.dir + "/other";
  REQUIRE(::mkdir(other.c_str(), 0755) == 0);
  const Ran ran = run({mount_program(), place.store, other, "-o", "branch=main"});
  CHECK(ran.code == 5);
  CHECK(ran.err.find(std::to_string(mount.pid())) != std::string::npos);
  CHECK(ran.err.find(place.point) != std::string::npos);
  CHECK(ran.err.find('\n') == ran.err.size() - 1);
  CHECK_FALSE(is_mounted(other));
}

TEST_CASE("it goes to the background only when the mount is usable", "[mount]") {
  const Place place;
  const Ran ran = run(command(place, "branch=main,rw,_netdev,nofail,x-systemd.automount,noatime"));
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  CHECK(is_mounted(place.point));
  put(place.point + "/f", "x");
  const ::pid_t pid = daemon_pid(place);
  CHECK(get("/proc/" + std::to_string(pid) + "/stat")
            .find(" " + std::to_string(pid) + " " + std::to_string(pid)) !=
        std::string::npos);  // a session of its own
  CHECK(call(place, {{"op", "sync"}})["ok"] == true);
  CHECK(call(place, {{"op", "flush"}})["ok"] == true);
  CHECK(call(place, {{"op", "unmount"}})["ok"] == true);
  CHECK(eventually([&] { return ::kill(pid, 0) != 0; }));
  CHECK_FALSE(is_mounted(place.point));
  CHECK(get(place.store + "/branches/main/log").find("unmounted") != std::string::npos);
  struct ::stat st {};
  CHECK(::lstat((place.store + "/branches/main/control").c_str(), &st) == -1);
}

TEST_CASE("wrong uses give their exit code and one line", "[mount]") {
  const Place place;
  const std::string full = place.dir + "/full";
  REQUIRE(::mkdir(full.c_str(), 0755) == 0);
  put(full + "/file", "x");
  struct Case {
    std::vector<std::string> arguments;
    int code;
    std::string says;
  };
  const std::vector<Case> cases = {
      {{place.store, place.point, "-o", "branch=none"}, 3, "no branch \"none\""},
      {{place.dir + "/nowhere", place.point, "-o", "branch=main"}, 3, "store"},
      {{full, place.point, "-o", "branch=main"}, 3, ""},
      {{place.store, place.dir + "/missing", "-o", "branch=main"}, 1, "does not exist (mkdir"},
      {{place.store, full + "/file", "-o", "branch=main"}, 1, "not a directory"},
      {{place.store, full, "-o", "branch=main"}, 6, "not empty"},
      {{place.store, place.dir, "-o", "branch=main"}, 6, "hide the store"},
      {{place.store, place.point, "-o", "branch=../main"}, 2, ""},
      {{place.store, place.point, "-o", "branch=main,frobnicate"}, 2, "frobnicate"},
      {{place.store, place.point}, 2, "no branch named"},
      {{place.store}, 2, "MOUNTPOINT"},
  };
  for (const Case& c : cases) {
    std::vector<std::string> argv = {mount_program()};
    argv.insert(argv.end(), c.arguments.begin(), c.arguments.end());
    const Ran ran = run(argv);
    INFO(c.says << " → " << ran.err);
    CHECK(ran.code == c.code);
    CHECK(ran.err.starts_with("branchfs: cannot mount"));
    CHECK(ran.err.find(c.says) != std::string::npos);
    CHECK(ran.err.find('\n') == ran.err.size() - 1);
  }
  CHECK_FALSE(is_mounted(place.point));
}

TEST_CASE("a comma in the store's path is no option", "[mount]") {
  const Place place;
  const std::string tricky = place.dir + "/a,suid,dev\\,b c";
  REQUIRE(::rename(place.store.c_str(), tricky.c_str()) == 0);
  Mount mount(tricky, place.point, "main");
  REQUIRE(mount.mounted());
  const auto entry = mounted_at(place.point);
  REQUIRE((entry.ok() && entry->has_value()));
  CHECK((*entry)->source == tricky + ":main");
  CHECK(get("/proc/self/mounts").find(" " + place.point + " fuse.branchfs rw,nosuid,nodev") !=
        std::string::npos);
}

TEST_CASE("the daemon freezes a live branch for its child (P1, P4)", "[mount]") {
  const Place place;
  Mount mount(place.store, place.point, "main");
  REQUIRE(mount.mounted());
  put(place.point + "/f", std::string(20000, 'a'));
  const auto store = Store::open(posix_env(), place.store);
  REQUIRE(store.ok());
  const auto child = create_branch(**store, "child", "main", {});
  INFO((child ? "" : child.error().what));
  REQUIRE(child.ok());
  put(place.point + "/f", std::string(20000, 'b'));
  const std::string point = place.dir + "/child";
  REQUIRE(::mkdir(point.c_str(), 0755) == 0);
  const Mount child_mount(place.store, point, "child");
  REQUIRE(child_mount.mounted());
  CHECK((get(point + "/f") == std::string(20000, 'a')));
  CHECK((get(place.point + "/f") == std::string(20000, 'b')));
  CHECK(call(place, {{"op", "status"}})["freeze"]["count"] == 1);
  // Its directory may be called something else when the mount ends.
  REQUIRE(rename_branch(**store, "main", "trunk").ok());
  CHECK(clean_exit(mount.umount()));
  struct ::stat st {};
  CHECK(::lstat((place.store + "/branches/trunk/manifest").c_str(), &st) == 0);
  CHECK(::lstat((place.store + "/branches/trunk/control").c_str(), &st) == -1);
}

TEST_CASE("an ordinary user mounts, works and unmounts", "[mount]") {
  const Place place(kNobody);
  {
    Mount mount(place.store, place.point, "main", "", kNobody);
    REQUIRE(mount.mounted());
    const auto works = [](const std::string& point) {
      struct ::stat st {};
      const int fd = ::open((point + "/f").c_str(), O_CREAT | O_RDWR, 0600);
      return fd >= 0 && ::write(fd, "mine", 4) == 4 && ::stat(point.c_str(), &st) == 0 &&
             st.st_uid == ::getuid() && ::fstat(fd, &st) == 0 && st.st_uid == ::getuid();
    };
    CHECK(as_user(kNobody, kNobody, works, place.point));
    mount.kill(SIGTERM);
    CHECK(clean_exit(mount.wait()));
    CHECK_FALSE(is_mounted(place.point));
  }
  Mount mount(place.store, place.point, "main", "", kNobody);
  REQUIRE(mount.mounted());
  // The daemon's own first look at the mount may keep it busy for a moment.
  CHECK(eventually([&] { return run({"/usr/bin/fusermount3", "-u", place.point}, kNobody).code == 0; }));
  CHECK(clean_exit(mount.wait()));
  if (get("/etc/fuse.conf").find("\nuser_allow_other") == std::string::npos) {
    const Ran refused = run(command(place, "branch=main,allow_other"), kNobody);
    CHECK(refused.code == 6);
    CHECK(refused.err.find("user_allow_other") != std::string::npos);
  }
}
