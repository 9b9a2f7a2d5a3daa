// How many requests of each kind the kernel sent. Written by the request threads, read by `status`.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace branchfs {

enum class Op : std::uint8_t {
  lookup,
  forget,
  getattr,
  setattr,
  readlink,
  mknod,
  mkdir,
  unlink,
  rmdir,
  symlink,
  rename,
  link,
  open,
  create,
  read,
  write,
  fsync,
  fsyncdir,
  opendir,
  readdir,
  readdirplus,
  releasedir,
  statfs,
  fallocate,
  lseek,
  copy_file_range,
  count_,
};

inline constexpr std::array<const char*, static_cast<std::size_t>(Op::count_)> kOpNames = {
    "lookup", "forget",          "getattr", "setattr", "readlink",    "mknod",      "mkdir",  "unlink",
    "rmdir",  "symlink",         "rename",  "link",    "open",        "create",     "read",   "write",
    "fsync",  "fsyncdir",        "opendir", "readdir", "readdirplus", "releasedir", "statfs", "fallocate",
    "lseek",  "copy_file_range",
};

class Counters {
 public:
  void add(Op op, std::uint64_t n = 1) {
    slots_[static_cast<std::size_t>(op)].value.fetch_add(n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t get(Op op) const {
    return slots_[static_cast<std::size_t>(op)].value.load(std::memory_order_relaxed);
  }

 private:
  struct alignas(64) Slot {  // a cache line each: readers and writers do not slow each other down
    std::atomic<std::uint64_t> value{0};
  };
  std::array<Slot, static_cast<std::size_t>(Op::count_)> slots_;
};

}  // namespace branchfs
