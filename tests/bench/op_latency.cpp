// How long single system calls of one process take: percentiles of one operation, as one line of JSON in microseconds.
//
//   op-latency-bench OPERATION PATH COUNT SEED
//
// PATH is a directory for append, create_unlink and stat (a file or directory of its own is made in it, and removed), else a file
// of at least 16 MiB whose blocks may be overwritten (write, write_sync) or are read (read_cached, read_cold). Dropping caches before
// read_cold is the caller's; blocks are then read at random places, each once, so that readahead brings nothing.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr std::size_t kBlock = 8192;

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "op-latency-bench: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

int open_or_die(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd < 0) die("open " + path);
  return fd;
}

// Microseconds of `count` calls of `operation`, which is given the number of the call.
std::vector<double> measure(std::size_t count, const std::function<void(std::size_t)>& operation) {
  std::vector<double> times;
  times.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    operation(i);
    times.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count());
  }
  return times;
}

struct Call {
  std::string operation, path;
  std::size_t count = 0;
  std::mt19937_64 random;
};

std::vector<double> on_blocks(Call& call) {
  const bool writes = call.operation.starts_with("write");
  const bool syncs = call.operation == "write_sync";
  const bool cached = call.operation == "read_cached";
  const int fd = open_or_die(call.path, writes ? O_RDWR : O_RDONLY);
  struct stat info {};
  if (::fstat(fd, &info) != 0) die("stat " + call.path);
  std::vector<std::size_t> blocks(static_cast<std::size_t>(info.st_size) / kBlock);
  if (blocks.size() < 16) {
    errno = EINVAL;
    die(call.path + " is too small");
  }
  std::iota(blocks.begin(), blocks.end(), std::size_t{0});
  std::shuffle(blocks.begin(), blocks.end(), call.random);
  if (!cached && !writes) ::posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
  // Cached: a few hundred blocks, each read before.
  if (cached) blocks.resize(std::min<std::size_t>(blocks.size(), 256));
  std::vector<char> buffer(kBlock);
  auto read = [&](std::size_t block) {
    if (::pread(fd, buffer.data(), kBlock, static_cast<off_t>(block * kBlock)) != kBlock) die("read " + call.path);
  };
  if (cached) std::ranges::for_each(blocks, read);
  if (!writes && !cached) call.count = std::min(call.count, blocks.size());
  for (char& byte : buffer) byte = static_cast<char>(call.random());
  auto times = measure(call.count, [&](std::size_t i) {
    const std::size_t block = blocks[i % blocks.size()];
    if (!writes) return read(block);
    if (::pwrite(fd, buffer.data(), kBlock, static_cast<off_t>(block * kBlock)) != kBlock) die("write " + call.path);
    if (syncs && ::fdatasync(fd) != 0) die("fdatasync " + call.path);
  });
  ::close(fd);
  return times;
}

std::vector<double> append(const Call& call) {
  const std::string path = call.path + "/op-latency";
  const int fd = open_or_die(path, O_WRONLY | O_CREAT | O_TRUNC);
  const std::vector<char> buffer(kBlock, 'x');
  auto times = measure(call.count, [&](std::size_t i) {
    if (::pwrite(fd, buffer.data(), kBlock, static_cast<off_t>(i * kBlock)) != kBlock) die("write " + path);
  });
  ::close(fd);
  ::unlink(path.c_str());
  return times;
}

std::vector<double> create_unlink(const Call& call) {
  const std::string path = call.path + "/op-latency";
  return measure(call.count, [&](std::size_t) {
    ::close(open_or_die(path, O_WRONLY | O_CREAT | O_EXCL));
    if (::unlink(path.c_str()) != 0) die("unlink " + path);
  });
}

std::vector<double> stat_files(const Call& call) {
  const std::string place = call.path + "/op-latency";
  if (::mkdir(place.c_str(), 0700) != 0) die("mkdir " + place);
  std::vector<std::string> paths;
  for (int i = 0; i < 100; ++i) {
    paths.push_back(place + "/" + std::to_string(i));
    ::close(open_or_die(paths.back(), O_WRONLY | O_CREAT | O_EXCL));
  }
  struct stat info {};
  auto times = measure(call.count, [&](std::size_t i) {
    if (::stat(paths[i % paths.size()].c_str(), &info) != 0) die("stat " + paths[i % paths.size()]);
  });
  for (const std::string& path : paths) ::unlink(path.c_str());
  ::rmdir(place.c_str());
  return times;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fputs("usage: op-latency-bench write|write_sync|append|read_cached|read_cold|create_unlink|stat PATH COUNT SEED\n", stderr);
    return 2;
  }
  Call call{argv[1], argv[2], std::strtoul(argv[3], nullptr, 10), std::mt19937_64(std::strtoul(argv[4], nullptr, 10))};
  std::vector<double> times;
  if (call.operation == "append") times = append(call);
  else if (call.operation == "create_unlink") times = create_unlink(call);
  else if (call.operation == "stat") times = stat_files(call);
  else times = on_blocks(call);
  std::ranges::sort(times);
  auto share = [&](double part) { return times[std::min(times.size() - 1, static_cast<std::size_t>(part * static_cast<double>(times.size())))]; };
  std::printf("{\"p50\": %.2f, \"p95\": %.2f, \"p99\": %.2f}\n", share(0.5), share(0.95), share(0.99));
}
