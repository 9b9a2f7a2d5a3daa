#include "tools/pg/identity.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

namespace branchfs::pg {
namespace {

constexpr std::size_t kPasswdBuffer = 64UL << 10U;

void load_groups(Identity& who) {
  if (who.name.empty()) {
    who.groups = {who.gid};
    return;
  }
  int count = 64;
  who.groups.resize(static_cast<std::size_t>(count));
  while (getgrouplist(who.name.c_str(), who.gid, who.groups.data(), &count) < 0) {
    // On failure `count` is the number needed; libcs that leave it alone get twice the room.
    const auto needed = static_cast<std::size_t>(count);
    who.groups.resize(needed > who.groups.size() ? needed : who.groups.size() * 2);
    count = static_cast<int>(who.groups.size());
  }
  who.groups.resize(static_cast<std::size_t>(count));
}

Identity from_entry(const struct passwd& entry) {
  Identity who{entry.pw_uid, entry.pw_gid, entry.pw_name, entry.pw_dir, {}};
  load_groups(who);
  return who;
}

}  // namespace

Result<Identity> identity_of(uid_t uid) {
  struct passwd entry {};
  struct passwd* found = nullptr;
  std::string buffer(kPasswdBuffer, '\0');
  const int err = getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
  if (found != nullptr) return from_entry(entry);
  if (err != 0 && err != ENOENT && err != ESRCH) return sys_error(fmt::format("look up user {}", uid), err);
  // Containers run under numeric ids without a name: the group is then the process's, or the id itself.
  Identity who;
  who.uid = uid;
  who.gid = uid == geteuid() ? getegid() : static_cast<gid_t>(uid);
  who.home = "/";
  load_groups(who);
  return who;
}

Result<Identity> identity_named(const std::string& name) {
  struct passwd entry {};
  struct passwd* found = nullptr;
  std::string buffer(kPasswdBuffer, '\0');
  getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return make_error(Kind::failed, fmt::format("user {} does not exist", name));
  return from_entry(entry);
}

Result<Identity> current_identity() { return identity_of(geteuid()); }

Result<Identity> owner_identity(const std::string& dir) {
  struct ::stat st {};
  if (::stat(dir.c_str(), &st) != 0) return sys_error("stat " + dir);
  if (geteuid() != 0) {
    if (st.st_uid != geteuid()) {
      return make_error(Kind::refused, fmt::format("{} belongs to user {}, not to you", dir, st.st_uid),
                        "run this as its owner or as root");
    }
    return current_identity();
  }
  if (st.st_uid == 0) {
    return make_error(Kind::refused,
                      fmt::format("{} belongs to root, and PostgreSQL refuses to run as root", dir),
                      "name an ordinary user with --user, such as postgres");
  }
  auto who = identity_of(st.st_uid);
  if (who && who->name.empty()) who->gid = st.st_gid, who->groups = {st.st_gid};
  return who;
}

ActAs::ActAs(const Identity& who) {
  if (geteuid() != 0 || who.uid == 0) return;
  setfsgid(who.gid);
  setfsuid(who.uid);
  active_ = true;
}

ActAs::~ActAs() {
  if (!active_) return;
  setfsuid(geteuid());
  setfsgid(getegid());
}

Status check_reachable(const std::string& path, const Identity& who) {
  const ActAs as(who);
  std::size_t slash = 0;
  while (slash != std::string::npos) {
    slash = path.find('/', slash + 1);
    const std::string part = path.substr(0, slash);
    // Opening "DIR/." needs search permission on DIR and nothing else.
    const int fd = ::open((part + "/.").c_str(), O_PATH | O_CLOEXEC);
    if (fd < 0) {
      if (errno != EACCES) return sys_error("enter " + part);
      return make_error(Kind::failed,
                        fmt::format("user {} may not enter {}",
                                    who.name.empty() ? std::to_string(who.uid) : who.name, part),
                        fmt::format("chmod o+x {}, or choose a place outside it", part));
    }
    ::close(fd);
  }
  return {};
}

}  // namespace branchfs::pg
