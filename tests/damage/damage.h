// What a disk, a tool or a hand may do to one file of a store. Deterministic: a seed and a number give one damage.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace branchfs::test {

// A small generator of random numbers that gives the same ones everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ULL + 0xD1B54A32D192ED03ULL) {}
  std::uint64_t next() {
    state_ ^= state_ << 13U;
    state_ ^= state_ >> 7U;
    state_ ^= state_ << 17U;
    return state_ * 0x2545F4914F6CDD1DULL;
  }
  std::uint64_t below(std::uint64_t end) { return end == 0 ? 0 : (next() >> 11U) % end; }

 private:
  std::uint64_t state_;
};

enum class Harm : std::uint8_t {
  flip, zero_512, zero_4096, zero_8192, garbage_512, truncate, truncate_512, empty, extend, swap_blocks, swap_files, remove, directory, symlink, fifo
};
inline constexpr unsigned kHarms = 15;
const char* name_of(Harm harm);

// Does it to the file at `path`, which nobody shares (no hard links); `other` is a file of the same kind, "" when there is none.
// Says what was done; "" when that left everything as it was.
std::string inflict(Harm harm, const std::string& path, const std::string& other, Random& random);

std::string slurp(const std::string& path);
void spill(const std::string& path, const std::string& bytes);

}  // namespace branchfs::test
