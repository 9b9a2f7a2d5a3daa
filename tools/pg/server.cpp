#include "tools/pg/server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <thread>

#include "layers/base/checksum.h"
#include "tools/pg/process.h"
#include "tools/pg/text.h"

namespace branchfs::pg {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int kFirstPort = 20000;
constexpr int kLastPort = 32000;  // outgoing connections use 32768 and up
constexpr milliseconds kImmediatePatience(10'000);
constexpr off_t kLogLimit = 16L << 20U;

bool process_alive(pid_t pid) {
  if (kill(pid, 0) != 0 && errno == ESRCH) return false;
  auto stat = read_file(fmt::format("/proc/{}/stat", pid), 4096);
  if (!stat) return false;
  // Where nobody reaps (containers without an init), a dead server stays a zombie.
  const std::size_t at = stat->rfind(") ");
  return at == std::string::npos || (stat->compare(at, 3, ") Z") != 0 && stat->compare(at, 3, ") X") != 0);
}

bool wait_for_end(pid_t pid, milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  milliseconds pause(2);
  while (process_alive(pid)) {
    if (Clock::now() >= deadline) return false;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, milliseconds(50));
  }
  return true;
}

// Refers to one process even when its number is used again.
class ProcessHandle {
 public:
  explicit ProcessHandle(pid_t pid) : pid_(pid), fd_(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))) {}
  ~ProcessHandle() {
    if (fd_ >= 0) ::close(fd_);
  }
  ProcessHandle(const ProcessHandle&) = delete;
  ProcessHandle& operator=(const ProcessHandle&) = delete;
  Status signal(int number) const {
    const bool sent =
        fd_ >= 0 ? syscall(SYS_pidfd_send_signal, fd_, number, nullptr, 0) == 0 : kill(pid_, number) == 0;
    if (!sent && errno != ESRCH) return sys_error(fmt::format("signal process {}", pid_));
    return {};
  }

 private:
  pid_t pid_;
  int fd_;
};

bool can_listen(int family, const void* address, socklen_t size) {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno == EAFNOSUPPORT;  // a machine without IPv6 has no conflict there
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const bool good = (::bind(fd, static_cast<const sockaddr*>(address), size) == 0 && ::listen(fd, 1) == 0) ||
                    errno == EADDRNOTAVAIL;
  ::close(fd);
  return good;
}

// A directory of exactly this owner and nobody else's access; created when missing.
Status make_private_dir(const std::string& path, const Identity& user) {
  const bool made = ::mkdir(path.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) return sys_error("create " + path);
  if (made && geteuid() == 0 && ::lchown(path.c_str(), user.uid, user.gid) != 0)
    return sys_error("chown " + path);
  struct ::stat st {};
  if (::lstat(path.c_str(), &st) != 0) return sys_error("stat " + path);
  if (!S_ISDIR(st.st_mode) || st.st_uid != user.uid) {
    return make_error(Kind::refused, fmt::format("{} is not a directory of user {}", path, user.uid),
                      "remove it");
  }
  if ((st.st_mode & 0077U) != 0 && ::chmod(path.c_str(), 0700) != 0) return sys_error("chmod " + path);
  return {};
}

std::string short_base(const Identity& user) {
  if (geteuid() == 0) return "/run/branchfs";
  const std::string session = fmt::format("/run/user/{}", user.uid);
  struct ::stat st {};
  const bool has_session = ::stat(session.c_str(), &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == user.uid;
  return has_session ? session + "/branchfs" : fmt::format("/tmp/branchfs-{}", user.uid);
}

Status make_short_base(const std::string& base, const Identity& user) {
  // Root's lies in /run, where only root writes; a user's may lie in /tmp, where anybody could have made it
  // first.
  return geteuid() == 0 ? make_dirs(base, 0755) : make_private_dir(base, user);
}

off_t file_size(const std::string& path) {
  struct ::stat st {};
  return ::stat(path.c_str(), &st) == 0 ? st.st_size : 0;
}

void rotate_log(const std::string& path) {
  if (file_size(path) > kLogLimit) ::rename(path.c_str(), (path + ".1").c_str());
}

std::string log_since(const std::string& path, off_t offset) {
  auto text = read_file(path, static_cast<std::size_t>(kLogLimit) * 4);
  if (!text || text->size() < static_cast<std::size_t>(offset)) return {};
  return text->substr(static_cast<std::size_t>(offset));
}

Command server_command(const ServerSpec& spec) {
  Command command;
  command.argv = {spec.installation.program("postgres"),
                  "-D",
                  spec.data_dir,
                  "-c",
                  fmt::format("port={}", spec.port),
                  "-c",
                  "unix_socket_directories=" + spec.runtime_dir};
  for (const auto& [name, value] : spec.settings) {
    command.argv.emplace_back("-c");
    command.argv.push_back(name + "=" + value);
  }
  // PGDATA and friends would change what it serves, NOTIFY_SOCKET is our caller's service manager.
  command.unset = {"PG*", "LISTEN_*", "NOTIFY_SOCKET"};
  if (!spec.user.home.empty()) command.env.emplace_back("HOME", spec.user.home);
  if (!spec.user.name.empty()) command.env.emplace_back("USER", spec.user.name);
  command.cwd = "/";
  command.user = spec.user;
  return command;
}

Status check_startable(const ServerSpec& spec) {
  if (spec.user.uid == 0) {
    return make_error(Kind::refused, "PostgreSQL refuses to run as root",
                      "name an ordinary user with --user");
  }
  if (spec.runtime_dir.size() > kLongestSocketDir) {
    return make_error(Kind::failed, fmt::format("{} is too long for a socket", spec.runtime_dir));
  }
  BFS_ASSIGN(const auto pid_file, read_pid_file(spec.data_dir));
  const Life life = find_life(spec.data_dir, pid_file);
  if (life == Life::running || life == Life::unclear) {
    return make_error(Kind::busy,
                      fmt::format("a server already runs on {} (pid {})", spec.data_dir, pid_file->pid));
  }
  BFS_TRY(check_reachable(spec.data_dir, spec.user));
  if (!port_is_free(spec.port)) {
    return make_error(Kind::busy, fmt::format("port {} is taken by another program", spec.port),
                      "stop it, or give the branch another port");
  }
  if (life != Life::stale) return {};
  // Postgres would take the pid of the branch's parent, or a reused one, for a live server on this directory.
  const ActAs as(spec.user);
  const std::string path = spec.data_dir + "/postmaster.pid";
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return sys_error("remove " + path);
  return {};
}

// It may not have written its postmaster.pid yet, so it goes by its number. There is nothing to save: it has served nobody.
Status end_starting(pid_t pid) {
  const ProcessHandle server(pid);
  for (const int number : {SIGQUIT, SIGKILL}) {
    BFS_TRY(server.signal(number));
    if (wait_for_end(pid, kImmediatePatience)) return {};
  }
  return make_error(Kind::failed, fmt::format("server process {} does not end", pid));
}

}  // namespace

std::string_view to_string(ServerState state) {
  switch (state) {
    case ServerState::stopped:
      return "stopped";
    case ServerState::starting:
      return "starting";
    case ServerState::running:
      return "running";
    case ServerState::stopping:
      return "stopping";
    case ServerState::crashed:
      return "crashed";
    case ServerState::unclear:
      return "unclear";
  }
  return "unclear";
}

ServerStatus server_status(const std::string& data_dir) {
  ServerStatus status;
  auto pid_file = read_pid_file(data_dir);
  if (!pid_file) {
    status.state = ServerState::unclear;
    return status;
  }
  const Life life = find_life(data_dir, *pid_file);
  if (life == Life::none) return status;
  const PidFile& file = **pid_file;
  if (life == Life::stale) {
    // A file that names another directory was copied from there: this one never ran.
    struct ::stat here {};
    struct ::stat there {};
    const bool own = ::stat(data_dir.c_str(), &here) == 0 && ::stat(file.data_dir.c_str(), &there) == 0 &&
                     here.st_ino == there.st_ino && here.st_dev == there.st_dev;
    status.state = own ? ServerState::crashed : ServerState::stopped;
    return status;
  }
  status.pid = file.pid;
  status.port = file.port;
  status.socket_dir = file.socket_dir;
  status.started = file.started;
  status.state = life == Life::unclear                                          ? ServerState::unclear
                 : file.status == "stopping"                                    ? ServerState::stopping
                 : file.status.starts_with("ready") || file.status == "standby" ? ServerState::running
                                                                                : ServerState::starting;
  return status;
}

Result<pid_t> start_server(const ServerSpec& spec) {
  BFS_TRY(check_startable(spec));
  const std::string log = log_path(spec.runtime_dir);
  rotate_log(log);
  const off_t log_start = file_size(log);
  BFS_ASSIGN(const pid_t pid, start_daemon(server_command(spec), log));
  const auto deadline = Clock::now() + spec.timeout;
  milliseconds pause(2);
  while (true) {
    auto file = read_pid_file(spec.data_dir);
    if (file && *file && (*file)->pid == pid && ((*file)->status == "ready" || (*file)->status == "standby"))
      return pid;
    if (!process_alive(pid)) {
      const std::string why = relevant_lines(log_since(log, log_start));
      return make_error(Kind::failed, "the server ended: " + (why.empty() ? "it left no message" : why),
                        "see " + log);
    }
    if (spec.cancelled && spec.cancelled()) {
      BFS_TRY(end_starting(pid));
      return Error{Kind::failed, ECANCELED, "interrupted", {}};
    }
    if (Clock::now() >= deadline) break;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, milliseconds(50));
  }
  const std::string last = last_lines(log_since(log, log_start), 1);
  return make_error(Kind::failed,
                    fmt::format("the server is not ready after {} s and goes on starting ({})",
                                std::chrono::duration_cast<std::chrono::seconds>(spec.timeout).count(), last),
                    "wait and ask for its status, or stop it");
}

Status stop_server(const std::string& data_dir, StopMode mode, milliseconds patience) {
  BFS_ASSIGN(const auto pid_file, read_pid_file(data_dir));
  if (!pid_file || pid_file->pid <= 0) return {};
  const pid_t pid = pid_file->pid;
  const ProcessHandle server(pid);
  // Asked after the handle is taken: what it says is true of the process that will be signalled.
  const Life life = find_life(data_dir, pid_file);
  if (life == Life::none || life == Life::stale) return {};
  if (life == Life::unclear) {
    return make_error(Kind::refused,
                      fmt::format("process {} may be the server, but belongs to somebody else", pid),
                      "run this as its owner or as root");
  }
  if (mode == StopMode::fast) {
    BFS_TRY(server.signal(SIGINT));
    if (wait_for_end(pid, patience)) return {};
  }
  for (const int number : {SIGQUIT, SIGKILL}) {
    BFS_TRY(server.signal(number));
    if (wait_for_end(pid, kImmediatePatience)) return {};
  }
  return make_error(Kind::failed, fmt::format("server process {} does not end", pid),
                    "is the filesystem below it still answering?");
}

Result<pid_t> restart_server(const ServerSpec& spec) {
  BFS_TRY(stop_server(spec.data_dir));
  return start_server(spec);
}

std::string log_path(const std::string& runtime_dir) { return runtime_dir + "/postgres.log"; }

Result<std::string> prepare_runtime_dir(const std::string& preferred, const Identity& user) {
  const std::string base = short_base(user);
  if (preferred.size() <= kLongestSocketDir) {
    const std::string parent = parent_of(preferred);
    BFS_TRY(parent == base ? make_short_base(base, user) : make_dirs(parent, geteuid() == 0 ? 0711 : 0700));
    if (check_reachable(parent, user)) {
      BFS_TRY(make_private_dir(preferred, user));
      return preferred;
    }
  }
  BFS_TRY(make_short_base(base, user));
  const auto digest = checksum(std::as_bytes(std::span(preferred.data(), preferred.size())));
  const std::string path = fmt::format("{}/{:016x}", base, digest);
  BFS_TRY(make_private_dir(path, user));
  return path;
}

bool port_is_free(int port) {
  struct sockaddr_in v4 {};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(static_cast<std::uint16_t>(port));
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  struct sockaddr_in6 v6 {};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = v4.sin_port;
  v6.sin6_addr = IN6ADDR_LOOPBACK_INIT;
  return can_listen(AF_INET, &v4, sizeof v4) && can_listen(AF_INET6, &v6, sizeof v6);
}

Result<int> choose_port(const std::set<int>& taken, std::string_view seed) {
  constexpr int kCount = kLastPort - kFirstPort;
  const auto digest = checksum(std::as_bytes(std::span(seed.data(), seed.size())));
  const int start = static_cast<int>(digest % kCount);
  for (int step = 0; step < kCount; ++step) {
    const int port = kFirstPort + (start + step) % kCount;
    if (taken.count(port) == 0 && port_is_free(port)) return port;
  }
  return make_error(Kind::failed, fmt::format("no free port between {} and {}", kFirstPort, kLastPort));
}

std::string relevant_lines(std::string_view log) {
  constexpr std::array<std::string_view, 5> kMarks = {"FATAL:", "PANIC:", "could not bind",
                                                      "HINT:", "DETAIL:"};
  constexpr std::size_t kMost = 4;
  std::vector<std::string> chosen;
  for (const auto& line : split(log, '\n')) {
    for (const auto mark : kMarks) {
      const std::size_t at = line.find(mark);
      if (at == std::string::npos) continue;
      if (chosen.size() < kMost) chosen.emplace_back(trim(std::string_view(line).substr(at)));
      break;
    }
  }
  if (chosen.empty()) return last_lines(log, 3);
  return fmt::format("{}", fmt::join(chosen, "; "));
}

}  // namespace branchfs::pg
