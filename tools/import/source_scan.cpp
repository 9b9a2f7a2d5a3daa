#include "tools/import/source_scan.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <memory>
#include <optional>

#include "tools/import/paths.h"

namespace branchfs {
namespace {

constexpr unsigned kMaxDepth = 64;

// Directories of a cluster that administrators move to other disks.
constexpr std::array<std::string_view, 20> kOwnDirectories = {
    "base",        "global",    "pg_commit_ts", "pg_dynshmem", "pg_logical",  "pg_multixact", "pg_notify",
    "pg_replslot", "pg_serial", "pg_snapshots", "pg_stat",     "pg_stat_tmp", "pg_subtrans",  "pg_tblspc",
    "pg_twophase", "pg_wal",    "pg_xact",      "conf.d",      "pg_log",      "log"};

std::string joined(const std::string& dir, std::string_view name) {
  return dir.empty() ? std::string(name) : dir + "/" + std::string(name);
}

bool inside(const std::string& path, const std::string& dir) {
  return path.size() > dir.size() && path.compare(0, dir.size(), dir) == 0 && path[dir.size()] == '/';
}

// "../../base/5" from "a/b/link" to "base/5".
std::string relative_target(const std::string& link, const std::string& target) {
  std::string up;
  for (const char c : link) {
    if (c == '/') up += "../";
  }
  return up + target;
}

// Linked directories whose contents no branch wants: what the server empties, and logs, which clusters may
// share.
bool starts_empty(const std::string& path) {
  return path == "log" || path == "pg_log" || leave_out(path + "/x");
}

class Scanner {
 public:
  Scanner(SourceScan& scan, std::string version_dir) : scan_(scan), version_dir_(std::move(version_dir)) {}

  Status directory(const std::string& real, const std::string& path, unsigned depth);

 private:
  Status entry(const std::string& real, const std::string& path, unsigned depth);
  Status link(const std::string& real, const std::string& path, unsigned depth);
  Status tablespace(const std::string& real, const std::string& path, unsigned depth);
  Status bring_in(const std::string& real, const std::string& path, const std::string& target,
                  unsigned depth);
  void take_file(const struct ::stat& st);

  SourceScan& scan_;
  const std::string version_dir_;  // "PG_15_202209061"
};

Status check_readable(const std::string& real, int mode) {
  if (::faccessat(AT_FDCWD, real.c_str(), mode, AT_EACCESS) == 0) return {};
  return Error{Kind::failed, errno, fmt::format("{} is not readable: {}", real, std::strerror(errno)),
               "run it as the owner of the data directory, or as root"};
}

Status Scanner::directory(const std::string& real, const std::string& path, unsigned depth) {
  if (depth > kMaxDepth) return make_error(Kind::refused, fmt::format("{} is nested too deeply", real));
  BFS_TRY(check_readable(real, R_OK | X_OK));
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(real.c_str()), ::closedir);
  if (!dir) return sys_error("read directory " + real);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* item = ::readdir(dir.get())) {
    const std::string_view name = item->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return sys_error("read directory " + real);
  std::sort(names.begin(), names.end());
  for (const auto& name : names) {
    const std::string below = joined(path, name);
    if (!scan_.skips(below)) BFS_TRY(entry(real + "/" + name, below, depth));
  }
  return {};
}

Status Scanner::entry(const std::string& real, const std::string& path, unsigned depth) {
  struct ::stat st {};
  if (::lstat(real.c_str(), &st) != 0) return sys_error("look at " + real);
  if (S_ISDIR(st.st_mode)) return directory(real, path, depth + 1);
  if (S_ISLNK(st.st_mode)) return link(real, path, depth);
  if (!S_ISREG(st.st_mode)) {
    scan_.replaced.insert(path);  // sockets and fifos belong to a process, not to the data
    return {};
  }
  BFS_TRY(check_readable(real, R_OK));
  take_file(st);
  return {};
}

void Scanner::take_file(const struct ::stat& st) {
  const auto length = static_cast<std::uint64_t>(st.st_size);
  scan_.length += length;
  scan_.bytes += std::min(length, static_cast<std::uint64_t>(st.st_blocks) * 512);
}

Status Scanner::link(const std::string& real, const std::string& path, unsigned depth) {
  std::array<char, PATH_MAX> text{};
  const ssize_t length = ::readlink(real.c_str(), text.data(), text.size() - 1);
  if (length < 0) return sys_error("read the link " + real);
  const std::string said(text.data(), static_cast<std::size_t>(length));
  const bool is_tablespace = path.compare(0, 10, "pg_tblspc/") == 0 && is_number(path.substr(10));

  if (starts_empty(path)) {
    scan_.replaced.insert(path);
    scan_.grafts.push_back({path, "", true});
    return {};
  }
  std::array<char, PATH_MAX> resolved{};
  if (::realpath(real.c_str(), resolved.data()) == nullptr) {
    const bool needed = is_tablespace || std::find(kOwnDirectories.begin(), kOwnDirectories.end(), path) !=
                                             kOwnDirectories.end();
    if (needed) {
      return Error{Kind::refused, 0, fmt::format("{} leads to {}: {}", path, said, std::strerror(errno)),
                   "mount or restore what it leads to"};
    }
    scan_.replaced.insert(path);
    scan_.warnings.push_back(fmt::format("left out {}, a link to {}: {}", path, said, std::strerror(errno)));
    return {};
  }
  const std::string target(resolved.data());
  if (is_tablespace) {
    scan_.tablespaces.push_back({path.substr(10), said});
    return tablespace(target, path, depth);
  }
  if (inside(target, scan_.root)) {
    if (said[0] == '/') {
      scan_.replaced.insert(path);
      scan_.relinks[path] = relative_target(path, target.substr(scan_.root.size() + 1));
    }
    return {};
  }
  return bring_in(real, path, target, depth);
}

// pg_basebackup takes only this cluster's directory of a tablespace: another one's, of another major, may
// share it.
Status Scanner::tablespace(const std::string& target, const std::string& path, unsigned depth) {
  scan_.replaced.insert(path);
  const std::string own = target + "/" + version_dir_;
  struct ::stat st {};
  if (::lstat(own.c_str(), &st) != 0) {
    return Error{Kind::refused, errno,
                 fmt::format("tablespace {} has no {}: {}", target, version_dir_, std::strerror(errno)),
                 "mount or restore the tablespace"};
  }
  if (!S_ISDIR(st.st_mode)) return make_error(Kind::refused, own + " is not a directory");
  const std::string below = path + "/" + version_dir_;
  scan_.grafts.push_back({below, own, true});
  return directory(own, below, depth + 1);
}

Status Scanner::bring_in(const std::string& real, const std::string& path, const std::string& target,
                         unsigned depth) {
  struct ::stat st {};
  if (::stat(target.c_str(), &st) != 0) return sys_error("look at " + target);
  scan_.replaced.insert(path);
  if (S_ISREG(st.st_mode)) {
    if (::faccessat(AT_FDCWD, target.c_str(), R_OK, AT_EACCESS) != 0) {
      // Typically a TLS key of the host; a branch has a certificate of its own.
      scan_.warnings.push_back(
          fmt::format("left out {}, a link to {}: {}", path, target, std::strerror(errno)));
      return {};
    }
    scan_.grafts.push_back({path, target, false});
    take_file(st);
    return {};
  }
  const std::string_view name = std::string_view(path).substr(path.rfind('/') + 1);
  const bool known = std::find(kOwnDirectories.begin(), kOwnDirectories.end(), path) != kOwnDirectories.end();
  const bool database = path.compare(0, 5, "base/") == 0 && is_number(name);
  if (!S_ISDIR(st.st_mode) || (!known && !database)) {
    return Error{Kind::refused, 0,
                 fmt::format("{} is a link that leads outside the data directory, to {}", real, target),
                 "remove the link, or put what it leads to in its place"};
  }
  scan_.grafts.push_back({path, target, true});
  return directory(target, path, depth + 1);
}

}  // namespace

// WAL names are timeline, then position, 8 + 16 hexadecimal digits; ".partial" and history files are kept.
bool SourceScan::skips(const std::string& path) const {
  if (replaced.count(path) != 0 || leave_out(path)) return true;
  constexpr std::size_t kPrefix = 7;  // "pg_wal/"
  if (first_wal.empty() || path.size() != kPrefix + 24 || path.compare(0, kPrefix, "pg_wal/") != 0)
    return false;
  return path.find_first_not_of("0123456789ABCDEF", kPrefix) == std::string::npos &&
         path.compare(kPrefix + 8, 16, first_wal) < 0;
}

Attr attr_from(const struct ::stat& st) {
  Attr attr;
  attr.mode = st.st_mode;
  attr.uid = st.st_uid;
  attr.gid = st.st_gid;
  attr.atime = st.st_atim;
  attr.mtime = st.st_mtim;
  attr.ctime = st.st_ctim;
  return attr;
}

Result<SourceScan> scan_source(const pg::Cluster& cluster, const pg::Identity& owner) {
  SourceScan scan;
  const pg::ActAs rights(owner);
  std::array<char, PATH_MAX> resolved{};
  if (::realpath(cluster.dir.c_str(), resolved.data()) == nullptr) return sys_error("open " + cluster.dir);
  scan.root = resolved.data();
  // Recovery would turn it into symlinks to the original tablespaces.
  if (::access((scan.root + "/tablespace_map").c_str(), F_OK) == 0) {
    return make_error(Kind::refused,
                      scan.root + " is a restored backup whose tablespace_map is not applied yet",
                      "start and stop a server on it once, then import it");
  }
  if (cluster.control.cleanly_stopped() && !cluster.backup_label && cluster.control.wal_segment_size != 0) {
    const std::uint64_t segment = cluster.control.redo / cluster.control.wal_segment_size;
    const std::uint64_t per_file = (1ULL << 32U) / cluster.control.wal_segment_size;
    scan.first_wal = fmt::format("{:08X}{:08X}", segment / per_file, segment % per_file);
  }
  Scanner scanner(scan, fmt::format("PG_{}_{}", cluster.major, cluster.control.catalog_version));
  BFS_TRY(scanner.directory(scan.root, "", 0));
  return scan;
}

}  // namespace branchfs
