#include "fs/control_server.h"

#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <system_error>

#include "layers/io/descriptors.h"
#include "layers/io/env.h"
#include "layers/store/control.h"

namespace branchfs {
namespace {

constexpr std::chrono::milliseconds kRequestTimeout{3000};

nlohmann::json answer_of(const Status& status) {
  return status ? nlohmann::json{{"ok", true}} : control_error(status.error());
}

std::string kernel_release() {
  ::utsname name{};
  return ::uname(&name) == 0 ? name.release : "";
}

// What keeps this mount from the faster transport; empty when nothing does.
std::string what_would_be_faster(bool io_uring) {
  if (io_uring) return "";
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 18)
  constexpr const char* kSwitch = "/sys/module/fuse/parameters/enable_uring";
  std::ifstream parameter(kSwitch);
  char on = 0;
  if (!(parameter >> on)) return "a kernel with FUSE over io_uring (6.14 or later)";
  if (on == 'Y') return "mounting again with FUSE over io_uring (without -o no_io_uring)";
  return std::string("FUSE over io_uring: as root, echo Y > ") + kSwitch + ", then mount again";
#else
  return "a build with libfuse 3.18 or later (scripts/libfuse.sh), for FUSE over io_uring";
#endif
}

}  // namespace

ControlServer::ControlServer(Branch& branch, const Operations& operations, MountFacts facts,
                             std::function<Status()> unmount)
    : branch_(branch), operations_(operations), facts_(std::move(facts)), unmount_(std::move(unmount)) {}

Result<std::unique_ptr<ControlServer>> ControlServer::start(const std::string& branch_dir, Branch& branch,
                                                            const Operations& operations, MountFacts facts,
                                                            std::function<Status()> unmount) {
  std::unique_ptr<ControlServer> server(
      new ControlServer(branch, operations, std::move(facts), std::move(unmount)));
  // The directory itself, whatever it is called at the end: the branch may be renamed while it is mounted.
  server->dir_fd_ = ::open(branch_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (server->dir_fd_ < 0) return sys_error("open " + branch_dir);
  BFS_ASSIGN(server->listen_fd_, control_listen(branch_dir));
  server->stop_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (server->stop_fd_ < 0) return sys_error("make an eventfd");
  server->thread_ = std::thread([raw = server.get()] { raw->accept_loop(); });
  return server;
}

ControlServer::~ControlServer() {
  if (thread_.joinable()) {
    const std::uint64_t one = 1;
    static_cast<void>(::write(stop_fd_, &one, sizeof(one)));
    thread_.join();
    std::unique_lock lock(mutex_);
    finished_.wait(lock, [this] { return connections_ == 0; });
  }
  if (listen_fd_ >= 0) ::unlinkat(dir_fd_, "control", 0);
  for (const int fd : {dir_fd_, listen_fd_, stop_fd_}) {
    if (fd >= 0) ::close(fd);
  }
}

void ControlServer::accept_loop() {
  for (;;) {
    std::array<::pollfd, 2> fds{::pollfd{listen_fd_, POLLIN, 0}, ::pollfd{stop_fd_, POLLIN, 0}};
    if (::poll(fds.data(), fds.size(), -1) < 0) continue;
    if (fds[1].revents != 0) return;
    const int connection = with_descriptors([&] { return ::accept4(listen_fd_, nullptr, nullptr, SOCK_CLOEXEC); });
    if (connection < 0) {
      // Out of descriptors or memory: the caller stays in the queue, and the loop must not spin meanwhile.
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      continue;
    }
    {
      std::unique_lock lock(mutex_);
      finished_.wait(lock, [this] { return connections_ < kMaxConnections; });
      ++connections_;
    }
    try {
      std::thread([this, connection] { serve(connection); }).detach();
    } catch (const std::system_error& error) {
      spdlog::warn("no further thread for control requests: {}", error.what());
      serve(connection);
    }
  }
}

void ControlServer::serve(int connection) {
  const auto request = control_receive(connection, kRequestTimeout);
  if (request) {
    // The caller may have given up waiting; what it asked for is done all the same.
    ignore(control_reply(connection, answer(*request)));
  } else {
    spdlog::debug("control request refused: {}", request.error().what);
    ignore(control_reply(connection, control_error(request.error())));
  }
  ::close(connection);
  // Under the lock to the last touch of *this: the destructor goes on as soon as it sees zero.
  const std::lock_guard lock(mutex_);
  --connections_;
  finished_.notify_all();
}

void ControlServer::set_negotiated(const Negotiated& negotiated) {
  const std::lock_guard lock(mutex_);
  negotiated_ = negotiated;
}

nlohmann::json ControlServer::answer(const nlohmann::json& request) {
  const auto text = [&](const char* key) {
    const auto it = request.find(key);
    return it != request.end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  const std::string op = text("op");
  if (op == "status") return status();
  if (op == "flush") return answer_of(branch_.flush());
  if (op == "sync") return answer_of(branch_.sync_all());
  if (op == "unmount") return answer_of(unmount_());
  if (op == "freeze") {
    const auto frozen = freeze(text("name"));
    return frozen ? *frozen : control_error(frozen.error());
  }
  return control_error(make_error(Kind::usage, "unknown control request \"" + op + "\""));
}

nlohmann::json ControlServer::status() {
  const Branch::FreezePause pause = branch_.freeze_pause();
  nlohmann::json requests = nlohmann::json::object();
  for (std::size_t i = 0; i < kOpNames.size(); ++i) {
    if (const auto n = operations_.counters().get(static_cast<Op>(i)); n > 0) requests[kOpNames[i]] = n;
  }
  const std::lock_guard lock(mutex_);
  using std::chrono::seconds;
  const std::string faster = what_would_be_faster(operations_.uses_io_uring());
  return {
      {"ok", true},
      {"pid", ::getpid()},
      {"store", facts_.store},
      {"branch", facts_.branch},
      {"mountpoint", facts_.mountpoint},
      {"version", BRANCHFS_VERSION},
      {"kernel", kernel_release()},
      {"libfuse", ::fuse_pkgversion()},
      {"protocol", std::to_string(negotiated_.proto_major) + "." + std::to_string(negotiated_.proto_minor)},
      {"transport", operations_.uses_io_uring() ? "io_uring" : "/dev/fuse"},
      {"faster", faster.empty() ? nlohmann::json() : nlohmann::json(faster)},
      {"cache", negotiated_.writeback ? "writeback" : "write-through"},
      {"read_only", branch_.read_only()},
      {"uptime_s", std::chrono::duration_cast<seconds>(std::chrono::steady_clock::now() - started_).count()},
      {"freeze", {{"last_us", pause.last_us}, {"max_us", pause.max_us}, {"count", pause.count}}},
      {"requests", std::move(requests)}};
}

Result<nlohmann::json> ControlServer::freeze(const std::string& name) {
  if (name.empty()) return make_error(Kind::usage, "freeze needs the branch's name");
  // The proof that Branch::freeze asks for is not locked here: the caller, in another process, holds the
  // store lock for as long as it waits for this answer. Taking it here would wait for the caller, who waits
  // for us.
  BFS_ASSIGN(auto lock_file, posix_env().open(facts_.store + "/lock", O_RDWR));
  const StoreLock held_by_caller(std::move(lock_file));
  BFS_ASSIGN(const Frozen frozen, branch_.freeze(held_by_caller, name));
  nlohmann::json stack = nlohmann::json::array();
  for (const ObjectId& id : frozen.stack) stack.push_back(id.hex());
  return nlohmann::json{{"ok", true},
                        {"stack", std::move(stack)},
                        {"next_ino", frozen.next_ino.v},
                        {"pause_us", branch_.freeze_pause().last_us}};
}

}  // namespace branchfs
