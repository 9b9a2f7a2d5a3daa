#include "tests/damage/damage.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

namespace branchfs::test {

namespace fs = std::filesystem;

const char* name_of(Harm harm) {
  constexpr const char* kNames[kHarms] = {"flip", "zero 512", "zero 4096", "zero 8192", "garbage 512", "truncate", "truncate at 512",
                                          "empty", "extend", "swap blocks", "swap files", "remove", "directory", "symlink", "fifo"};
  return kNames[static_cast<unsigned>(harm)];
}

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void spill(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

namespace {

std::string noise(Random& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random.next() >> 40U);
  return bytes;
}

std::string overwrite(std::string& bytes, std::size_t unit, bool zeros, Random& random) {
  if (bytes.empty()) return "";
  const std::size_t at = random.below((bytes.size() + unit - 1) / unit) * unit;
  const std::size_t size = std::min(unit, bytes.size() - at);
  bytes.replace(at, size, zeros ? std::string(size, '\0') : noise(random, size));
  return fmt::format("{} bytes at {}", size, at);
}

std::string change(Harm harm, std::string& bytes, Random& random) {
  switch (harm) {
    case Harm::flip: {
      if (bytes.empty()) return "";
      // A layer's index is at its end, and small beside its chunks.
      constexpr std::size_t kEnd = 3000;
      const std::size_t from = random.below(2) == 0 && bytes.size() > kEnd ? bytes.size() - kEnd : 0;
      const std::size_t at = from + random.below(bytes.size() - from);
      const auto bit = static_cast<unsigned>(random.below(8));
      bytes[at] = static_cast<char>(static_cast<unsigned char>(bytes[at]) ^ (1U << bit));
      return fmt::format("bit {} at {}", bit, at);
    }
    case Harm::zero_512: return overwrite(bytes, 512, true, random);
    case Harm::zero_4096: return overwrite(bytes, 4096, true, random);
    case Harm::zero_8192: return overwrite(bytes, 8192, true, random);
    case Harm::garbage_512: return overwrite(bytes, 512, false, random);
    case Harm::truncate: bytes.resize(random.below(bytes.size())); return fmt::format("to {}", bytes.size());
    case Harm::truncate_512: bytes.resize(random.below(bytes.size() / 512 + 1) * 512); return fmt::format("to {}", bytes.size());
    case Harm::empty: bytes.clear(); return "of all";
    case Harm::extend: {
      const std::size_t size = 1 + random.below(random.below(2) == 0 ? 64 : 9000);
      bytes += noise(random, size);
      return fmt::format("by {}", size);
    }
    case Harm::swap_blocks: {
      constexpr std::size_t kUnits[] = {8, 512, 4096, 8192};
      const std::size_t unit = kUnits[random.below(4)];
      const std::size_t count = bytes.size() / unit;
      if (count < 2) return "";
      const std::size_t a = random.below(count) * unit;
      const std::size_t b = random.below(count) * unit;
      for (std::size_t i = 0; i < unit; ++i) std::swap(bytes[a + i], bytes[b + i]);
      return fmt::format("{} bytes at {} and {}", unit, a, b);
    }
    default: return "";
  }
}

}  // namespace

std::string inflict(Harm harm, const std::string& path, const std::string& other, Random& random) {
  if (harm < Harm::swap_files) {
    std::string bytes = slurp(path);
    const std::string before = bytes;
    std::string what = change(harm, bytes, random);
    if (bytes == before) return "";
    spill(path, bytes);
    return what;
  }
  if (harm == Harm::swap_files) {
    if (other.empty() || slurp(path) == slurp(other)) return "";
    fs::rename(path, path + ".swap");
    fs::rename(other, path);
    fs::rename(path + ".swap", other);
    return "with " + other;
  }
  if (harm == Harm::symlink) {
    fs::rename(path, path + ".elsewhere");
    fs::create_symlink(path + ".elsewhere", path);
    return "to what was there";
  }
  fs::remove(path);
  if (harm == Harm::directory) fs::create_directory(path);
  if (harm == Harm::fifo && ::mkfifo(path.c_str(), 0600) != 0) return "";
  return "instead";
}

}  // namespace branchfs::test
