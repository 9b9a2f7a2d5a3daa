// ledger URL FILE WRITERS FIRST: commits numbered rows until SIGTERM, and writes down what was acknowledged.
//
// Each writer has a connection of its own and commits its numbers one after the other: writer w of n takes
// FIRST + w, FIRST + w + n, … into the table ledger(number). Only after the server has acknowledged a commit,
// the line "NUMBER NANOSECONDS" (CLOCK_REALTIME) is appended to FILE with one write(): whatever FILE holds at
// some moment was acknowledged before that moment. The exit code is 0 after SIGTERM, 1 when a connection
// failed.
#include <fcntl.h>
#include <libpq-fe.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

std::atomic<bool> g_stop{false};

void stop_writing(int) { g_stop = true; }

std::uint64_t now_ns() {
  ::timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;

bool commit(PGconn* connection, std::uint64_t number) {
  const std::string text = std::to_string(number);
  const std::array<const char*, 1> values{text.c_str()};
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(
      PQexecParams(connection, "INSERT INTO ledger (number) VALUES ($1::bigint)", 1, nullptr, values.data(),
                   nullptr, nullptr, 0),
      &PQclear);
  return PQresultStatus(result.get()) == PGRES_COMMAND_OK;
}

bool write_down(int fd, std::uint64_t number) {
  const std::string line = std::to_string(number) + " " + std::to_string(now_ns()) + "\n";
  return ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
}

bool run_writer(const char* url, int fd, std::uint64_t first, std::uint64_t step) {
  const Connection connection(PQconnectdb(url), &PQfinish);
  bool good = PQstatus(connection.get()) == CONNECTION_OK;
  for (std::uint64_t number = first; good && !g_stop; number += step) {
    good = commit(connection.get(), number) && write_down(fd, number);
  }
  if (!good)
    std::fprintf(stderr, "ledger: writer %ju: %s", static_cast<std::uintmax_t>(first % step),
                 PQerrorMessage(connection.get()));
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fputs("usage: ledger URL FILE WRITERS FIRST\n", stderr);
    return 2;
  }
  const std::uint64_t writers = std::strtoull(argv[3], nullptr, 10);
  const std::uint64_t first = std::strtoull(argv[4], nullptr, 10);
  const int fd = ::open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0 || writers == 0) {
    std::perror("ledger");
    return 2;
  }
  struct sigaction action {};
  action.sa_handler = stop_writing;
  ::sigaction(SIGTERM, &action, nullptr);

  std::atomic<bool> good{true};
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < writers; ++i) {
    threads.emplace_back([&, i] {
      if (!run_writer(argv[1], fd, first + i, writers)) good = false;
    });
  }
  for (std::thread& thread : threads) thread.join();
  return good ? 0 : 1;
}
