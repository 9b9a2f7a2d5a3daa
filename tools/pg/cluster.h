// Facts of a data directory, and whether it may be imported.
//
// Reads files only: works without PostgreSQL installed, on a mount point as on a plain directory, and never
// writes. Any thread. A live server is recognised by its process (its pid is in postmaster.pid, it is a
// postmaster and its working directory is this very directory), because a branch taken from a running parent
// carries a copy of the parent's postmaster.pid.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "tools/pg/control_file.h"

namespace branchfs::pg {

// postmaster.pid, line by line. Missing lines are empty or zero.
struct PidFile {
  pid_t pid = 0;
  std::string data_dir;
  std::int64_t started = 0;  // seconds since 1970
  int port = 0;
  std::string socket_dir;
  std::string listen;
  std::string status;  // "starting", "stopping", "ready", "standby"
};

enum class Life : std::uint8_t {
  none,     // no postmaster.pid
  running,  // a server of this machine has the directory as its working directory
  stale,    // the file is left over: no such process, or it is somebody else
  unclear,  // the process exists but may not be examined
};

struct Tablespace {
  std::string name;    // the oid, the link's name in pg_tblspc
  std::string target;  // where it leads; empty for an in-place directory
  bool reachable = false;
};

struct Cluster {
  std::string dir;
  int major = 0;
  ControlFile control;
  uid_t uid = 0;
  gid_t gid = 0;
  mode_t mode = 0;
  std::optional<PidFile> pid_file;
  Life life = Life::none;
  std::vector<Tablespace> tablespaces;
  std::string wal_dir;   // where a symlinked pg_wal leads, else empty
  bool has_wal = false;  // at least one segment in pg_wal
  bool standby_signal = false;
  bool recovery_signal = false;
  bool backup_label = false;
  bool has_config = false;  // postgresql.conf inside
};

// refused: not a data directory (or an unsupported major); not_found: no such directory; failed: unreadable;
// damaged: pg_control does not verify.
Result<Cluster> read_cluster(const std::string& dir);

// busy: a server runs on it. refused: crashed, a standby not shut down, somebody else's server may
// run on it, or a base backup without its WAL. An untouched base backup (backup_label, no postmaster.pid) and
// a cleanly stopped standby are importable.
Status check_importable(const Cluster& cluster);

Result<PidFile> parse_pid_file(std::string_view text);
// Nothing when there is no postmaster.pid.
Result<std::optional<PidFile>> read_pid_file(const std::string& dir);
Life find_life(const std::string& dir, const std::optional<PidFile>& pid_file);

// Debian keeps a cluster's configuration in /etc/postgresql/N/NAME: the one whose data_directory is `dir`, or
// empty.
std::string find_config_dir(const std::string& dir, const std::string& root = "/etc/postgresql");

}  // namespace branchfs::pg
