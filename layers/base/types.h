// The units of the storage engine, as types that do not convert into each other.
// Plain values; no ownership, no threads.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "layers/base/result.h"

namespace branchfs {

// The unit of copy-on-write: Postgres's page size, so that a page write copies nothing.
inline constexpr std::uint32_t kBlockShift = 13;
inline constexpr std::uint32_t kBlockSize = 1U << kBlockShift;

// No file is larger: what ext4 can hold, below which deltas keep data at the same offsets. EFBIG beyond.
inline constexpr std::uint64_t kMaxFileSize = std::uint64_t{1} << 44;

// An inode number. Unique in a branch's whole lineage, never reused. 0 = none, 1 = the root.
struct Ino {
  std::uint64_t v = 0;
  auto operator<=>(const Ino&) const = default;
};
inline constexpr Ino kNoIno{0};
inline constexpr Ino kRootIno{1};

// A block's index within a file (offset / kBlockSize).
struct BlockNo {
  std::uint64_t v = 0;
  auto operator<=>(const BlockNo&) const = default;
};

// `count` blocks from `first` on.
struct BlockRange {
  BlockNo first;
  std::uint64_t count = 0;
  [[nodiscard]] std::uint64_t end() const { return first.v + count; }
  bool operator==(const BlockRange&) const = default;
};

inline BlockNo block_of(std::uint64_t offset) { return BlockNo{offset >> kBlockShift}; }
inline std::uint64_t offset_of(BlockNo block) { return block.v << kBlockShift; }
inline std::uint64_t blocks_for(std::uint64_t bytes) {
  return (bytes >> kBlockShift) + ((bytes & (kBlockSize - 1)) != 0 ? 1 : 0);
}

// 128 random bits that name a store, a branch, a delta or a layer. All zero is never valid.
struct ObjectId {
  std::uint64_t hi = 0;
  std::uint64_t lo = 0;
  auto operator<=>(const ObjectId&) const = default;
  [[nodiscard]] bool valid() const { return hi != 0 || lo != 0; }
  [[nodiscard]] std::string hex() const;  // 32 lower-case digits
  static Result<ObjectId> parse(std::string_view hex);
};

}  // namespace branchfs

template <>
struct std::hash<branchfs::Ino> {
  std::size_t operator()(branchfs::Ino i) const noexcept {
    return static_cast<std::size_t>(i.v * 0x9E3779B97F4A7C15ULL);
  }
};
template <>
struct std::hash<branchfs::ObjectId> {
  std::size_t operator()(branchfs::ObjectId i) const noexcept {
    return static_cast<std::size_t>(i.hi ^ (i.lo * 0x9E3779B97F4A7C15ULL));
  }
};
