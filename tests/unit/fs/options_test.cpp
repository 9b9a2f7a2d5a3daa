#include "fs/options.h"

#include "tests/catch.h"

using namespace branchfs;

namespace {

MountOptions parsed(const std::vector<std::string>& args) {
  const auto options = parse_mount_options(args);
  INFO((options ? "" : options.error().what));
  REQUIRE(options.ok());
  return *options;
}

void check_refused(const std::vector<std::string>& args, const std::string& says) {
  const auto options = parse_mount_options(args);
  INFO(says);
  REQUIRE_FALSE(options.ok());
  CHECK(options.error().kind == Kind::usage);
  CHECK(options.error().what.find(says) != std::string::npos);
}

}  // namespace

TEST_CASE("as mount(8) calls it") {
  const auto o =
      parsed({"/s", "/m", "-sn", "-v", "-o", "rw,branch=dev/1,uid=7,gid=8,x-systemd.automount,bogus"});
  CHECK(o.store == "/s");
  CHECK(o.mountpoint == "/m");
  CHECK(o.branch == "dev/1");
  CHECK(o.uid == 7U);
  CHECK(o.gid == 8U);
  CHECK(o.verbose);
  CHECK_FALSE(o.read_only);
  CHECK_FALSE(o.allow_other);
  CHECK_FALSE(o.foreground);
}

TEST_CASE("flags in any order, values attached or apart") {
  const auto o = parsed(
      {"-obranch=b,ro", "-o", "foreground,allow_other,nonempty,log=/l", "-t", "branchfs", "--", "s", "-m"});
  CHECK(o.branch == "b");
  CHECK(o.read_only);
  CHECK(o.foreground);
  CHECK(o.allow_other);
  CHECK(o.nonempty);
  CHECK(o.log == "/l");
  CHECK(o.mountpoint == "-m");
  CHECK(parsed({"s", "m", "-fo", "branch=b"}).fake);
}

TEST_CASE("the later of two opposites holds") {
  CHECK_FALSE(parsed({"s", "m", "-o", "branch=b,ro,rw"}).read_only);
  CHECK(parsed({"s", "m", "-o", "branch=b,suid"}).suid);
  CHECK_FALSE(parsed({"s", "m", "-o", "branch=b,suid,nosuid"}).suid);
  CHECK(parsed({"s", "m", "-o", "branch=b,branch=c"}).branch == "c");
}

TEST_CASE("fstab's generic options are accepted; some reach the kernel") {
  const auto o =
      parsed({"s", "m", "-o",
              "branch=b,defaults,auto,noauto,user,users,owner,_netdev,nofail,exec,nodev,relatime,noexec,"
              "noatime,comment=x,X-mount.mkdir,,"});
  CHECK(o.kernel_flags == std::vector<std::string>{"noexec", "noatime"});
}

TEST_CASE("what libfuse would take as an option of its own is unknown here") {
  for (const char* option :
       {"fsname=x", "subtype=x", "max_read=1", "allow_root", "auto_unmount", "context=x", "blkdev"}) {
    check_refused({"s", "m", "-o", std::string("branch=b,") + option}, option);
  }
}

TEST_CASE("wrong command lines") {
  check_refused({}, "STORE and MOUNTPOINT");
  check_refused({"s", "-o", "branch=b"}, "STORE and MOUNTPOINT");
  check_refused({"s", "m", "x", "-o", "branch=b"}, "STORE and MOUNTPOINT");
  check_refused({"", "m", "-o", "branch=b"}, "cannot be empty");
  check_refused({"s", "m"}, "no branch named");
  check_refused({"s", "m", "-o"}, "-o needs a value");
  check_refused({"s", "m", "-x", "-o", "branch=b"}, "unknown option -x");
  check_refused({"s", "m", "--frob"}, "unknown option --frob");
  check_refused({"s", "m", "-o", "branch="}, "branch needs a value");
  check_refused({"s", "m", "-o", "branch=b,uid=nobody-of-that-name"}, "no such user");
  check_refused({"s", "m", "-o", "branch=b,uid=4294967295"}, "no such user");
  check_refused({"s", "m", "-o", "branch=b,gid=-1"}, "no such group");
}

TEST_CASE("names of users and groups") {
  CHECK(parsed({"s", "m", "-o", "branch=b,uid=root,gid=root"}).uid == 0U);
}

TEST_CASE("help and version need nothing else") {
  CHECK(parsed({"--help"}).help);
  CHECK(parsed({"-V"}).version);
}
