#include "layers/store/control.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <thread>
#include <utility>

namespace branchfs {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::size_t kMaxMessage = 1U << 20U;
constexpr milliseconds kReplyTimeout{5000};
constexpr milliseconds kConnectRetry{5};
constexpr int kBacklog = 64;
constexpr const char* kSocketName = "control";

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// The address of DIR/control. sun_path holds 107 bytes and stores live in deep directories, so a long path
// goes through a descriptor of its directory.
::sockaddr_un make_address(const std::string& dir, int dir_fd) {
  ::sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string path = dir + "/" + kSocketName;
  if (path.size() >= sizeof(address.sun_path)) {
    path = "/proc/self/fd/" + std::to_string(dir_fd) + "/" + kSocketName;
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

int open_dir(const std::string& dir) { return ::open(dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC); }

// Waits for `events`, at most until the deadline: a peer that trickles bytes does not get more time for each.
Status wait_for(int fd, short events, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return sys_error("wait for the other side of the control socket", ETIMEDOUT);
    ::pollfd p{fd, events, 0};
    const int n = ::poll(&p, 1, static_cast<int>(left));
    if (n > 0) return {};
    if (n < 0 && errno != EINTR) return sys_error("wait for the control socket");
  }
}

Status send_all(int fd, const char* data, std::size_t size, Clock::time_point deadline) {
  while (size > 0) {
    const ::ssize_t n = ::send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
      data += n;
      size -= static_cast<std::size_t>(n);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      BFS_TRY(wait_for(fd, POLLOUT, deadline));
    } else if (errno != EINTR) {
      return sys_error("send on the control socket");
    }
  }
  return {};
}

Status receive_all(int fd, char* data, std::size_t size, Clock::time_point deadline) {
  while (size > 0) {
    const ::ssize_t n = ::recv(fd, data, size, MSG_DONTWAIT);
    if (n > 0) {
      data += n;
      size -= static_cast<std::size_t>(n);
    } else if (n == 0) {
      return sys_error("read from the control socket: the other side closed it", ECONNRESET);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      BFS_TRY(wait_for(fd, POLLIN, deadline));
    } else if (errno != EINTR) {
      return sys_error("read from the control socket");
    }
  }
  return {};
}

Status send_message(int fd, const nlohmann::json& message, Clock::time_point deadline) {
  // Names of files may be no UTF-8; an answer with a replacement character is better than none.
  const std::string body = message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (body.size() > kMaxMessage) return make_error(Kind::failed, "control message is longer than 1 MiB");
  std::string bytes(4, '\0');
  for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<char>((body.size() >> (8 * i)) & 0xFFU);
  bytes += body;
  return send_all(fd, bytes.data(), bytes.size(), deadline);
}

Result<nlohmann::json> receive_message(int fd, Clock::time_point deadline) {
  std::array<char, 4> prefix{};
  BFS_TRY(receive_all(fd, prefix.data(), prefix.size(), deadline));
  std::size_t size = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    size |= static_cast<std::size_t>(static_cast<unsigned char>(prefix[i])) << (8 * i);
  }
  if (size == 0 || size > kMaxMessage)
    return make_error(Kind::refused, "control message of a length out of bounds");
  std::string body(size, '\0');
  BFS_TRY(receive_all(fd, body.data(), body.size(), deadline));
  nlohmann::json message = nlohmann::json::parse(body, nullptr, false);
  if (!message.is_object()) return make_error(Kind::refused, "control message is not a JSON object");
  return message;
}

template <class T>
T field(const nlohmann::json& object, const char* key, T fallback) {
  const auto it = object.find(key);
  if (it == object.end()) return fallback;
  if constexpr (std::is_same_v<T, std::string>) {
    return it->is_string() ? it->get<std::string>() : fallback;
  } else {
    return it->is_number_integer() ? it->get<T>() : fallback;
  }
}

Error decode_error(const nlohmann::json& answer) {
  const int kind = field(answer, "kind", 1);
  const bool known = kind >= static_cast<int>(Kind::failed) && kind <= static_cast<int>(Kind::damaged);
  return Error{known ? static_cast<Kind>(kind) : Kind::failed, field(answer, "errno", 0),
               field(answer, "error", std::string("the mount's process gave no reason")),
               field(answer, "hint", std::string())};
}

Status check_peer(int connection) {
  ::ucred peer{};
  ::socklen_t size = sizeof(peer);
  if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return sys_error("identify the peer");
  if (peer.uid != 0 && peer.uid != ::geteuid()) {
    return make_error(Kind::refused, "control request from user " + std::to_string(peer.uid));
  }
  return {};
}

}  // namespace

Result<int> control_listen(const std::string& dir) {
  const Descriptor dir_fd(open_dir(dir));
  if (dir_fd.get() < 0) return sys_error("open " + dir);
  Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return sys_error("make a control socket");
  // Linux gives the name the socket's own mode: no window in which others could connect.
  if (::fchmod(fd.get(), 0600) != 0) return sys_error("protect the control socket");
  // Whoever listens holds the branch's lock, so a socket that is there belongs to a dead process.
  if (::unlinkat(dir_fd.get(), kSocketName, 0) != 0 && errno != ENOENT) {
    return sys_error("remove the old " + dir + "/" + kSocketName);
  }
  const ::sockaddr_un address = make_address(dir, dir_fd.get());
  if (::bind(fd.get(), reinterpret_cast<const ::sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    return sys_error("listen on " + dir + "/" + kSocketName);
  }
  return fd.release();
}

Result<nlohmann::json> control_call(const std::string& dir, const nlohmann::json& request,
                                    milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  const Descriptor dir_fd(open_dir(dir));
  if (dir_fd.get() < 0) return Error{Kind::busy, errno, "open " + dir + ": " + std::strerror(errno), {}};
  const Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return sys_error("make a control socket");
  const ::sockaddr_un address = make_address(dir, dir_fd.get());
  while (::connect(fd.get(), reinterpret_cast<const ::sockaddr*>(&address), sizeof(address)) != 0) {
    const int err = errno;
    if (err != EAGAIN && err != EINTR) {  // EAGAIN: the server's queue is full
      return Error{Kind::busy, err, "connect to " + dir + "/" + kSocketName + ": " + std::strerror(err), {}};
    }
    if (Clock::now() >= deadline)
      return Error{Kind::busy, ETIMEDOUT, "the mount's process does not answer", {}};
    std::this_thread::sleep_for(kConnectRetry);
  }
  BFS_TRY(send_message(fd.get(), request, deadline));
  BFS_ASSIGN(nlohmann::json answer, receive_message(fd.get(), deadline));
  const auto ok = answer.find("ok");
  if (ok == answer.end() || !ok->is_boolean() || !ok->get<bool>()) return decode_error(answer);
  return answer;
}

Result<nlohmann::json> control_receive(int connection, milliseconds timeout) {
  BFS_TRY(check_peer(connection));
  return receive_message(connection, Clock::now() + timeout);
}

Status control_reply(int connection, const nlohmann::json& answer) {
  return send_message(connection, answer, Clock::now() + kReplyTimeout);
}

nlohmann::json control_error(const Error& error) {
  return {{"ok", false},
          {"kind", static_cast<int>(error.kind)},
          {"errno", error.to_errno()},
          {"error", error.what},
          {"hint", error.hint}};
}

}  // namespace branchfs
