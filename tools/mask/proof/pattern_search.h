// Exact search for a large set of byte strings at once.
//
// Built for a million patterns of at least kShortest bytes. Of the data only every kStride-th position is looked at, and each pattern has, for
// each way in which it may lie relative to those positions, one q-gram (kGram bytes of it) that stands for it: the one that is rarest in
// the set, so that a common part ("@example.com", "ACC-0000") crowds nothing. A bitmap that fits into a second-level cache knows all of
// them. What passes it is looked up, one cache line each, by a fingerprint of the q-gram, and compared in full. Every occurrence has one such
// q-gram where it is looked for, so it is reported once.
//
// Owner: WitnessSet. add(), then build(), then immutable: the rest from any number of threads. The patterns stay the owner's.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string_view>

#include "tools/mask/proof/secret_memory.h"

namespace branchfs::mask {

class PatternSearch {
 public:
  static constexpr std::size_t kGram = 7;
  static constexpr std::size_t kStride = 2;
  static constexpr std::size_t kShortest = kGram + kStride - 1;
  // From this size on the q-grams hold neither the first nor the last byte: all their bits are known wherever base64 cuts the pattern.
  static constexpr std::size_t kInner = kShortest + 2;

  // The pattern `bytes[offset, offset + size)` of the arena given to build(); `id` is what is reported.
  void add(std::uint32_t id, std::size_t offset, std::size_t size);
  void build(const SecretBytes& arena);
  [[nodiscard]] bool empty() const { return patterns_.empty(); }

  using Found = std::function<bool(std::uint32_t id, std::size_t offset)>;
  // Occurrences in `bytes` whose q-grams are at positions [from, to); all of them for [0, bytes.size()). False when `found` stopped it.
  bool find(std::span<const std::byte> bytes, std::size_t from, std::size_t to, const Found& found) const;

  // For who makes the bytes one by one: whether the q-gram (the kGram low bytes) may be a pattern's; rarely wrong, never for a pattern's. Not of
  // an empty set.
  class Filter {
   public:
    explicit Filter(const PatternSearch& search) : words_(search.filter_.data()), shift_(search.filter_shift_) {}
    bool operator()(std::uint64_t gram) const {
      const std::uint64_t hash = filter_hash(gram);
      return passes(words_[hash >> shift_], hash);
    }

   private:
    const std::uint64_t* words_;
    unsigned shift_;
  };
  [[nodiscard]] bool may_have(std::uint64_t gram) const { return !empty() && Filter(*this)(gram); }
  // The patterns for which it stands, and where in them it is. Who looks at every kStride-th byte meets each occurrence once. False when `visit`
  // stopped it.
  using Visit = std::function<bool(std::uint32_t id, std::string_view text, std::size_t gram_at)>;
  bool with_gram(std::uint64_t gram, const Visit& visit) const;

  static std::uint64_t load(const void* at) {
    std::uint64_t value = 0;
    std::memcpy(&value, at, sizeof value);
    return value;
  }

 private:
  struct Pattern {
    std::uint64_t offset = 0;
    std::uint32_t size = 0;
    std::uint32_t id = 0;
  };
  // Those of one q-gram follow one another. `check` is of the 8 bytes at `check_at`, as far from the q-gram as the pattern allows.
  struct Entry {
    std::uint32_t pattern = 0;
    std::uint32_t check = 0;
    std::uint16_t gram_at = 0;
    std::uint16_t check_at = 0;
    bool last = false;
  };
  // Of one cache line. A full one goes on in the next.
  static constexpr std::size_t kSlots = 8;
  struct Bucket {
    std::uint32_t fingerprints[kSlots];
    std::uint32_t entries[kSlots];  // the q-gram's first; kNone in free slots, which are the last ones
  };
  static constexpr std::uint32_t kNone = UINT32_MAX;
  // A pattern's q-gram, while the table is built.
  struct Key {
    std::uint64_t hash = 0;
    std::uint32_t pattern = 0;
    std::uint16_t at = 0;
  };
  using Noticed = std::uint16_t;  // a position that passed the bitmap, from where the search began
  class Counts;
  struct Range {
    std::size_t first, last;
  };

  // Odd, of irregular bits (the golden ratio's): the products spread over the upper bits.
  // The factor's low byte is zero, so that the byte above the q-gram, which is loaded with it, makes no difference.
  static std::uint64_t filter_hash(std::uint64_t gram) { return gram * (0x9E3779B97F4A7C15ULL << (64 - 8 * kGram)); }
  // Two of the 64 bits of a word; which word, the uppermost bits say.
  static constexpr unsigned kFirstBit = 34, kSecondBit = 40;
  static bool passes(std::uint64_t word, std::uint64_t hash) {
    return ((word >> (hash >> kFirstBit & 63U)) & (word >> (hash >> kSecondBit & 63U)) & 1U) != 0;
  }
  // In the order of the hashes, whatever their number.
  [[nodiscard]] std::size_t bucket_of(std::uint64_t hash) const { return (hash >> 32U) * bucket_count_ >> 32U; }
  static Range grams_of(const Pattern& pattern);
  [[nodiscard]] std::size_t choose(const Pattern& pattern, std::size_t residue, const Counts& counts) const;
  [[nodiscard]] Entry make_entry(const Key& key) const;
  void fill_filter(const SecretVector<Key>& keys);
  void fill_table(const SecretVector<Key>& keys);
  std::size_t notice(const std::byte* data, std::size_t count, Noticed* noticed) const;
  bool look_up(std::span<const std::byte> bytes, std::size_t base, std::span<const Noticed> noticed, const Found& found) const;
  bool compare(std::span<const std::byte> bytes, std::size_t at, std::uint32_t entry, const Found& found) const;
  // All whose fingerprint it is, in the bucket and in those that it may have run over into: false when `visit` stopped it.
  template <class VisitEntry>
  bool for_each_entry(std::uint64_t hash, VisitEntry visit) const;
  [[nodiscard]] std::uint64_t gram_at(const Pattern& pattern, std::size_t at) const;
  [[nodiscard]] const char* text(const Pattern& pattern) const { return arena_->data() + pattern.offset; }

  const SecretBytes* arena_ = nullptr;
  SecretVector<Pattern> patterns_;
  unsigned filter_shift_ = 63;
  std::uint64_t bucket_count_ = 0;
  SecretVector<std::uint64_t> filter_;
  SecretVector<Bucket> buckets_;
  SecretVector<Entry> entries_;
};

}  // namespace branchfs::mask
