#include "tools/lifecycle/paused_server.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <filesystem>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "tools/pg/text.h"

namespace branchfs {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;
constexpr auto kPatience = 10s;  // one that waits for a disk stops when it has been served

std::vector<::pid_t> processes_in(const std::string& dir) {
  std::vector<::pid_t> found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename();
    if (!std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c) != 0; })) continue;
    std::array<char, 4096> cwd{};
    const ::ssize_t length = ::readlink((entry.path() / "cwd").c_str(), cwd.data(), cwd.size());
    if (length <= 0 || std::string_view(cwd.data(), static_cast<std::size_t>(length)) != dir) continue;
    found.push_back(static_cast<::pid_t>(std::stol(name)));
  }
  return found;
}

// The letter of /proc/PID/stat, behind the name in parentheses; 'X' when there is no such process.
char state_of(::pid_t pid) {
  const auto text = pg::read_file(fmt::format("/proc/{}/stat", pid), 4096);
  if (!text) return 'X';
  const auto end = text->rfind(')');
  return end == std::string::npos || end + 2 >= text->size() ? 'X' : (*text)[end + 2];
}

bool is_still(::pid_t pid) {
  const char state = state_of(pid);
  return state == 'T' || state == 't' || state == 'Z' || state == 'X';
}

}  // namespace

Result<PausedServer> PausedServer::pause(const std::string& data_dir) {
  PausedServer paused;
  BFS_TRY(paused.hand_to_guard());
  BFS_TRY(paused.stop_all(data_dir));
  return paused;
}

PausedServer::PausedServer(PausedServer&& other) noexcept
    : stopped_(std::exchange(other.stopped_, {})),
      guard_(std::exchange(other.guard_, -1)),
      guard_pipe_(std::exchange(other.guard_pipe_, -1)) {}

PausedServer& PausedServer::operator=(PausedServer&& other) noexcept {
  std::swap(stopped_, other.stopped_);
  std::swap(guard_, other.guard_);
  std::swap(guard_pipe_, other.guard_pipe_);
  return *this;
}

PausedServer::~PausedServer() {
  for (const ::pid_t pid : stopped_) ::kill(pid, SIGCONT);
  if (guard_pipe_ >= 0) ::close(guard_pipe_);
  if (guard_ > 0) ::waitpid(guard_, nullptr, 0);
}

// The guard reads the pids of what was stopped until the pipe is closed, by us or by our end.
Status PausedServer::hand_to_guard() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return sys_error("make a pipe");
  guard_ = ::fork();
  if (guard_ < 0) {
    const int err = errno;
    ::close(ends[0]);
    ::close(ends[1]);
    return sys_error("fork", err);
  }
  if (guard_ == 0) {
    // A signal that ends the whole group (Ctrl-C) must not end the one that cleans up.
    ::setsid();
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::signal(number, SIG_IGN);
    ::close(ends[1]);
    static std::array<::pid_t, 8192> pids;
    std::size_t count = 0;
    ::pid_t pid = 0;
    for (;;) {
      const ::ssize_t got = ::read(ends[0], &pid, sizeof pid);
      if (got < 0 && errno == EINTR) continue;
      if (got != static_cast<::ssize_t>(sizeof pid)) break;
      if (count < pids.size()) pids[count++] = pid;
    }
    for (std::size_t i = 0; i < count; ++i) ::kill(pids[i], SIGCONT);
    ::_exit(0);
  }
  ::close(ends[0]);
  guard_pipe_ = ends[1];
  return {};
}

Status PausedServer::stop_all(const std::string& data_dir) {
  const auto deadline = Clock::now() + kPatience;
  for (;;) {
    // One that was not there a moment ago was started by another that is still now: twice nothing new means nobody is left.
    bool fresh = false;
    for (const ::pid_t pid : processes_in(data_dir)) {
      if (std::find(stopped_.begin(), stopped_.end(), pid) != stopped_.end()) continue;
      fresh = true;
      // The guard hears of it first: nothing is stopped that nobody would let go on.
      if (::write(guard_pipe_, &pid, sizeof pid) != static_cast<::ssize_t>(sizeof pid)) return sys_error("write to the guard");
      if (::kill(pid, SIGSTOP) != 0 && errno != ESRCH) return sys_error(fmt::format("stop process {}", pid));
      stopped_.push_back(pid);
    }
    if (!fresh && std::all_of(stopped_.begin(), stopped_.end(), is_still)) return {};
    if (Clock::now() > deadline) return make_error(Kind::failed, "a process of the server does not stop", "try again");
    std::this_thread::sleep_for(1ms);
  }
}

}  // namespace branchfs
