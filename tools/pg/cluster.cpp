#include "tools/pg/cluster.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <memory>

#include "tools/pg/binaries.h"
#include "tools/pg/conf_file.h"
#include "tools/pg/text.h"

namespace branchfs::pg {
namespace {

namespace fs = std::filesystem;

template <class T>
bool parse_number(std::string_view text, T& value) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

std::vector<std::string> list(const std::string& dir) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> handle(opendir(dir.c_str()), closedir);
  while (handle) {
    const dirent* item = readdir(handle.get());
    if (item == nullptr) break;
    const std::string name = item->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string link_target(const std::string& path) {
  std::error_code ec;
  const fs::path target = fs::read_symlink(path, ec);
  return ec ? std::string() : target.string();
}

bool is_segment_name(const std::string& name) {
  return name.size() == 24 && name.find_first_not_of("0123456789ABCDEF") == std::string::npos;
}

void read_links(Cluster& cluster) {
  for (const auto& name : list(cluster.dir + "/pg_tblspc")) {
    const std::string path = cluster.dir + "/pg_tblspc/" + name;
    cluster.tablespaces.push_back({name, link_target(path), is_directory(path)});
  }
  cluster.wal_dir = link_target(cluster.dir + "/pg_wal");
  const auto segments = list(cluster.dir + "/pg_wal");
  cluster.has_wal = std::any_of(segments.begin(), segments.end(), is_segment_name);
}

bool same_directory(const std::string& a, const std::string& b) {
  struct ::stat first {};
  struct ::stat second {};
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

// The third field of /proc/PID/stat, behind the command in brackets.
char process_state(const std::string& proc) {
  auto text = read_file(proc + "/stat", 4096);
  const std::size_t at = text ? text->rfind(") ") : std::string::npos;
  return at == std::string::npos || at + 2 >= text->size() ? '?' : (*text)[at + 2];
}

}  // namespace

Result<PidFile> parse_pid_file(std::string_view text) {
  const auto lines = split(text, '\n');
  const auto line = [&](std::size_t index) {
    return index < lines.size() ? std::string(trim(lines[index])) : std::string();
  };
  PidFile file;
  // A negative number is a standalone backend (postgres --single).
  if (!parse_number(line(0), file.pid) || file.pid == 0) {
    return make_error(Kind::failed, "postmaster.pid does not begin with a process id");
  }
  file.pid = file.pid < 0 ? -file.pid : file.pid;
  file.data_dir = line(1);
  parse_number(line(2), file.started);
  parse_number(line(3), file.port);
  file.socket_dir = line(4);
  file.listen = line(5);
  file.status = line(7);
  return file;
}

Result<std::optional<PidFile>> read_pid_file(const std::string& dir) {
  auto text = read_file(dir + "/postmaster.pid", 64UL << 10U);
  if (!text && text.error().sys == ENOENT) return std::optional<PidFile>();
  if (!text) return std::move(text).error();
  auto file = parse_pid_file(*text);
  if (!file) return std::optional<PidFile>(PidFile{});  // a torn file is a left-over one
  return std::optional<PidFile>(*std::move(file));
}

Life find_life(const std::string& dir, const std::optional<PidFile>& pid_file) {
  if (!pid_file) return Life::none;
  if (pid_file->pid <= 0) return Life::stale;
  if (kill(pid_file->pid, 0) != 0 && errno == ESRCH) return Life::stale;
  const std::string proc = fmt::format("/proc/{}", pid_file->pid);
  const char state = process_state(proc);
  if (state == 'Z' || state == 'X') return Life::stale;
  auto name = read_file(proc + "/comm", 4096);
  if (name && !trim(*name).starts_with("postgres") && !trim(*name).starts_with("postmaster"))
    return Life::stale;
  struct ::stat st {};
  if (::stat((proc + "/cwd").c_str(), &st) == 0) {
    return same_directory(proc + "/cwd", dir) ? Life::running : Life::stale;
  }
  if (errno != EACCES && errno != EPERM) return Life::stale;  // it ended meanwhile
  // Another user's server: its own words must do. A copied file names the directory it was copied from.
  return same_directory(pid_file->data_dir, dir) ? Life::running : Life::unclear;
}

Result<Cluster> read_cluster(const std::string& dir) {
  Cluster cluster;
  std::error_code ec;
  const fs::path real = fs::canonical(dir, ec);
  cluster.dir = ec ? dir : real.string();
  BFS_ASSIGN(cluster.major, read_major(cluster.dir));
  struct ::stat st {};
  if (::stat(cluster.dir.c_str(), &st) != 0) return sys_error("stat " + cluster.dir);
  cluster.uid = st.st_uid;
  cluster.gid = st.st_gid;
  cluster.mode = st.st_mode & 07777U;
  auto control = read_control_file(cluster.dir);
  if (!control) {
    Error error = std::move(control).error();
    if (error.sys == ENOENT) {
      return make_error(Kind::refused,
                        cluster.dir + " is not a complete data directory (no global/pg_control)");
    }
    if (error.sys == EACCES) error.hint = "run this as its owner or as root";
    return std::move(error).context(cluster.dir);
  }
  cluster.control = *control;
  BFS_ASSIGN(cluster.pid_file, read_pid_file(cluster.dir));
  cluster.life = find_life(cluster.dir, cluster.pid_file);
  read_links(cluster);
  cluster.standby_signal = path_exists(cluster.dir + "/standby.signal");
  cluster.recovery_signal = path_exists(cluster.dir + "/recovery.signal");
  cluster.backup_label = path_exists(cluster.dir + "/backup_label");
  cluster.has_config = path_exists(cluster.dir + "/postgresql.conf");
  return cluster;
}

Status check_importable(const Cluster& cluster) {
  const std::string& dir = cluster.dir;
  if (cluster.life == Life::running) {
    return make_error(Kind::busy,
                      fmt::format("a server is running on {} (pid {})", dir, cluster.pid_file->pid),
                      "stop it first, or import from it while it runs with --url");
  }
  if (cluster.life == Life::unclear) {
    return make_error(Kind::busy,
                      fmt::format("process {} may be a server running on {}", cluster.pid_file->pid, dir),
                      "run this as its owner or as root to find out");
  }
  if (cluster.control.cleanly_stopped()) {
    for (const auto& space : cluster.tablespaces) {
      if (space.reachable) continue;
      return make_error(
          Kind::refused,
          fmt::format("tablespace {} leads to {}, which is missing or unreadable", space.name, space.target),
          "mount it, or run this as its owner or as root");
    }
    return {};
  }
  const bool untouched_backup = cluster.backup_label && !cluster.pid_file;
  if (untouched_backup && cluster.has_wal) return {};
  if (untouched_backup) {
    return make_error(Kind::refused, fmt::format("{} is a base backup without its WAL", dir),
                      "take it with pg_basebackup -X stream, or put the archived segments into pg_wal");
  }
  const std::string_view state = to_string(cluster.control.state);
  const std::string_view elsewhere = "if it runs in a container or on another host, use --url";
  if (cluster.control.state == ClusterState::in_archive_recovery || cluster.standby_signal) {
    return make_error(Kind::refused,
                      fmt::format("{} is a standby that was not shut down (\"{}\")", dir, state),
                      fmt::format("start and stop it with pg_ctl; {}", elsewhere));
  }
  return make_error(Kind::refused, fmt::format("{} was not shut down cleanly (\"{}\")", dir, state),
                    fmt::format("start it and stop it with pg_ctl -m fast; {}", elsewhere));
}

std::string find_config_dir(const std::string& dir, const std::string& root) {
  for (const auto& version : list(root)) {
    for (const auto& name : list(root + "/" + version)) {
      const std::string candidate = root + "/" + version + "/" + name;
      auto text = read_file(candidate + "/postgresql.conf");
      if (!text) continue;
      std::string data_directory;
      for (const auto& line : parse_conf(*text)) {
        if (line.kind == ConfLine::Kind::setting && line.name == "data_directory")
          data_directory = line.value;
      }
      if (!data_directory.empty() && same_directory(data_directory, dir)) return candidate;
    }
  }
  return {};
}

}  // namespace branchfs::pg
