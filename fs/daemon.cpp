#include "fs/daemon.h"

#include <fcntl.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>

namespace branchfs {
namespace {

constexpr ::off_t kMaxLogSize = 1 << 20;

bool log_is_file = false;  // until then stderr is the user's terminal

// What the child tells: one byte (0: ready, else the exit code), then the line to print.
[[noreturn]] void wait_as_parent(int pipe, ::pid_t child) {
  std::string message;
  std::array<char, 512> chunk{};
  for (;;) {
    const ::ssize_t n = ::read(pipe, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    message.append(chunk.data(), static_cast<std::size_t>(n));
    if (message[0] == '\0') ::_exit(0);
  }
  if (!message.empty()) {
    std::fputs(message.c_str() + 1, stderr);
    std::fflush(stderr);
    ::_exit(message[0]);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  std::fprintf(stderr, "branchfs: cannot mount: the mount's process died (%s %d)\n",
               WIFSIGNALED(status) ? "signal" : "exit status",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  ::_exit(1);
}

Status write_all(int fd, const std::string& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ::ssize_t n = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (n >= 0) {
      done += static_cast<std::size_t>(n);
    } else if (errno != EINTR) {
      return sys_error("report to the waiting command");
    }
  }
  return {};
}

}  // namespace

std::string error_line(const std::string& verb_phrase, const Error& error) {
  std::string line = "branchfs: cannot " + verb_phrase + ": " + error.what;
  if (const std::string hint = hint_of(error); !hint.empty()) line += " (" + hint + ")";
  for (char& c : line) {
    if (c == '\n') c = ' ';
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';  // a name must not command the terminal
  }
  return line + "\n";
}

Daemon::Daemon(bool foreground)
    : foreground_(foreground), terminal_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)) {}

Daemon::~Daemon() {
  if (terminal_ >= 0) ::close(terminal_);
}

Status Daemon::start() {
  if (foreground_) return {};
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return sys_error("make a pipe");
  const ::pid_t child = ::fork();
  if (child < 0) return sys_error("start the mount's process");
  if (child > 0) {
    ::close(ends[1]);
    wait_as_parent(ends[0], child);
  }
  ::close(ends[0]);
  pipe_ = ends[1];
  ::setsid();
  if (::chdir("/") != 0) return sys_error("change to /");
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return sys_error("open /dev/null");
  // stderr stays until the log is open: what goes wrong before can only be seen there.
  ::dup2(null, STDIN_FILENO);
  ::dup2(null, STDOUT_FILENO);
  ::close(null);
  ::close(terminal_);
  terminal_ = -1;
  return {};
}

bool Daemon::ready() {
  if (foreground_) return true;
  const bool heard = write_all(pipe_, std::string(1, '\0')).ok();
  ::close(pipe_);
  pipe_ = -1;
  return heard;
}

int Daemon::failed(const std::string& verb_phrase, const Error& error) {
  const std::string line = error_line(verb_phrase, error);
  const int code = static_cast<int>(error.kind);
  // Nobody may be listening any more (the waiting command was killed, the terminal is gone): the log has it.
  if (pipe_ >= 0) {
    ignore(write_all(pipe_, static_cast<char>(code) + line));
    ::close(pipe_);
    pipe_ = -1;
  } else if (terminal_ >= 0) {  // foreground, or not yet in the background
    ignore(write_all(terminal_, line));
  }
  if (log_is_file) spdlog::error("{}", line.substr(0, line.size() - 1));
  return code;
}

void log_to_stderr(bool verbose) {
  auto logger =
      std::make_shared<spdlog::logger>("branchfs", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z [%P] %l: %v");
  logger->set_level(verbose ? spdlog::level::debug : spdlog::level::info);
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

Status log_to_file(const std::string& path, bool verbose) {
  // A root daemon may serve another user's store: that user must not be able to point its log elsewhere.
  // O_NONBLOCK: not to wait for a fifo's reader.
  const int flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  const int fd = ::open(path.c_str(), flags, 0600);
  if (fd < 0) return sys_error("open the log " + path);
  struct ::stat st {};
  if (::fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1) {
    ::close(fd);
    return make_error(Kind::refused, "the log " + path + " is not an ordinary file of its own");
  }
  if (st.st_size > kMaxLogSize && ::ftruncate(fd, 0) != 0) spdlog::warn("cannot shorten {}", path);
  ::dup2(fd, STDOUT_FILENO);
  ::dup2(fd, STDERR_FILENO);
  ::close(fd);
  log_is_file = true;
  log_to_stderr(verbose);
  return {};
}

}  // namespace branchfs
