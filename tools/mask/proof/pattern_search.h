// Exact search for a large set of byte strings at once.
//
// Built for millions of patterns of at least kShortest bytes. Only every kStride-th position of the data is looked at: each pattern has, for
// each of the kStride ways in which it may lie relative to those positions, one q-gram at such a position, and a bitmap of the size of an L2
// cache knows all these q-grams. What passes it is looked up by the 8 bytes around it in a hash table and compared in full. For both the
// rarest choice within the set is taken, so that a common part ("@example.com", "ACC-0000") makes neither the bitmap nor
// a chain of the table crowded. Exactly one q-gram of an occurrence is looked at, so it is reported once.
//
// Owner: WitnessSet. add(), then build(), then immutable: find() from any number of threads. The patterns stay the owner's.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "tools/mask/proof/secret_memory.h"

namespace branchfs::mask {

class PatternSearch {
 public:
  static constexpr std::size_t kShortest = 8;
  static constexpr std::size_t kStride = 4;
  static constexpr std::size_t kLongest = 4096;
  // Of a longer pattern the q-grams are taken from so many bytes: enough to choose from.
  static constexpr std::size_t kChoice = 64;

  // The pattern `bytes[offset, offset + size)` of the arena given to build(); `id` is what find() reports.
  void add(std::uint32_t id, std::size_t offset, std::size_t size);
  void build(const SecretBytes& arena);
  [[nodiscard]] bool empty() const { return patterns_.empty(); }
  // Whether a q-gram of zeros has to be looked up: else zeros can be skipped.
  [[nodiscard]] bool looks_for_zeros() const;

  using Found = std::function<bool(std::uint32_t id, std::size_t offset)>;
  // Occurrences in `bytes` that are noticed at positions [from, to); all of them for [0, bytes.size()). False when `found` stopped it.
  bool find(std::span<const std::byte> bytes, std::size_t from, std::size_t to, const Found& found) const;

 private:
  struct Pattern {
    std::uint64_t offset = 0;
    std::uint32_t size = 0;
    std::uint32_t id = 0;
  };
  // One of kStride for each pattern: the 8 bytes at `window` of it are in the table, the q-gram `shift` bytes further on is in the bitmap.
  struct Entry {
    std::uint32_t pattern = 0;
    std::uint16_t window = 0;
    std::uint8_t shift = 0;
    std::uint8_t check = 0;
  };
  class Counts;
  // A place in the data whose 8 bytes have to be looked up.
  struct Candidate {
    std::size_t window;
    std::uint64_t hash;
    std::uint32_t shift;
  };
  Entry choose(std::uint32_t pattern, std::size_t residue, const Counts& grams, const Counts& windows) const;
  void fill_table(const SecretVector<Entry>& entries);
  std::size_t notice(std::span<const std::byte> bytes, std::size_t from, std::size_t to, std::size_t* noticed) const;
  bool look_up(std::span<const std::byte> bytes, std::span<const std::size_t> noticed, const Found& found) const;
  bool compare(std::span<const std::byte> bytes, const Candidate& candidate, const Found& found) const;
  [[nodiscard]] const char* text(const Pattern& pattern) const { return arena_->data() + pattern.offset; }

  const SecretBytes* arena_ = nullptr;
  SecretVector<Pattern> patterns_;
  [[nodiscard]] static std::size_t choice(const Pattern& pattern) { return pattern.size < kChoice ? pattern.size : kChoice; }

  std::size_t gram_ = 0;  // q
  std::uint64_t gram_mask_ = 0;
  unsigned filter_shift_ = 64;
  unsigned bucket_shift_ = 64;
  SecretVector<std::uint64_t> filter_;  // two bits of one word for each q-gram
  SecretVector<std::uint32_t> heads_;   // of each bucket its first entry; one more at the end
  SecretVector<Entry> entries_;
};

}  // namespace branchfs::mask
