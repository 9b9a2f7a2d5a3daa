#include "fs/options.h"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace branchfs {
namespace {

using namespace std::string_view_literals;

// Meant for mount(8), systemd or fstab, or what FUSE does anyway.
constexpr std::array kIgnored = {
    "defaults"sv,   "auto"sv,          "noauto"sv,
    "user"sv,       "nouser"sv,        "users"sv,
    "owner"sv,      "group"sv,         "_netdev"sv,
    "nofail"sv,     "exec"sv,          "async"sv,
    "atime"sv,      "diratime"sv,      "relatime"sv,
    "norelatime"sv, "strictatime"sv,   "lazytime"sv,
    "nolazytime"sv, "silent"sv,        "loud"sv,
    "iversion"sv,   "noiversion"sv,    "mand"sv,
    "nomand"sv,     "nostrictatime"sv, "default_permissions"sv,
};
constexpr std::array kIgnoredPrefixes = {"x-"sv, "X-"sv, "comment="sv, "user="sv, "uhelper="sv, "helper="sv};
constexpr std::array kKernelFlags = {"noexec"sv, "sync"sv, "dirsync"sv, "noatime"sv, "nodiratime"sv};

template <class Array>
bool contains(const Array& array, std::string_view word) {
  return std::find(array.begin(), array.end(), word) != array.end();
}

bool ignored(std::string_view word) {
  return contains(kIgnored, word) || std::any_of(kIgnoredPrefixes.begin(), kIgnoredPrefixes.end(),
                                                 [&](std::string_view p) { return word.starts_with(p); });
}

Error usage_error(std::string what) {
  return make_error(Kind::usage, std::move(what), "mount.branchfs --help lists what there is");
}

std::optional<std::uint32_t> parse_id(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (err != std::errc{} || end != text.data() + text.size() || value == UINT32_MAX) return std::nullopt;
  return value;
}

Status set_uid(MountOptions* out, std::string_view text) {
  if (const auto id = parse_id(text)) {
    out->uid = *id;
  } else if (const auto* user = ::getpwnam(std::string(text).c_str())) {
    out->uid = user->pw_uid;
  } else {
    return usage_error("uid=" + std::string(text) + ": no such user");
  }
  return {};
}

Status set_gid(MountOptions* out, std::string_view text) {
  if (const auto id = parse_id(text)) {
    out->gid = *id;
  } else if (const auto* group = ::getgrnam(std::string(text).c_str())) {
    out->gid = group->gr_gid;
  } else {
    return usage_error("gid=" + std::string(text) + ": no such group");
  }
  return {};
}

struct Switch {
  std::string_view word;
  bool MountOptions::*member;
  bool value;
};
constexpr std::array kSwitches = {
    Switch{"ro", &MountOptions::read_only, true},
    Switch{"rw", &MountOptions::read_only, false},
    Switch{"foreground", &MountOptions::foreground, true},
    Switch{"allow_other", &MountOptions::allow_other, true},
    Switch{"nonempty", &MountOptions::nonempty, true},
    Switch{"writeback", &MountOptions::writeback, true},
    Switch{"writethrough", &MountOptions::writeback, false},
    Switch{"io_uring", &MountOptions::io_uring, true},
    Switch{"no_io_uring", &MountOptions::io_uring, false},
    Switch{"suid", &MountOptions::suid, true},
    Switch{"nosuid", &MountOptions::suid, false},
    Switch{"dev", &MountOptions::dev, true},
    Switch{"nodev", &MountOptions::dev, false},
};

Status apply_option(MountOptions* out, std::string_view word, bool sloppy) {
  for (const Switch& s : kSwitches) {
    if (word == s.word) {
      out->*s.member = s.value;
      return {};
    }
  }
  if (ignored(word)) return {};
  if (contains(kKernelFlags, word)) {
    out->kernel_flags.emplace_back(word);
    return {};
  }
  const auto equals = word.find('=');
  const std::string_view key = word.substr(0, equals);
  const std::string_view value = equals == std::string_view::npos ? ""sv : word.substr(equals + 1);
  const bool takes_value = key == "branch" || key == "uid" || key == "gid" || key == "log" ||
                           key == "sealed" || key == "wal";
  if (takes_value && value.empty()) return usage_error("option " + std::string(key) + " needs a value");
  if (key == "branch") {
    out->branch = value;
  } else if (key == "log") {
    out->log = value;
  } else if (key == "wal") {
    out->wal = value;
  } else if (key == "sealed") {
    out->sealed = value;
  } else if (key == "uid") {
    return set_uid(out, value);
  } else if (key == "gid") {
    return set_gid(out, value);
  } else if (!sloppy) {
    return usage_error("unknown option \"" + std::string(word) + "\"");
  }
  return {};
}

Status apply_option_list(MountOptions* out, std::string_view list, bool sloppy) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    const std::string_view word = list.substr(0, comma);
    list = comma == std::string_view::npos ? ""sv : list.substr(comma + 1);
    if (!word.empty()) BFS_TRY(apply_option(out, word, sloppy));
  }
  return {};
}

// The words of a command line: positions, option lists and one-letter flags ("-sfo opts", "-oopts").
struct Words {
  std::vector<std::string> positions;
  std::vector<std::string> option_lists;
  bool sloppy = false;
};

Status read_flags(const std::vector<std::string>& args, std::size_t* at, Words* words, MountOptions* out) {
  const std::string& arg = args[*at];
  for (std::size_t i = 1; i < arg.size(); ++i) {
    const char flag = arg[i];
    switch (flag) {
      case 's':
        words->sloppy = true;
        break;
      case 'f':
        out->fake = true;
        break;
      case 'v':
        out->verbose = true;
        break;
      case 'n':
        break;  // no mtab: there is none
      case 'r':
        out->read_only = true;
        break;
      case 'w':
        out->read_only = false;
        break;
      case 'h':
        out->help = true;
        break;
      case 'V':
        out->version = true;
        break;
      case 'o':
      case 't': {
        std::string value = arg.substr(i + 1);
        if (value.empty()) {
          if (*at + 1 >= args.size()) return usage_error(std::string("-") + flag + " needs a value");
          value = args[++*at];
        }
        if (flag == 'o') words->option_lists.push_back(std::move(value));
        return {};
      }
      default:
        return usage_error(std::string("unknown option -") + flag);
    }
  }
  return {};
}

}  // namespace

Result<MountOptions> parse_mount_options(const std::vector<std::string>& args) {
  MountOptions out;
  Words words;
  bool only_positions = false;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    if (only_positions || arg.size() < 2 || arg[0] != '-') {
      words.positions.push_back(arg);
    } else if (arg == "--") {
      only_positions = true;
    } else if (arg == "--help") {
      out.help = true;
    } else if (arg == "--version") {
      out.version = true;
    } else if (arg.starts_with("--")) {
      return usage_error("unknown option " + arg);
    } else {
      BFS_TRY(read_flags(args, &i, &words, &out));
    }
  }
  if (out.help || out.version) return out;
  for (const std::string& list : words.option_lists) BFS_TRY(apply_option_list(&out, list, words.sloppy));
  if (words.positions.size() != 2) return usage_error("expected STORE and MOUNTPOINT");
  out.store = words.positions[0];
  out.mountpoint = words.positions[1];
  if (out.store.empty() || out.mountpoint.empty()) return usage_error("STORE and MOUNTPOINT cannot be empty");
  if (out.branch.empty()) {
    return make_error(Kind::usage, "no branch named", "add -o branch=NAME; branchfs list shows the branches");
  }
  return out;
}

std::string mount_usage() {
  return "usage: mount.branchfs STORE MOUNTPOINT -o branch=NAME[,OPTION...]\n"
         "Mounts a branch of a store. Root needs nothing else; an ordinary user needs fusermount3 (package "
         "fuse3).\n"
         "  branch=NAME       the branch to mount\n"
         "  ro                mount read-only\n"
         "  allow_other       let other users in, as file permissions allow (always on for root)\n"
         "  uid=ID, gid=ID    show this owner for the owner of the branch's top directory\n"
         "                    (default: the mounting user; for root the owner as stored)\n"
         "  foreground        stay attached, log to stderr; SIGTERM or Ctrl-C unmounts\n"
         "  log=FILE          log there (default: branches/NAME/log in the store)\n"
         "  nonempty          mount over a directory that is not empty\n"
         "  writeback         let the kernel keep writes until they are synced, as other filesystems do: faster\n"
         "                    (default: writethrough, each write is the branch's at once)\n"
         "  wal=DIR           with writeback: the directory in the root that holds a write-ahead log, whose small\n"
         "                    synced writes bypass the cache (default: pg_wal)\n"
         "  no_io_uring       do not use FUSE over io_uring where kernel and libfuse have it\n"
         "  suid, dev         honour set-user-ID bits, device files (root only; off by default)\n"
         "  noexec, sync, dirsync, noatime and fstab's generic options as usual\n"
         "  -f check everything, mount nothing   -s ignore unknown options   -v log more   -n, -t TYPE "
         "ignored\n"
         "  -h, --help        this text\n"
         "  -V, --version     print the version\n"
         "umount MOUNTPOINT (or fusermount3 -u) ends it.\n"
         "Exit status: 0 mounted, 1 failed, 2 usage, 3 no such store or branch, 5 in use, 6 refused, 7 "
         "damaged.\n";
}

}  // namespace branchfs
