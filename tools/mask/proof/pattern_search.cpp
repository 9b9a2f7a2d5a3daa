#include "tools/mask/proof/pattern_search.h"

#include <algorithm>
#include <bit>
#include <limits>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace branchfs::mask {
namespace {

constexpr std::size_t kLoad = 8;        // bytes read at once; the q-gram is in them
constexpr std::size_t kAtOnce = 8192;  // positions between two looks at the table
// 16 bits or more for each q-gram: one in seventy others passes. At most 1 MiB, a common second-level cache.
constexpr std::size_t kGramsPerWord = 4;
constexpr unsigned kMostFilterWords = 17;
constexpr unsigned kLeastFilterWords = 6;
constexpr std::size_t kPerBucket = 5;  // of a bucket's slots, on average at most

__extension__ using Wide = unsigned __int128;

// The upper bits say which bucket, the lower ones are the fingerprint: all depend on all bytes.
std::uint64_t table_hash(std::uint64_t gram) {
  constexpr std::uint64_t kMask = ~0ULL >> (64 - 8 * PatternSearch::kGram);
  const Wide product = static_cast<Wide>((gram & kMask) ^ 0xC2B2AE3D27D4EB4FULL) * 0x9FB21C651E98DF25ULL;
  const std::uint64_t folded = static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
  return folded * 0xD6E8FEB86659FD93ULL;
}
std::uint32_t check_of(std::uint64_t bytes) { return static_cast<std::uint32_t>(bytes * 0x9FB21C651E98DF25ULL >> 32U); }

// Bit i: the i-th of eight fingerprints is this one.
unsigned slots_of(const std::uint32_t* fingerprints, std::uint32_t fingerprint) {
#ifdef __SSE2__
  const __m128i wanted = _mm_set1_epi32(static_cast<int>(fingerprint));
  const auto* at = reinterpret_cast<const __m128i*>(fingerprints);
  const __m128i low = _mm_cmpeq_epi32(_mm_loadu_si128(at), wanted);
  const __m128i high = _mm_cmpeq_epi32(_mm_loadu_si128(at + 1), wanted);
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_packs_epi16(_mm_packs_epi32(low, high), _mm_setzero_si128())));
#else
  unsigned mask = 0;
  for (unsigned i = 0; i < 8; ++i) mask |= (fingerprints[i] == fingerprint ? 1U : 0U) << i;
  return mask;
#endif
}

unsigned log2_ceil(std::size_t value) { return static_cast<unsigned>(std::bit_width(value > 1 ? value - 1 : 0)); }

}  // namespace

// How often a q-gram occurs in the set, roughly: what shares a counter counts together.
class PatternSearch::Counts {
 public:
  explicit Counts(std::size_t expected) : shift_(64 - std::clamp(log2_ceil(expected), 10U, 24U)), counts_(std::size_t{1} << (64 - shift_)) {}
  void add(std::uint64_t gram) {
    std::uint16_t& count = counts_[filter_hash(gram) >> shift_];
    if (count != std::numeric_limits<std::uint16_t>::max()) ++count;
  }
  [[nodiscard]] std::uint32_t of(std::uint64_t gram) const { return counts_[filter_hash(gram) >> shift_]; }

 private:
  unsigned shift_;
  SecretVector<std::uint16_t> counts_;
};

void PatternSearch::add(std::uint32_t id, std::size_t offset, std::size_t size) {
  patterns_.push_back({offset, static_cast<std::uint32_t>(size), id});
}

PatternSearch::Range PatternSearch::grams_of(const Pattern& pattern) {
  const std::size_t inset = pattern.size >= kInner ? 1 : 0;
  return {inset, std::min<std::size_t>(pattern.size - kGram - inset, std::numeric_limits<std::uint16_t>::max())};
}

void PatternSearch::build(const SecretBytes& arena) {
  arena_ = &arena;
  if (patterns_.empty()) return;
  std::size_t positions = 0;
  for (const Pattern& p : patterns_) positions += p.size - kShortest + 1;
  Counts counts(positions);
  for (const Pattern& p : patterns_) {
    const auto [first, last] = grams_of(p);
    for (std::size_t at = first; at <= last; ++at) counts.add(gram_at(p, at));
  }
  SecretVector<Key> keys;
  keys.reserve(patterns_.size() * kStride);
  for (std::uint32_t i = 0; i < patterns_.size(); ++i) {
    for (std::size_t residue = 0; residue < kStride; ++residue) {
      const std::size_t at = choose(patterns_[i], residue, counts);
      keys.push_back({table_hash(gram_at(patterns_[i], at)), i, static_cast<std::uint16_t>(at)});
    }
  }
  std::sort(keys.begin(), keys.end(), [](const Key& a, const Key& b) { return a.hash < b.hash; });
  fill_filter(keys);
  fill_table(keys);
}

// In two halves that overlap: the byte after a pattern may not be there to be read, and a copy of seven bytes is slow to be read back as eight.
std::uint64_t PatternSearch::gram_at(const Pattern& pattern, std::size_t at) const {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  std::memcpy(&low, text(pattern) + at, sizeof low);
  std::memcpy(&high, text(pattern) + at + kGram - sizeof high, sizeof high);
  return low | static_cast<std::uint64_t>(high) << (8 * (kGram - sizeof high));
}

// Among those that are `residue` more than a multiple of kStride into the pattern.
std::size_t PatternSearch::choose(const Pattern& pattern, std::size_t residue, const Counts& counts) const {
  // A run of one byte is what ordinary data is full of, whatever the set says.
  constexpr std::uint32_t kRunPenalty = 1 << 16;
  const auto [first, last] = grams_of(pattern);
  std::size_t best = 0;
  std::uint32_t best_cost = std::numeric_limits<std::uint32_t>::max();
  for (std::size_t at = first + (first % kStride == residue ? 0 : 1); at <= last; at += kStride) {
    const std::uint64_t gram = gram_at(pattern, at);
    const std::uint64_t run = (gram & 0xFFU) * (0x0101010101010101ULL >> (64 - 8 * kGram));
    const std::uint32_t cost = counts.of(gram) + (gram == run ? kRunPenalty : 0);
    if (cost >= best_cost) continue;
    best_cost = cost;
    best = at;
  }
  return best;
}

void PatternSearch::fill_filter(const SecretVector<Key>& keys) {
  const unsigned words = std::clamp(log2_ceil(keys.size() / kGramsPerWord), kLeastFilterWords, kMostFilterWords);
  filter_shift_ = 64 - words;
  filter_.assign(std::size_t{1} << words, 0);
  for (const Key& key : keys) {
    const std::uint64_t hash = filter_hash(gram_at(patterns_[key.pattern], key.at));
    filter_[hash >> filter_shift_] |= 1ULL << (hash >> kFirstBit & 63U) | 1ULL << (hash >> kSecondBit & 63U);
  }
}

PatternSearch::Entry PatternSearch::make_entry(const Key& key) const {
  const Pattern& p = patterns_[key.pattern];
  const Range range{0, std::min<std::size_t>(p.size - kLoad, std::numeric_limits<std::uint16_t>::max())};
  Entry entry;
  entry.pattern = key.pattern;
  entry.gram_at = key.at;
  entry.check_at = static_cast<std::uint16_t>(key.at > range.last / 2 ? range.first : range.last);
  entry.check = check_of(load(text(p) + entry.check_at));
  return entry;
}

// In the order of the hashes, so that a bucket's overflow is in the next ones, up to the first that has a free slot. Some more at the end
// take the last one's.
void PatternSearch::fill_table(const SecretVector<Key>& keys) {
  bucket_count_ = keys.size() / kPerBucket + 1;
  Bucket none{};
  std::fill(std::begin(none.entries), std::end(none.entries), kNone);
  buckets_.assign(bucket_count_ + keys.size() / kSlots + 1, none);
  entries_.resize(keys.size());
  std::size_t slot = 0;
  for (std::uint32_t i = 0; i < keys.size(); ++i) {
    entries_[i] = make_entry(keys[i]);
    entries_[i].last = i + 1 == keys.size() || keys[i + 1].hash != keys[i].hash;
    if (i > 0 && keys[i - 1].hash == keys[i].hash) continue;
    slot = std::max(slot, bucket_of(keys[i].hash) * kSlots);
    buckets_[slot / kSlots].fingerprints[slot % kSlots] = static_cast<std::uint32_t>(keys[i].hash);
    buckets_[slot / kSlots].entries[slot % kSlots] = i;
    ++slot;
  }
}

template <class VisitEntry>
bool PatternSearch::for_each_entry(std::uint64_t hash, VisitEntry visit) const {
  for (const Bucket* bucket = &buckets_[bucket_of(hash)];; ++bucket) {
    for (unsigned mask = slots_of(bucket->fingerprints, static_cast<std::uint32_t>(hash)); mask != 0; mask &= mask - 1) {
      const std::uint32_t entry = bucket->entries[std::countr_zero(mask)];
      if (entry != kNone && !visit(entry)) return false;
    }
    if (bucket->entries[kSlots - 1] == kNone) return true;
  }
}

// Without a branch for each position: whether one passes is chance, and a wrong guess costs more than the rest. The first bit is asked for at
// all positions, the second where the first is set.
std::size_t PatternSearch::notice(const std::byte* data, std::size_t count, Noticed* noticed) const {
  const std::uint64_t* filter = filter_.data();
  const unsigned shift = filter_shift_;
  std::size_t passed = 0;
  auto probe = [&](std::size_t i) {
    const std::uint64_t hash = filter_hash(load(data + i));
    noticed[passed] = static_cast<Noticed>(i);
    passed += filter[hash >> shift] >> (hash >> kFirstBit & 63U) & 1U;
  };
  std::size_t i = 0;
  for (; i + 3 * kStride < count; i += 4 * kStride) {
    probe(i);
    probe(i + kStride);
    probe(i + 2 * kStride);
    probe(i + 3 * kStride);
  }
  for (; i < count; i += kStride) probe(i);
  std::size_t kept = 0;
  for (std::size_t k = 0; k < passed; ++k) {
    const std::uint64_t hash = filter_hash(load(data + noticed[k]));
    noticed[kept] = noticed[k];
    kept += filter[hash >> shift] >> (hash >> kSecondBit & 63U) & 1U;
  }
  return kept;
}

bool PatternSearch::compare(std::span<const std::byte> bytes, std::size_t at, std::uint32_t entry, const Found& found) const {
  for (const Entry* e = &entries_[entry];; ++e) {
    const std::size_t start = at - e->gram_at;
    if (e->gram_at <= at && start + e->check_at + kLoad <= bytes.size() &&
        check_of(load(bytes.data() + start + e->check_at)) == e->check) {
      const Pattern& p = patterns_[e->pattern];
      const bool equal = p.size <= bytes.size() - start && std::memcmp(bytes.data() + start, text(p), p.size) == 0;
      if (equal && !found(p.id, start)) return false;
    }
    if (e->last) return true;
  }
}

// The table is larger than the nearest caches: many wait for it together.
bool PatternSearch::look_up(std::span<const std::byte> bytes, std::size_t base, std::span<const Noticed> noticed, const Found& found) const {
  constexpr std::size_t kTogether = 128;
  std::uint64_t hashes[kTogether];  // not initialized: few are used
  for (; !noticed.empty(); noticed = noticed.subspan(std::min(kTogether, noticed.size()))) {
    const std::size_t count = std::min(kTogether, noticed.size());
    for (std::size_t i = 0; i < count; ++i) {
      hashes[i] = table_hash(load(bytes.data() + base + noticed[i]));
      __builtin_prefetch(&buckets_[bucket_of(hashes[i])]);
    }
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = base + noticed[i];
      if (!for_each_entry(hashes[i], [&](std::uint32_t entry) { return compare(bytes, at, entry, found); })) return false;
    }
  }
  return true;
}

bool PatternSearch::find(std::span<const std::byte> bytes, std::size_t from, std::size_t to, const Found& found) const {
  if (patterns_.empty() || bytes.size() < kShortest) return true;
  const std::size_t whole = std::min(to, bytes.size() - kLoad + 1);
  Noticed noticed[kAtOnce / kStride];
  for (std::size_t at = (from + kStride - 1) / kStride * kStride; at < whole; at += kAtOnce) {
    const std::size_t count = notice(bytes.data() + at, std::min(kAtOnce, whole - at), noticed);
    if (!look_up(bytes, at, {noticed, count}, found)) return false;
  }
  // The q-gram that ends with the data cannot be loaded with a byte after it.
  static_assert(kLoad == kGram + 1);
  const std::size_t last = bytes.size() - kGram;
  if (last < from || last >= to || last % kStride != 0) return true;
  std::uint64_t gram = 0;
  std::memcpy(&gram, bytes.data() + last, kGram);
  return !may_have(gram) || for_each_entry(table_hash(gram), [&](std::uint32_t entry) { return compare(bytes, last, entry, found); });
}

bool PatternSearch::with_gram(std::uint64_t gram, const Visit& visit) const {
  if (patterns_.empty()) return true;
  return for_each_entry(table_hash(gram), [&](std::uint32_t entry) {
    for (const Entry* e = &entries_[entry];; ++e) {
      const Pattern& p = patterns_[e->pattern];
      if (!visit(p.id, {text(p), p.size}, e->gram_at)) return false;
      if (e->last) return true;
    }
  });
}

}  // namespace branchfs::mask
