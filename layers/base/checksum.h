// XXH3-64, the checksum of everything in the store (layers/FORMAT.md). A digest of 0 is mapped to 1,
// so that a zeroed record can never carry a valid checksum.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace branchfs {

std::uint64_t checksum(std::span<const std::byte> bytes, std::uint64_t seed = 0);

}  // namespace branchfs
