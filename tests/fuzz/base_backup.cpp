// What a server answers to BASE_BACKUP, as libpq hands it on: an input is all that it sends on the replication connection once that is
// open, first a byte that says which major it claims to be. The connection for plain SQL is refused, as replication users often are.
#include "tools/import/base_backup.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <thread>

#include "tests/fuzz/support.h"

namespace {

using namespace branchfs;
using namespace branchfs::fuzz;

std::string big_endian(std::uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> static_cast<unsigned>(shift) & 0xFFU);
  return out;
}
std::string message(char type, const std::string& body) { return type + big_endian(static_cast<std::uint32_t>(body.size() + 4)) + body; }

// AuthenticationOk, the version, BackendKeyData, ReadyForQuery.
std::string greeting(unsigned major) {
  const std::string version = std::string("server_version") + '\0' + std::to_string(major) + ".1" + '\0';
  return message('R', big_endian(0)) + message('S', version) + message('K', big_endian(1) + big_endian(2)) + message('Z', "I");
}
std::string refusal() {
  return message('E', std::string("SFATAL") + '\0' + "C28000" + '\0' + "Mno pg_hba.conf entry" + '\0' + '\0');
}

// libpq makes room for a message as soon as it knows its length, up to 1 GiB: nothing of ours, and no news.
bool is_reasonable(std::string_view messages) {
  constexpr std::uint32_t kMost = 1U << 20U;
  while (messages.size() >= 5) {
    std::uint32_t size = 0;
    for (std::size_t i = 1; i < 5; ++i) size = size << 8U | static_cast<unsigned char>(messages[i]);
    if (size > kMost) return false;
    messages.remove_prefix(std::min<std::size_t>(messages.size(), std::max(size, 4U) + 1));
  }
  return true;
}

class Server {
 public:
  Server() {
    const char* tmp = std::getenv("TMPDIR");
    dir_ = std::string(tmp != nullptr ? tmp : "/tmp") + "/branchfs-fuzz-XXXXXX";
    expect(::mkdtemp(dir_.data()) != nullptr);
    listen_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ::sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (dir_ + "/.s.PGSQL.1").copy(address.sun_path, sizeof address.sun_path - 1);
    expect(::bind(listen_, reinterpret_cast<const ::sockaddr*>(&address), sizeof address) == 0 && ::listen(listen_, 8) == 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    ::shutdown(listen_, SHUT_RDWR);
    thread_.join();
    ::close(listen_);
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] std::string url() const { return "host=" + dir_ + " port=1 user=u dbname=d password=p"; }
  void set_answer(std::string answer) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
  }

 private:
  void serve() {
    for (;;) {
      const int fd = ::accept4(listen_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      char startup[4096];
      const auto got = ::recv(fd, startup, sizeof startup, 0);
      const std::string_view asked(startup, got > 0 ? static_cast<std::size_t>(got) : 0);
      {
        const std::lock_guard lock(mutex_);
        const std::string& answer = asked.find("replication") == std::string_view::npos ? refusal_ : answer_;
        ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
      }
      // What it still sends is read to its end: closing on unread bytes would take the answer with it.
      ::shutdown(fd, SHUT_WR);
      while (::recv(fd, startup, sizeof startup, 0) > 0) {
      }
      ::close(fd);
    }
  }

  std::string dir_;
  int listen_ = -1;
  std::mutex mutex_;
  std::string answer_;
  const std::string refusal_ = refusal();
  std::thread thread_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Server server;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty() || !is_reasonable(input.substr(1))) return 0;
  const unsigned major = input[0] % 2 == 0 ? 14 : 15;
  server.set_answer(greeting(major).append(input.substr(1)));
  auto backup = BaseBackup::start(server.url());
  if (!backup) return 0;
  BaseBackup& stream = **backup;
  expect(!stream.archives().empty() && stream.archives().back().oid.empty());
  for (;;) {
    const auto archive = stream.next_archive();
    if (!archive || !*archive) break;
    for (auto bytes = stream.read(); bytes && !bytes->empty(); bytes = stream.read()) {
    }
  }
  ignore(stream.finish());
  return 0;
}
