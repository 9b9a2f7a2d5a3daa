// Which chunk has which checksum: the candidates for deduplication. Owner: a LayerWriter; thread: one at a
// time. Memory: 16 bytes for each slot, at most 2/3 filled. A checksum proves nothing: the caller compares
// bytes.
#pragma once

#include <cstdint>
#include <vector>

namespace branchfs {

class ChunkTable {
 public:
  struct Place {
    std::uint32_t layer = 0;  // as the owner numbers them
    std::uint32_t chunk = 0;
  };
  // Kept only while fewer than kMaxEqual chunks have this checksum: crafted collisions must not cost time.
  void add(std::uint64_t checksum, Place place);
  // Calls `same` for the candidates in the order in which they were added, until it returns true.
  template <class Same>
  bool find(std::uint64_t checksum, Same same) const {
    if (slots_.empty()) return false;
    for (std::size_t i = slot_of(checksum); slots_[i].checksum != 0; i = (i + 1) & (slots_.size() - 1)) {
      if (slots_[i].checksum == checksum && same(slots_[i].place)) return true;
    }
    return false;
  }

 private:
  static constexpr unsigned kMaxEqual = 4;
  struct Slot {
    std::uint64_t checksum = 0;  // 0: free (no checksum is 0)
    Place place;
  };
  [[nodiscard]] std::size_t slot_of(std::uint64_t checksum) const {
    return static_cast<std::size_t>(checksum * 0x9E3779B97F4A7C15ULL >> 20U) & (slots_.size() - 1);
  }
  void insert(const Slot& slot);
  std::vector<Slot> slots_;  // a power of two
  std::size_t used_ = 0;
};

}  // namespace branchfs
