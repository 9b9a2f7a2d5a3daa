#include "tools/pg/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <memory>

#include "tools/pg/text.h"

extern char** environ;

namespace branchfs::pg {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kGrace{2000};  // between TERM and KILL
constexpr std::size_t kErrorTail = 64UL << 10U;

enum class Mode : std::uint8_t { grouped, foreground, foreground_group, daemon };

// What the child tells over the pipe that exec closes: which step failed, or (daemon) its own pid.
enum class Step : std::int32_t { pid, session, user, directory, execute };
struct Message {
  Step step = Step::pid;
  std::int32_t value = 0;
};

// Everything the child needs, made before fork: afterwards only async-signal-safe calls are allowed.
struct Plan {
  Mode mode = Mode::grouped;
  std::string program;
  std::vector<std::string> env;
  std::vector<char*> argv_ptrs;
  std::vector<char*> env_ptrs;
  int in = -1, out = -1, err = -1;  // to become 0, 1, 2; -1 keeps the caller's
  const Identity* user = nullptr;
  const char* cwd = nullptr;
};

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// Descriptors 0..2 are about to be replaced in the child: keep ours above them.
Fd above_stdio(int fd) {
  if (fd < 0 || fd > 2) return Fd(fd);
  const int moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  ::close(fd);
  return Fd(moved);
}

Result<std::pair<Fd, Fd>> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return sys_error("make a pipe");
  Fd read_end = above_stdio(ends[0]);
  return std::pair(std::move(read_end), above_stdio(ends[1]));
}

Result<Fd> make_memory(const char* name) {
  Fd fd = above_stdio(memfd_create(name, MFD_CLOEXEC));
  if (fd.get() < 0) return sys_error("make a memory file");
  return fd;
}

Result<Fd> open_stdin(const Command& command) {
  if (command.stdin_text.empty()) {
    Fd fd = above_stdio(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (fd.get() < 0) return sys_error("open /dev/null");
    return fd;
  }
  BFS_ASSIGN(Fd fd, make_memory("branchfs-stdin"));
  if (auto done = write_all(fd.get(), command.stdin_text); !done) return std::move(done).error();
  ::lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

std::string read_memory(int fd, std::size_t limit) {
  const off_t end = ::lseek(fd, 0, SEEK_END);
  if (end <= 0) return {};
  const off_t start = std::max<off_t>(0, end - static_cast<off_t>(limit));
  std::string text(static_cast<std::size_t>(end - start), '\0');
  const ssize_t got = ::pread(fd, text.data(), text.size(), start);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

bool is_unset(const std::vector<std::string>& unset, std::string_view name) {
  return std::any_of(unset.begin(), unset.end(), [&](std::string_view pattern) {
    if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
    return pattern == name;
  });
}

std::vector<std::string> make_environment(const Command& command) {
  std::vector<std::string> result;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string_view name = text.substr(0, text.find('='));
    const bool replaced = std::any_of(command.env.begin(), command.env.end(),
                                      [&](const auto& pair) { return pair.first == name; });
    if (!replaced && !is_unset(command.unset, name)) result.emplace_back(text);
  }
  for (const auto& [name, value] : command.env) result.push_back(name + "=" + value);
  return result;
}

Result<std::unique_ptr<Plan>> make_plan(const Command& command, Mode mode) {
  if (command.argv.empty()) return make_error(Kind::usage, "no command given");
  auto plan = std::make_unique<Plan>();
  plan->mode = mode;
  const std::string& name = command.argv.front();
  plan->program = name.find('/') == std::string::npos ? find_in_path(name) : name;
  if (plan->program.empty())
    return make_error(Kind::failed, fmt::format("run {}: not found in PATH", name));
  plan->env = make_environment(command);
  for (const auto& arg : command.argv) plan->argv_ptrs.push_back(const_cast<char*>(arg.c_str()));
  plan->argv_ptrs.push_back(nullptr);
  for (auto& entry : plan->env) plan->env_ptrs.push_back(entry.data());
  plan->env_ptrs.push_back(nullptr);
  if (command.user && command.user->uid != geteuid()) plan->user = &*command.user;
  if (!command.cwd.empty()) plan->cwd = command.cwd.c_str();
  return plan;
}

// --- in the child: async-signal-safe calls only ---

[[noreturn]] void give_up(int report, Step step) {
  const Message message{step, errno};
  // The parent sees end-of-file without a message when even this fails.
  if (::write(report, &message, sizeof message) < 0) _exit(126);
  _exit(127);
}

void reset_signals() {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) sigaction(number, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

void forget_descriptors() {
  constexpr int kLastGuess = 65536;  // kernels before 5.11 cannot mark a range
  if (syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */) == 0) return;
  for (int fd = 3; fd < kLastGuess; ++fd) fcntl(fd, F_SETFD, FD_CLOEXEC);
}

[[noreturn]] void become(const Plan& plan, int report, pid_t parent) {
  reset_signals();
  if (plan.mode == Mode::daemon && setsid() < 0) give_up(report, Step::session);
  if (plan.mode == Mode::grouped || plan.mode == Mode::foreground_group) setpgid(0, 0);
  if (plan.in >= 0) dup2(plan.in, 0);
  if (plan.out >= 0) dup2(plan.out, 1);
  if (plan.err >= 0) dup2(plan.err, 2);
  forget_descriptors();
  if (plan.user != nullptr) {
    const Identity& who = *plan.user;
    if (setgroups(who.groups.size(), who.groups.data()) != 0 || setresgid(who.gid, who.gid, who.gid) != 0 ||
        setresuid(who.uid, who.uid, who.uid) != 0) {
      give_up(report, Step::user);
    }
  }
  if (plan.mode != Mode::daemon) {
    // After the change of user, which clears it. The parent may be gone before it is set.
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(128 + SIGTERM);
  }
  if (plan.mode == Mode::daemon) umask(077);
  if (plan.cwd != nullptr && chdir(plan.cwd) != 0) give_up(report, Step::directory);
  execve(plan.program.c_str(), plan.argv_ptrs.data(), plan.env_ptrs.data());
  give_up(report, Step::execute);
}

[[noreturn]] void detach(const Plan& plan, int report) {
  const pid_t pid = fork();
  if (pid < 0) give_up(report, Step::session);
  if (pid == 0) become(plan, report, 0);
  const Message message{Step::pid, pid};
  _exit(::write(report, &message, sizeof message) == sizeof message ? 0 : 1);
}

// --- in the parent ---

Error explain(const Plan& plan, const Message& message) {
  const int err = message.value;
  switch (message.step) {
    case Step::user:
      return sys_error(fmt::format("become user {}", plan.user->uid), err);
    case Step::directory:
      return sys_error(fmt::format("enter {}", plan.cwd), err);
    case Step::session:
      return sys_error("start a session", err);
    case Step::execute:
    case Step::pid:
      break;
  }
  return sys_error("run " + plan.program, err);
}

Result<pid_t> launch(const Plan& plan) {
  BFS_ASSIGN(auto ends, make_pipe());
  const pid_t parent = getpid();
  // No signal handler of ours may run in the child between fork and exec.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = fork();
  if (pid == 0) {
    if (plan.mode == Mode::daemon) detach(plan, ends.second.get());
    become(plan, ends.second.get(), parent);
  }
  const int fork_errno = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return sys_error("fork", fork_errno);
  ends.second = Fd();
  pid_t started = pid;
  std::optional<Error> failure;
  Message message;
  while (true) {
    const ssize_t got = ::read(ends.first.get(), &message, sizeof message);
    if (got < 0 && errno == EINTR) continue;
    if (got != sizeof message) break;
    if (message.step == Step::pid) {
      started = message.value;
    } else {
      failure = explain(plan, message);
    }
  }
  if (failure || plan.mode == Mode::daemon) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
  }
  if (failure) return *std::move(failure);
  if (plan.mode == Mode::daemon && started == pid)
    return make_error(Kind::failed, "start a background process");
  return started;
}

int exit_code(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

Result<std::optional<int>> reap(pid_t pid, int options) {
  int status = 0;
  while (true) {
    const pid_t got = waitpid(pid, &status, options);
    if (got == pid) return std::optional<int>(exit_code(status));
    if (got == 0) return std::optional<int>();
    if (errno != EINTR) return sys_error(fmt::format("wait for process {}", pid));
  }
}

// Waits until the child ends or the deadline passes, without reaping it.
void await_end(pid_t pid, Clock::time_point deadline) {
  const Fd handle(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  while (Clock::now() < deadline) {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now()) + milliseconds(1);
    struct pollfd item {
      handle.get(), POLLIN, 0
    };
    if (handle.get() >= 0) {
      if (poll(&item, 1, static_cast<int>(std::min<long>(left.count(), 60'000))) > 0) return;
    } else {  // kernels before 5.3
      siginfo_t info{};
      if (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
          info.si_pid == pid)
        return;
      poll(nullptr, 0, 10);
    }
  }
}

Result<int> wait_or_end(pid_t pid, milliseconds timeout, bool& timed_out) {
  if (timeout.count() > 0) {
    await_end(pid, Clock::now() + timeout);
    BFS_ASSIGN(auto ended, reap(pid, WNOHANG));
    if (ended) return *ended;
    timed_out = true;
    kill(-pid, SIGTERM);
    await_end(pid, Clock::now() + kGrace);
    kill(-pid, SIGKILL);
  }
  BFS_ASSIGN(auto ended, reap(pid, 0));
  return ended.value_or(0);
}

// Passes `number` on. Signals that a terminal sends reach its whole foreground group, the child included.
void forward(pid_t pid, Mode mode, const siginfo_t& info) {
  if (mode == Mode::foreground_group) {
    kill(-pid, info.si_signo);
  } else if (info.si_code != SI_KERNEL) {
    kill(pid, info.si_signo);
  }
}

}  // namespace

std::string find_in_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  for (const auto& dir : split(path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin", ':')) {
    const std::string candidate = (dir.empty() ? "." : dir) + "/" + program;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

bool is_trusted_program(const std::string& path) {
  if (geteuid() != 0) return true;
  const std::unique_ptr<char, decltype(&::free)> real(::realpath(path.c_str(), nullptr), &::free);
  if (!real) return false;
  const auto only_roots = [](const std::string& name) {
    struct ::stat st {};
    if (::stat(name.c_str(), &st) != 0 || st.st_uid != 0) return false;
    return (st.st_mode & S_IWOTH) == 0 || (S_ISDIR(st.st_mode) && (st.st_mode & S_ISVTX) != 0);
  };
  for (std::string part = real.get(); part != "/"; part = parent_of(part)) {
    if (!only_roots(part)) return false;
  }
  return true;
}

Result<Output> run(const Command& command) {
  BFS_ASSIGN(auto plan, make_plan(command, Mode::grouped));
  BFS_ASSIGN(const Fd in, open_stdin(command));
  BFS_ASSIGN(const Fd out, make_memory("branchfs-stdout"));
  BFS_ASSIGN(const Fd err, make_memory("branchfs-stderr"));
  plan->in = in.get();
  plan->out = out.get();
  plan->err = err.get();
  BFS_ASSIGN(const pid_t pid, launch(*plan));
  Output output;
  BFS_ASSIGN(output.code, wait_or_end(pid, command.timeout, output.timed_out));
  output.out = read_memory(out.get(), command.capture_limit);
  output.err = read_memory(err.get(), command.capture_limit);
  return output;
}

Result<Output> succeed(const Command& command) {
  BFS_ASSIGN(auto output, run(command));
  if (output.code == 0 && !output.timed_out) return output;
  const std::string name = command.argv.front().substr(command.argv.front().rfind('/') + 1);
  if (output.timed_out) {
    return make_error(Kind::failed, fmt::format("{}: no end after {} ms", name, command.timeout.count()));
  }
  const std::string said = last_lines(output.err.empty() ? output.out : output.err, 3);
  return make_error(
      Kind::failed,
      fmt::format("{}: {}", name, said.empty() ? fmt::format("exit code {}", output.code) : said));
}

Result<int> run_foreground(const Command& command) {
  // With a terminal the child stays in the caller's process group, so that job control works on both.
  const Mode mode = isatty(STDIN_FILENO) != 0 ? Mode::foreground : Mode::foreground_group;
  BFS_ASSIGN(auto plan, make_plan(command, mode));
  sigset_t watched;
  sigset_t before;
  sigemptyset(&watched);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD})
    sigaddset(&watched, number);
  pthread_sigmask(SIG_BLOCK, &watched, &before);
  auto pid = launch(*plan);
  std::optional<Result<int>> result;
  if (!pid) result = std::move(pid).error();
  while (!result) {
    auto ended = reap(*pid, WNOHANG);
    if (!ended) {
      result = std::move(ended).error();
    } else if (*ended) {
      result = **ended;
    } else {
      siginfo_t info{};
      const struct timespec tick { 0, 200'000'000 };  // another thread may have taken the SIGCHLD
      if (sigtimedwait(&watched, &info, &tick) > 0 && info.si_signo != SIGCHLD) forward(*pid, mode, info);
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return *std::move(result);
}

Result<pid_t> start_daemon(const Command& command, const std::string& log_path) {
  BFS_ASSIGN(auto plan, make_plan(command, Mode::daemon));
  BFS_ASSIGN(const Fd in, open_stdin(command));
  Fd log;
  {
    std::optional<ActAs> as;
    if (command.user) as.emplace(*command.user);
    log = above_stdio(::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (log.get() < 0) return sys_error("open " + log_path);
  }
  plan->in = in.get();
  plan->out = log.get();
  plan->err = log.get();
  return launch(*plan);
}

Result<Child> Child::start(const Command& command) {
  BFS_ASSIGN(auto plan, make_plan(command, Mode::grouped));
  BFS_ASSIGN(const Fd in, open_stdin(command));
  BFS_ASSIGN(auto ends, make_pipe());
  BFS_ASSIGN(Fd err, make_memory("branchfs-stderr"));
  plan->in = in.get();
  plan->out = ends.second.get();
  plan->err = err.get();
  BFS_ASSIGN(const pid_t pid, launch(*plan));
  return Child(pid, ends.first.release(), err.release());
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      out_(std::exchange(other.out_, -1)),
      err_(std::exchange(other.err_, -1)),
      code_(std::exchange(other.code_, std::nullopt)) {}

Child& Child::operator=(Child&& other) noexcept {
  if (this == &other) return *this;
  end();
  pid_ = std::exchange(other.pid_, -1);
  out_ = std::exchange(other.out_, -1);
  err_ = std::exchange(other.err_, -1);
  code_ = std::exchange(other.code_, std::nullopt);
  return *this;
}

Child::~Child() { end(); }

void Child::end() {
  close_out();
  if (pid_ > 0 && !code_) {
    kill(-pid_, SIGTERM);
    bool timed_out = false;
    ignore(wait_or_end(pid_, kGrace, timed_out));  // nobody is left to hear about it
  }
  pid_ = -1;
  if (err_ >= 0) ::close(std::exchange(err_, -1));
}

std::string Child::error_text() const { return err_ < 0 ? std::string() : read_memory(err_, kErrorTail); }

void Child::close_out() {
  if (out_ >= 0) ::close(std::exchange(out_, -1));
}

void Child::signal(int number) const {
  if (pid_ > 0 && !code_) kill(-pid_, number);
}

Result<int> Child::wait() {
  if (!code_) {
    BFS_ASSIGN(code_, reap(pid_, 0));
  }
  return code_.value_or(0);
}

Result<std::optional<int>> Child::try_wait() {
  if (!code_) {
    BFS_ASSIGN(code_, reap(pid_, WNOHANG));
  }
  return code_;
}

}  // namespace branchfs::pg
