#include "layers/base/checksum.h"

#include <xxhash.h>

namespace branchfs {

std::uint64_t checksum(std::span<const std::byte> bytes, std::uint64_t seed) {
  std::uint64_t digest = XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
  return digest == 0 ? 1 : digest;
}

}  // namespace branchfs
