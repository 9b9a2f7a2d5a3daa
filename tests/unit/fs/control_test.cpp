// Both ends of the control socket, with good and bad peers.
#include "layers/store/control.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "tests/catch.h"

using namespace branchfs;
using std::chrono::milliseconds;

namespace {

struct Dir {
  Dir() {
    path = "/tmp/branchfs-control-XXXXXX";
    REQUIRE(::mkdtemp(path.data()) != nullptr);
    top = path;
  }
  ~Dir() { std::filesystem::remove_all(top); }
  // A directory whose socket's path does not fit into sun_path.
  void deepen() {
    for (int i = 0; i < 3; ++i) {
      path += "/" + std::string(100, 'd');
      REQUIRE(::mkdir(path.c_str(), 0700) == 0);
    }
  }
  std::string path;
  std::string top;
};

// Serves one connection with whatever `handle` does.
template <class Handle>
class Server {
 public:
  Server(const std::string& dir, Handle handle) {
    const auto fd = control_listen(dir);
    REQUIRE(fd.ok());
    listen_ = *fd;
    thread_ = std::thread([this, handle] {
      const int connection = ::accept4(listen_, nullptr, nullptr, SOCK_CLOEXEC);
      handle(connection);
      ::close(connection);
    });
  }
  ~Server() {
    thread_.join();
    ::close(listen_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

 private:
  int listen_ = -1;
  std::thread thread_;
};

void echo(int connection) {
  const auto request = control_receive(connection, milliseconds(2000));
  ignore(control_reply(connection, request ? nlohmann::json{{"ok", true}, {"echo", *request}}
                                           : control_error(request.error())));
}

int raw_connect(const std::string& dir) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ::sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof(address.sun_path), "%s/control", dir.c_str());
  REQUIRE(::connect(fd, reinterpret_cast<::sockaddr*>(&address), sizeof(address)) == 0);
  return fd;
}

// What a server makes of these bytes.
Error refusal_of(const std::string& bytes, bool close_after) {
  const Dir dir;
  Error error;
  {
    const Server server(dir.path, [&](int connection) {
      const auto request = control_receive(connection, milliseconds(200));
      if (!request) error = request.error();
    });
    const int fd = raw_connect(dir.path);
    static_cast<void>(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL));
    if (!close_after) ::usleep(400000);
    ::close(fd);
  }
  return error;
}

}  // namespace

TEST_CASE("a request and its answer") {
  const Dir dir;
  const Server server(dir.path, echo);
  const auto answer = control_call(dir.path, {{"op", "status"}, {"n", 7}}, milliseconds(2000));
  REQUIRE(answer.ok());
  CHECK((*answer)["echo"]["n"] == 7);
}

TEST_CASE("a path too long for sun_path, a message of almost 1 MiB") {
  Dir dir;
  dir.deepen();
  const Server server(dir.path, echo);
  const std::string big(1000000, 'b');
  const auto answer = control_call(dir.path, {{"op", big}}, milliseconds(5000));
  REQUIRE(answer.ok());
  CHECK(((*answer)["echo"]["op"] == big));
}

TEST_CASE("an error crosses the socket whole") {
  const Dir dir;
  const Server server(dir.path, [](int connection) {
    ignore(control_receive(connection, milliseconds(2000)));
    ignore(control_reply(connection, control_error(Error{Kind::damaged, EIO, "bad bytes \xff", "verify"})));
  });
  const auto answer = control_call(dir.path, {{"op", "sync"}}, milliseconds(2000));
  REQUIRE_FALSE(answer.ok());
  CHECK(answer.error().kind == Kind::damaged);
  CHECK(answer.error().sys == EIO);
  CHECK(answer.error().what.starts_with("bad bytes "));
  CHECK(answer.error().hint == "verify");
}

TEST_CASE("nobody listens") {
  const Dir dir;
  const auto none = control_call(dir.path, {{"op", "status"}}, milliseconds(200));
  REQUIRE_FALSE(none.ok());
  CHECK(none.error().kind == Kind::busy);
  CHECK(none.error().sys == ENOENT);
  const auto fd = control_listen(dir.path);
  REQUIRE(fd.ok());
  ::close(*fd);  // as after a SIGKILL: the name stays
  const auto dead = control_call(dir.path, {{"op", "status"}}, milliseconds(200));
  REQUIRE_FALSE(dead.ok());
  CHECK(dead.error().sys == ECONNREFUSED);
  const auto again = control_listen(dir.path);
  REQUIRE(again.ok());
  struct ::stat st {};
  REQUIRE(::stat((dir.path + "/control").c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0600);
  ::close(*again);
}

TEST_CASE("a server that accepts and says nothing costs the timeout, no more") {
  const Dir dir;
  const Server server(dir.path, [](int) { ::usleep(600000); });
  const auto start = std::chrono::steady_clock::now();
  const auto answer = control_call(dir.path, {{"op", "status"}}, milliseconds(200));
  const auto took = std::chrono::steady_clock::now() - start;
  REQUIRE_FALSE(answer.ok());
  CHECK(answer.error().sys == ETIMEDOUT);
  CHECK(took < std::chrono::milliseconds(500));
}

TEST_CASE("hostile requests are refused") {
  using namespace std::string_literals;
  CHECK(refusal_of(std::string(4, '\0'), true).kind == Kind::refused);      // empty
  CHECK(refusal_of("\x01\x00\x10\x00"s, true).kind == Kind::refused);       // 1 MiB + 1
  CHECK(refusal_of("\xff\xff\xff\xff"s, true).kind == Kind::refused);       // 4 GiB
  CHECK(refusal_of("\x03\x00\x00\x00[1]"s, true).kind == Kind::refused);    // no object
  CHECK(refusal_of("\x04\x00\x00\x00{\"a}"s, true).kind == Kind::refused);  // no JSON
  CHECK(refusal_of("\x00\x00\x0f\x00"s + std::string(0xf0000, '['), true).kind == Kind::refused);  // deep
  CHECK(refusal_of("\x10\x00\x00\x00{"s, true).sys == ECONNRESET);                                 // cut
  CHECK(refusal_of("\x10\x00"s, false).sys == ETIMEDOUT);                                          // stalls
}

TEST_CASE("a peer that trickles does not get more time for each byte") {
  const Dir dir;
  Error error;
  auto took = std::chrono::steady_clock::duration::zero();
  {
    const Server server(dir.path, [&](int connection) {
      const auto start = std::chrono::steady_clock::now();
      const auto request = control_receive(connection, milliseconds(300));
      took = std::chrono::steady_clock::now() - start;
      if (!request) error = request.error();
    });
    const int fd = raw_connect(dir.path);
    for (int i = 0; i < 12; ++i) {
      static_cast<void>(::send(fd, &"\x20\0\0\0aaaaaaaaaaaa"[i], 1, MSG_NOSIGNAL));
      ::usleep(50000);
    }
    ::close(fd);
  }
  CHECK(error.sys == ETIMEDOUT);
  CHECK(took < std::chrono::milliseconds(500));
}

TEST_CASE("another user is refused") {
  if (::geteuid() == 0) {
    const Dir dir;
    REQUIRE(::chmod(dir.path.c_str(), 0755) == 0);
    const auto fd = control_listen(dir.path);
    REQUIRE(fd.ok());
    REQUIRE(::chmod((dir.path + "/control").c_str(), 0666) ==
            0);  // as if the directory's mode did not protect it
    const ::pid_t pid = ::fork();
    if (pid == 0) {
      if (::setgid(4711) != 0 || ::setuid(4711) != 0) ::_exit(2);
      ::_exit(control_call(dir.path, {{"op", "status"}}, milliseconds(1000)).ok() ? 0 : 1);
    }
    const int connection = ::accept4(*fd, nullptr, nullptr, SOCK_CLOEXEC);
    const auto request = control_receive(connection, milliseconds(1000));
    CHECK_FALSE(request.ok());
    ::close(connection);
    int status = 0;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    CHECK(WEXITSTATUS(status) == 1);
    if (!request) CHECK(request.error().kind == Kind::refused);
    ::close(*fd);
  }
}
