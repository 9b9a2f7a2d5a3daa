// Both ends of the control socket: what a caller sends to a mount's process, and what that sends back. Each input is one side's bytes,
// as they are and as the body of a message of the right length.
#include "layers/store/control.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <thread>

#include "fs/control_server.h"
#include "layers/delta/delta.h"
#include "layers/store/branches.h"
#include "tests/fuzz/support.h"

namespace {

using namespace branchfs;
using namespace branchfs::fuzz;

constexpr const char* kStore = "/store";
constexpr const char* kBranch = "b";
constexpr ObjectId kBase{0, 1};
constexpr std::chrono::milliseconds kTimeout{2000};

class TempDir {
 public:
  TempDir() {
    const char* tmp = std::getenv("TMPDIR");
    path_ = std::string(tmp != nullptr ? tmp : "/tmp") + "/branchfs-fuzz-XXXXXX";
    expect(::mkdtemp(path_.data()) != nullptr);
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;  // refused before its end
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::string receive_all(int fd) {
  std::string all;
  char piece[4096];
  for (;;) {
    const auto n = ::recv(fd, piece, sizeof piece, 0);
    if (n <= 0) return all;
    all.append(piece, static_cast<std::size_t>(n));
  }
}

std::string framed(std::string_view body) {
  const auto size = static_cast<std::uint32_t>(body.size());
  return std::string(reinterpret_cast<const char*>(&size), sizeof size).append(body);
}

// A mount's process, without the mount.
class Server {
 public:
  Server() : disk_(), env_(disk_, 1, 1) {
    need(Store::init(env_, kStore));
    auto store = need(Store::open(env_, kStore));
    write_layer(env_, store->layer_path(kBase), kBase);
    Manifest manifest;
    manifest.stack = {kBase};
    need(create_root(*store, need(store->lock()), kBranch, manifest));
    BranchOptions options;
    options.flush_interval = 0;
    options.sums = false;
    branch_ = need(Branch::open(store, kBranch, options));
    operations_ = std::make_unique<Operations>(*branch_, Operations::Options{});
    control_ = need(ControlServer::start(dir_.path(), *branch_, *operations_, {kStore, kBranch, "/mnt"}, [] { return Status{}; }));
  }

  void request(std::string_view bytes) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ::sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = dir_.path() + "/control";
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    expect(::connect(fd, reinterpret_cast<const ::sockaddr*>(&address), sizeof address) == 0);
    send_all(fd, bytes);
    ::shutdown(fd, SHUT_WR);
    const std::string answer = receive_all(fd);
    ::close(fd);
    // A caller whose bytes were not all read may find the connection reset, and no answer.
    if (answer.empty()) return;
    expect(answer.size() > 4 && framed(answer.substr(4)) == answer);
    const auto json = nlohmann::json::parse(answer.substr(4), nullptr, false);
    expect(json.is_object() && json.contains("ok") && json["ok"].is_boolean());
  }

 private:
  TempDir dir_;
  test::MemoryDisk disk_;
  test::MemoryEnv env_;
  std::unique_ptr<Branch> branch_;
  std::unique_ptr<Operations> operations_;
  std::unique_ptr<ControlServer> control_;
};

// Answers every caller with the same bytes.
class Liar {
 public:
  Liar() : listen_(need(control_listen(dir_.path()))), thread_([this] { serve(); }) {}
  ~Liar() {
    ::shutdown(listen_, SHUT_RDWR);
    thread_.join();
    ::close(listen_);
  }
  Liar(const Liar&) = delete;
  Liar& operator=(const Liar&) = delete;

  void answer(std::string bytes) {
    {
      const std::lock_guard lock(mutex_);
      answer_ = std::move(bytes);
    }
    const auto got = control_call(dir_.path(), {{"op", "status"}}, kTimeout);
    if (got) return expect(got->is_object() && got->at("ok") == true);
    expect(got.error().kind >= Kind::failed && got.error().kind <= Kind::damaged);
  }

 private:
  void serve() {
    for (;;) {
      const int fd = ::accept4(listen_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      ignore(control_receive(fd, kTimeout));
      const std::lock_guard lock(mutex_);
      send_all(fd, answer_);
      ::close(fd);
    }
  }

  TempDir dir_;
  int listen_;
  std::mutex mutex_;
  std::string answer_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Server server;
  static Liar liar;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const std::string& message : {std::string(bytes), framed(bytes)}) {
    server.request(message);
    liar.answer(message);
  }
  return 0;
}
