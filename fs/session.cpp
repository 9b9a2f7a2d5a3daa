#include "fs/session.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "fs/mount_table.h"

namespace branchfs {
namespace {

constexpr unsigned kMaxThreads = 64;   // as many requests may wait for the disk at once
constexpr unsigned kIdleThreads = 16;  // kept when there is nothing to do
constexpr int kReadaheadKb = 1024;

::sigset_t ending_signals() {
  ::sigset_t set;
  ::sigemptyset(&set);
  for (const int s : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, s);
  return set;
}

// What libfuse has to say goes to our log (and, while mounting, into the error).
std::string* mount_messages = nullptr;

__attribute__((format(printf, 2, 0))) void log_libfuse(::fuse_log_level level, const char* format,
                                                       ::va_list args) {
  std::array<char, 512> text{};
  std::vsnprintf(text.data(), text.size(), format, args);
  std::string line(text.data());
  while (!line.empty() && line.back() == '\n') line.pop_back();
  if (mount_messages != nullptr) {
    *mount_messages += line + "\n";
  } else if (level <= ::FUSE_LOG_ERR) {
    spdlog::error("libfuse: {}", line);
  } else {
    spdlog::info("libfuse: {}", line);
  }
}

// fusermount3 writes its reason to stderr; this catches it for the one line that the user gets.
class CapturedStderr {
 public:
  CapturedStderr()
      : saved_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)), file_(::memfd_create("stderr", MFD_CLOEXEC)) {
    if (file_ >= 0 && saved_ >= 0) ::dup2(file_, STDERR_FILENO);
  }
  CapturedStderr(const CapturedStderr&) = delete;
  CapturedStderr& operator=(const CapturedStderr&) = delete;
  ~CapturedStderr() {
    if (saved_ >= 0) {
      ::dup2(saved_, STDERR_FILENO);
      ::close(saved_);
    }
    if (file_ >= 0) ::close(file_);
  }
  [[nodiscard]] std::string text() const {
    std::array<char, 1024> bytes{};
    const ::ssize_t n = file_ < 0 ? 0 : ::pread(file_, bytes.data(), bytes.size(), 0);
    return n > 0 ? std::string(bytes.data(), static_cast<std::size_t>(n)) : std::string();
  }

 private:
  int saved_;
  int file_;
};

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// libfuse splits its options at commas; a path may contain one.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == ',' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

std::vector<std::string> libfuse_arguments(const SessionOptions& o) {
  std::vector<std::string> args = {"mount.branchfs"};
  const auto add = [&](std::string option) {
    args.emplace_back("-o");
    args.push_back(std::move(option));
  };
  add("default_permissions");
  add("subtype=branchfs");
  add("fsname=" + escaped(o.source));
  if (o.read_only) add("ro");
  if (o.allow_other) add("allow_other");
  add(o.suid ? "suid" : "nosuid");
  add(o.dev ? "dev" : "nodev");
  for (const std::string& flag : o.kernel_flags) add(flag);
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 18)
  if (o.io_uring) add("io_uring");
#endif
  return args;
}

bool user_allow_other() {
  std::ifstream conf("/etc/fuse.conf");
  for (std::string line; std::getline(conf, line);) {
    const auto begin = line.find_first_not_of(" \t");
    const auto end = line.find_last_not_of(" \t\r");
    if (begin != std::string::npos && line.substr(begin, end - begin + 1) == "user_allow_other") return true;
  }
  return false;
}

void raise_file_limit() {
  ::rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void interrupt_only(int) {}

}  // namespace

void Session::block_signals() {
  const ::sigset_t set = ending_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is an error of the write, not the end of the mount
}

Status Session::check_environment(const SessionOptions& options) {
  struct ::stat st {};
  if (::stat("/dev/fuse", &st) != 0) {
    return make_error(
        Kind::failed, "there is no /dev/fuse",
        "load the kernel module with \"modprobe fuse\"; in a container pass --device /dev/fuse");
  }
  const int fd = ::open("/dev/fuse", O_RDWR | O_CLOEXEC);
  const int err = errno;
  if (fd >= 0) ::close(fd);
  if (fd < 0) {
    const bool denied = err == EACCES || err == EPERM;
    return Error{Kind::failed, err, std::string("cannot open /dev/fuse: ") + std::strerror(err),
                 denied ? "it normally has mode 0666: \"chmod 666 /dev/fuse\" as root; in a container pass "
                          "--device /dev/fuse"
                        : "load the kernel module with \"modprobe fuse\""};
  }
  if (::geteuid() == 0) return {};
  const std::string fusermount = find_fusermount();
  if (fusermount.empty()) {
    return make_error(Kind::failed, "fusermount3 is not installed",
                      "install the package fuse3, or mount as root");
  }
  if (::stat(fusermount.c_str(), &st) == 0 && (st.st_mode & S_ISUID) == 0) {
    return make_error(Kind::failed, fusermount + " is not set-user-ID root",
                      "reinstall the package fuse3, or mount as root");
  }
  if (options.allow_other && !user_allow_other()) {
    return make_error(
        Kind::refused, "allow_other is not allowed for ordinary users here",
        "add the line \"user_allow_other\" to /etc/fuse.conf as root, or leave allow_other out");
  }
  return {};
}

Result<std::unique_ptr<Session>> Session::mount(Operations& operations, SessionOptions options) {
  raise_file_limit();
  std::unique_ptr<Session> session(new Session(std::move(options)));
  std::vector<std::string> words = libfuse_arguments(session->options_);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  ::fuse_args args = FUSE_ARGS_INIT(static_cast<int>(argv.size()), argv.data());

  std::string messages;
  mount_messages = &messages;
  ::fuse_set_log_func(log_libfuse);
  session->fuse_ = ::fuse_session_new(&args, &Operations::table(), sizeof(::fuse_lowlevel_ops), &operations);
  ::fuse_opt_free_args(&args);
  bool ok = session->fuse_ != nullptr;
  if (ok) {
    const CapturedStderr captured;
    ok = ::fuse_session_mount(session->fuse_, session->options_.mountpoint.c_str()) == 0;
    messages += captured.text();
  }
  mount_messages = nullptr;
  if (!ok) {
    return make_error(Kind::failed, messages.empty() ? "libfuse gave no reason" : first_line(messages),
                      messages.find("username") != std::string::npos
                          ? "fusermount3 serves only users whom the user database (/etc/passwd) knows"
                          : "");
  }
  session->mounted_ = true;
  BFS_ASSIGN(const auto entry, mounted_at(session->options_.mountpoint));
  if (!entry || entry->type != "fuse.branchfs")
    return make_error(Kind::failed, "the new mount is not in the mount table");
  session->device_ = entry->device;
  return session;
}

Session::~Session() {
  if (fuse_ != nullptr) {
    disconnect();
    ::fuse_session_destroy(fuse_);
  }
  for (const int fd : {signal_fd_, stop_fd_}) {
    if (fd >= 0) ::close(fd);
  }
}

void Session::disconnect() {
  if (!mounted_) return;
  mounted_ = false;
  // Does nothing after an orderly end; takes away a mount whose connection was aborted.
  if (const Status gone = detach(); !gone) spdlog::warn("{}", gone.error().what);
  ::fuse_session_unmount(fuse_);
}

Status Session::detach() { return detach_mount(options_.mountpoint, device_); }

void Session::watch_signals() {
  for (;;) {
    std::array<::pollfd, 2> fds{::pollfd{signal_fd_, POLLIN, 0}, ::pollfd{stop_fd_, POLLIN, 0}};
    if (::poll(fds.data(), fds.size(), -1) < 0) continue;
    if (fds[1].revents != 0) return;
    ::signalfd_siginfo info{};
    if (::read(signal_fd_, &info, sizeof(info)) != static_cast<::ssize_t>(sizeof(info))) continue;
    spdlog::info("signal {}: unmounting", info.ssi_signo);
    const Status detached = detach();
    if (detached) continue;  // run() returns when the last user is gone
    spdlog::error("cannot unmount {}: {}; ending the mount for those who use it", options_.mountpoint,
                  detached.error().what);
    ::fuse_session_exit(fuse_);
    ::pthread_kill(loop_thread_,
                   SIGUSR1);  // libfuse's loop looks at its exit flag only when a signal wakes it
  }
}

// Readahead on a FUSE mount starts at 128 KiB; root may raise it (design.md 5.7). Others keep what there is.
void Session::raise_readahead() const {
  std::ofstream out("/sys/class/bdi/" + device_ + "/read_ahead_kb");
  out << kReadaheadKb << '\n';
}

void Session::announce(const std::function<bool()>& on_ready) {
  // Answered by a request thread once kernel and daemon agreed; until then the kernel holds the question
  // back.
  struct ::statx st {};
  const bool usable =
      ::statx(AT_FDCWD, options_.mountpoint.c_str(), AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &st) == 0;
  if (!usable) spdlog::error("the new mount does not answer: {}", std::strerror(errno));
  raise_readahead();
  if (usable && on_ready()) return;
  if (const Status detached = detach(); !detached) spdlog::error("{}", detached.error().what);
}

Status Session::run(const std::function<bool()>& on_ready) {
  const ::sigset_t set = ending_signals();
  signal_fd_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  stop_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (signal_fd_ < 0 || stop_fd_ < 0) return sys_error("watch for signals");
  loop_thread_ = ::pthread_self();
  struct ::sigaction wake {};
  wake.sa_handler = interrupt_only;
  ::sigaction(SIGUSR1, &wake, nullptr);

  ::fuse_loop_config* config = ::fuse_loop_cfg_create();
  ::fuse_loop_cfg_set_clone_fd(config, 1);
  ::fuse_loop_cfg_set_idle_threads(config, kIdleThreads);
  ::fuse_loop_cfg_set_max_threads(config, kMaxThreads);
  std::thread signals([this] { watch_signals(); });
  std::thread announcer([&] { announce(on_ready); });
  const int result = ::fuse_session_loop_mt(fuse_, config);
  ::fuse_loop_cfg_destroy(config);
  disconnect();  // before the join: an announcer that still waits for an answer gets an error now
  announcer.join();
  const std::uint64_t one = 1;
  static_cast<void>(::write(stop_fd_, &one, sizeof(one)));
  signals.join();
  if (result < 0) return sys_error("serve the kernel's requests", -result);
  return {};
}

}  // namespace branchfs
