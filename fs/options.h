// The command line of mount.branchfs, as mount(8) and people type it.
//
// Pure: parsing touches nothing but the user database (for uid=NAME). Errors are Kind::usage with one clear
// line. Nothing typed here reaches the kernel's or fusermount3's option string except flags from a fixed
// list: a store's path or a branch's name cannot smuggle an option in.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "layers/base/result.h"

namespace branchfs {

struct MountOptions {
  std::string store;
  std::string mountpoint;
  std::string branch;
  bool read_only = false;
  bool foreground = false;
  bool allow_other = false;
  bool nonempty = false;
  bool fake = false;     // -f: check everything, mount nothing
  bool verbose = false;  // -v
  bool writeback = false;         // the kernel keeps writes for a while (fs/README.md says what that means)
  std::string wal = "pg_wal";     // with writeback: the directory in the root that holds a write-ahead log (LogFiles)
  bool io_uring = true;  // use the io_uring transport where kernel and libfuse have it
  bool suid = false;
  bool dev = false;
  bool help = false;
  bool version = false;
  std::optional<::uid_t> uid;
  std::optional<::gid_t> gid;
  std::string sealed;                     // the masking run that may see a branch which is not ready yet
  std::string log;                        // file; empty: branches/NAME/log
  std::vector<std::string> kernel_flags;  // noexec, sync, dirsync, noatime …
};

Result<MountOptions> parse_mount_options(const std::vector<std::string>& args);
std::string mount_usage();

}  // namespace branchfs
