// A real PostgreSQL cluster for tests: made, started and stopped by its own pid, in a directory of its own.
// As root it runs as the user "postgres". Listens on a socket in its directory and on a loopback port that
// was free.
#pragma once

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "layers/io/env.h"
#include "tests/catch.h"
#include "tests/support/must.h"
#include "tools/pg/binaries.h"
#include "tools/pg/cluster.h"
#include "tools/pg/process.h"

namespace branchfs::test {

class TestDir {
 public:
  TestDir() {
    const char* base = std::getenv("TMPDIR");
    path_ = std::string(base != nullptr ? base : "/tmp") + "/branchfs-test.XXXXXX";
    REQUIRE(::mkdtemp(path_.data()) != nullptr);
    ::chmod(path_.c_str(), 0755);
  }
  ~TestDir() { ignore(posix_env().remove_tree(path_)); }
  TestDir(const TestDir&) = delete;
  TestDir& operator=(const TestDir&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline pg::Identity server_user() {
  return must(::geteuid() == 0 ? pg::identity_named("postgres") : pg::current_identity());
}

inline int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  ::close(fd);
  return ntohs(address.sin_port);
}

class TestCluster {
 public:
  explicit TestCluster(const std::vector<std::string>& initdb_options = {})
      : TestCluster(nullptr, initdb_options) {}
  // On a directory that exists already, which stays the caller's.
  static std::unique_ptr<TestCluster> on(const std::string& data) {
    return std::unique_ptr<TestCluster>(new TestCluster(Existing::yes, data));
  }
  ~TestCluster() { stop(SIGQUIT); }
  TestCluster(const TestCluster&) = delete;
  TestCluster& operator=(const TestCluster&) = delete;

  [[nodiscard]] const std::string& data() const { return data_; }
  [[nodiscard]] const std::string& dir() const { return dir_.path(); }
  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::string url(const std::string& user = "postgres",
                                const std::string& database = "postgres") const {
    return "postgres://" + user + "@127.0.0.1:" + std::to_string(port_) + "/" + database;
  }
  [[nodiscard]] std::string program(const std::string& name) const { return installation_.program(name); }

  void configure(const std::string& lines, const std::string& file = "postgresql.conf") const {
    std::ofstream(data_ + "/" + file, std::ios::app) << lines << "\n";
  }

  void start(const std::vector<std::string>& options = {}) {
    port_ = free_port();
    pg::Command command;
    command.argv = {program("postgres"),         "-D", data_, "-p", std::to_string(port_), "-k", dir(), "-c",
                    "listen_addresses=127.0.0.1"};
    command.argv.insert(command.argv.end(), options.begin(), options.end());
    command.user = server_user();
    command.cwd = "/";
    pid_ = must(pg::start_daemon(command, log_));
    for (int i = 0; i < 600; ++i) {
      pg::Command ask;
      ask.argv = {program("pg_isready"), "-q", "-h", dir(), "-p", std::to_string(port_)};
      if (must(pg::run(ask)).code == 0) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      if (::kill(pid_, 0) != 0) break;
    }
    pid_ = 0;
    FAIL("the server did not start: " << must(posix_env().read_file(log_)));
  }

  // SIGINT: fast, SIGQUIT: immediate, SIGKILL: as a crash. Waits for the end.
  void stop(int signal = SIGINT) {
    if (pid_ == 0) return;
    ::kill(pid_, signal);
    for (int i = 0; i < 600 && ::kill(pid_, 0) == 0; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    pid_ = 0;
  }

  [[nodiscard]] pg::Command client(const std::string& name, std::vector<std::string> options) const {
    pg::Command command;
    command.argv = {program(name), "-h", dir(), "-p", std::to_string(port_), "-U", "postgres"};
    command.argv.insert(command.argv.end(), options.begin(), options.end());
    command.cwd = "/";
    return command;
  }
  std::string psql(const std::string& sql, const std::string& database = "postgres") const {
    std::string out =
        must(pg::succeed(client("psql", {"-XAtqc", sql, "-v", "ON_ERROR_STOP=1", database}))).out;
    while (!out.empty() && out.back() == '\n') out.pop_back();
    return out;
  }
  void run(const std::string& name, const std::vector<std::string>& options) const {
    ignore(Result<int>(must(pg::succeed(client(name, options))).code));
  }
  // A directory beside the data directory, owned by the server's user.
  std::string make_dir(const std::string& name) const {
    const std::string path = dir_ / name;
    REQUIRE(::mkdir(path.c_str(), 0700) == 0);
    if (::geteuid() == 0) REQUIRE(::chown(path.c_str(), server_user().uid, server_user().gid) == 0);
    return path;
  }
  void as_server(std::vector<std::string> argv) const {
    pg::Command command;
    command.argv = std::move(argv);
    command.user = server_user();
    command.cwd = "/";
    must(Status(pg::succeed(command) ? Status() : Status(make_error(Kind::failed, command.argv[0]))));
  }

 private:
  enum class Existing : std::uint8_t { yes };
  TestCluster(std::nullptr_t, const std::vector<std::string>& initdb_options) {
    data_ = make_dir("data");
    prepare();
    std::vector<std::string> argv = {program("initdb"), "-D", data_, "-U",  "postgres", "-A",
                                     "trust",           "-N", "-E",  "UTF8"};
    argv.insert(argv.end(), initdb_options.begin(), initdb_options.end());
    as_server(argv);
  }
  TestCluster(Existing, const std::string& data) : data_(data) { prepare(); }
  void prepare() {
    if (::geteuid() == 0) REQUIRE(::chown(dir().c_str(), server_user().uid, server_user().gid) == 0);
    log_ = dir_ / "server.log";
  }

  TestDir dir_;
  std::string data_;
  std::string log_;
  pg::Installation installation_ = must(pg::newest_installation());
  int port_ = 0;
  pid_t pid_ = 0;
};

}  // namespace branchfs::test
