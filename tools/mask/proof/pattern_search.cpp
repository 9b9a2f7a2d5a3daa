#include "tools/mask/proof/pattern_search.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace branchfs::mask {
namespace {

constexpr std::size_t kWindow = 8;
constexpr std::size_t kBatch = 129;  // places noticed at once; one more than is ever used is written to
static_assert(PatternSearch::kShortest >= kWindow && PatternSearch::kShortest - kWindow + 1 >= 1);
// Odd, of irregular bits (the golden ratio's and another's): products spread over the upper bits.
constexpr std::uint64_t kGramFactor = 0x9E3779B97F4A7C15ULL;
constexpr std::uint64_t kWindowFactor = 0xC2B2AE3D27D4EB4FULL;
// Half of a common L2 cache: the data and the table want their part.
constexpr unsigned kMostFilterWords = 17;
constexpr unsigned kLeastFilterWords = 6;

std::uint64_t load(const void* at) {
  std::uint64_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

std::uint64_t gram_hash(std::uint64_t gram) {
  const std::uint64_t h = gram * kGramFactor;
  return h ^ (h >> 29U);
}
// Two of the 64 bits of a word; the word itself comes from the uppermost bits.
bool has_bits(std::uint64_t word, std::uint64_t hash) { return ((word >> (hash & 63U)) & (word >> (hash >> 6U & 63U)) & 1U) != 0; }
std::uint64_t bits_of(std::uint64_t hash) { return 1ULL << (hash & 63U) | 1ULL << (hash >> 6U & 63U); }

std::uint64_t window_hash(std::uint64_t window, std::size_t shift) {
  std::uint64_t h = (window ^ (window >> 32U)) * kWindowFactor;
  h = (h ^ (h >> 29U) ^ shift) * kGramFactor;
  return h;
}
std::uint8_t check_of(std::uint64_t hash) { return static_cast<std::uint8_t>(hash >> 8U); }

unsigned log2_ceil(std::size_t value) { return static_cast<unsigned>(std::bit_width(value > 1 ? value - 1 : 0)); }

}  // namespace

// How often something occurs in the set, roughly: what shares a counter counts together.
class PatternSearch::Counts {
 public:
  explicit Counts(std::size_t expected) : shift_(64 - std::clamp(log2_ceil(expected) + 1, 10U, 24U)), counts_(std::size_t{1} << (64 - shift_)) {}
  void add(std::uint64_t key) {
    std::uint16_t& count = counts_[key * kGramFactor >> shift_];
    if (count != std::numeric_limits<std::uint16_t>::max()) ++count;
  }
  [[nodiscard]] std::uint32_t of(std::uint64_t key) const { return counts_[key * kGramFactor >> shift_]; }

 private:
  unsigned shift_;
  SecretVector<std::uint16_t> counts_;
};

void PatternSearch::add(std::uint32_t id, std::size_t offset, std::size_t size) {
  patterns_.push_back({offset, static_cast<std::uint32_t>(size), id});
}

void PatternSearch::build(const SecretBytes& arena) {
  arena_ = &arena;
  if (patterns_.empty()) return;
  std::size_t shortest = kLongest;
  std::size_t positions = 0;
  for (const Pattern& p : patterns_) {
    shortest = std::min<std::size_t>(shortest, p.size);
    positions += choice(p);
  }
  gram_ = std::min(kWindow, shortest - kStride + 1);
  gram_mask_ = gram_ == kWindow ? ~0ULL : (1ULL << (gram_ * 8)) - 1;

  Counts grams(positions);
  Counts windows(positions);
  for (const Pattern& p : patterns_) {
    for (std::size_t i = 0; i + kWindow <= choice(p); ++i) windows.add(load(text(p) + i));
    for (std::size_t i = 0; i + gram_ <= choice(p); ++i) {
      std::uint64_t gram = 0;
      std::memcpy(&gram, text(p) + i, gram_);
      grams.add(gram);
    }
  }
  const std::size_t count = patterns_.size() * kStride;
  const unsigned words = std::clamp(log2_ceil(count * 16 / 64), kLeastFilterWords, kMostFilterWords);
  filter_shift_ = 64 - words;
  filter_.assign(std::size_t{1} << words, 0);
  SecretVector<Entry> entries;
  entries.reserve(count);
  for (std::uint32_t i = 0; i < patterns_.size(); ++i) {
    for (std::size_t residue = 0; residue < kStride; ++residue) {
      const Entry entry = choose(i, residue, grams, windows);
      std::uint64_t gram = 0;
      std::memcpy(&gram, text(patterns_[i]) + entry.window + entry.shift, gram_);
      const std::uint64_t hash = gram_hash(gram);
      filter_[hash >> filter_shift_] |= bits_of(hash);
      entries.push_back(entry);
    }
  }
  fill_table(entries);
}

// A crowded chain costs a comparison for each member whenever its 8 bytes occur, a common q-gram one look-up: so the former weighs more.
PatternSearch::Entry PatternSearch::choose(std::uint32_t pattern, std::size_t residue, const Counts& grams, const Counts& windows) const {
  constexpr std::uint64_t kWindowWeight = 8;
  // A run of one byte is what ordinary data is full of, whatever the set says.
  constexpr std::uint64_t kRunPenalty = 1 << 16;
  const Pattern& p = patterns_[pattern];
  Entry best;
  std::uint64_t best_cost = std::numeric_limits<std::uint64_t>::max();
  for (std::size_t at = residue; at + gram_ <= choice(p); at += kStride) {
    std::uint64_t gram = 0;
    std::memcpy(&gram, text(p) + at, gram_);
    const std::uint64_t run = (gram & 0xFFU) * (0x0101010101010101ULL & gram_mask_);
    const std::uint64_t gram_cost = grams.of(gram) + (gram == run ? kRunPenalty : 0);
    for (std::size_t shift = 0; shift <= kWindow - gram_ && shift <= at; ++shift) {
      if (at - shift + kWindow > choice(p)) continue;
      const std::uint64_t cost = gram_cost + kWindowWeight * windows.of(load(text(p) + at - shift));
      if (cost >= best_cost) continue;
      best_cost = cost;
      best = {pattern, static_cast<std::uint16_t>(at - shift), static_cast<std::uint8_t>(shift), 0};
    }
  }
  best.check = check_of(window_hash(load(text(p) + best.window), best.shift));
  return best;
}

void PatternSearch::fill_table(const SecretVector<Entry>& entries) {
  const unsigned bits = std::max(log2_ceil(entries.size()), 1U);
  bucket_shift_ = 64 - bits;
  auto bucket = [&](const Entry& e) {
    return window_hash(load(text(patterns_[e.pattern]) + e.window), e.shift) >> bucket_shift_;
  };
  heads_.assign((std::size_t{1} << bits) + 1, 0);
  for (const Entry& e : entries) ++heads_[bucket(e) + 1];
  for (std::size_t i = 1; i < heads_.size(); ++i) heads_[i] += heads_[i - 1];
  entries_.resize(entries.size());
  SecretVector<std::uint32_t> next(heads_.begin(), heads_.end() - 1);
  for (const Entry& e : entries) entries_[next[bucket(e)]++] = e;
}

bool PatternSearch::looks_for_zeros() const { return !empty() && has_bits(filter_[0], gram_hash(0)); }

// Without a branch for each position: whether one passes is chance, and a wrong guess costs more than the rest.
std::size_t PatternSearch::notice(std::span<const std::byte> bytes, std::size_t from, std::size_t to, std::size_t* noticed) const {
  const std::byte* data = bytes.data();
  const std::uint64_t* filter = filter_.data();
  const std::uint64_t mask = gram_mask_;
  const unsigned shift = filter_shift_;
  std::size_t count = 0;
  const std::size_t whole = bytes.size() < kWindow ? 0 : std::min(to, bytes.size() - kWindow + 1);
  std::size_t at = from;
  for (; at < whole; at += kStride) {
    const std::uint64_t hash = gram_hash(load(data + at) & mask);
    noticed[count] = at;
    count += has_bits(filter[hash >> shift], hash) ? 1 : 0;
  }
  for (; at < to && at + gram_ <= bytes.size(); at += kStride) {  // too near the end to load 8 bytes
    std::uint64_t gram = 0;
    std::memcpy(&gram, data + at, gram_);
    const std::uint64_t hash = gram_hash(gram);
    noticed[count] = at;
    count += has_bits(filter[hash >> shift], hash) ? 1 : 0;
  }
  return count;
}

bool PatternSearch::compare(std::span<const std::byte> bytes, const Candidate& candidate, const Found& found) const {
  const std::uint64_t bucket = candidate.hash >> bucket_shift_;
  for (std::uint32_t i = heads_[bucket]; i < heads_[bucket + 1]; ++i) {
    const Entry& e = entries_[i];
    if (e.check != check_of(candidate.hash) || e.shift != candidate.shift || e.window > candidate.window) continue;
    const Pattern& p = patterns_[e.pattern];
    const std::size_t start = candidate.window - e.window;
    if (p.size > bytes.size() - start || std::memcmp(bytes.data() + start, text(p), p.size) != 0) continue;
    if (!found(p.id, start)) return false;
  }
  return true;
}

// The table is larger than the caches: a batch waits for memory once for its heads and once for its entries.
bool PatternSearch::look_up(std::span<const std::byte> bytes, std::span<const std::size_t> noticed, const Found& found) const {
  Candidate candidates[kBatch * kStride];  // not initialized: most calls use few
  std::size_t count = 0;
  for (const std::size_t at : noticed) {
    for (std::uint32_t shift = 0; shift <= kWindow - gram_ && shift <= at; ++shift) {
      const std::size_t window = at - shift;
      if (window + kWindow > bytes.size()) continue;
      const std::uint64_t hash = window_hash(load(bytes.data() + window), shift);
      __builtin_prefetch(&heads_[hash >> bucket_shift_]);
      candidates[count++] = {window, hash, shift};
    }
  }
  for (std::size_t i = 0; i < count; ++i) __builtin_prefetch(entries_.data() + heads_[candidates[i].hash >> bucket_shift_]);
  for (std::size_t i = 0; i < count; ++i) {
    if (!compare(bytes, candidates[i], found)) return false;
  }
  return true;
}

bool PatternSearch::find(std::span<const std::byte> bytes, std::size_t from, std::size_t to, const Found& found) const {
  if (patterns_.empty()) return true;
  std::size_t noticed[kBatch];
  std::size_t count = 0;
  constexpr std::size_t kAtOnce = kBatch / 2;
  for (std::size_t at = (from + kStride - 1) / kStride * kStride; at < to; at += kAtOnce * kStride) {
    count += notice(bytes, at, std::min(to, at + kAtOnce * kStride), noticed + count);
    if (count <= kBatch - kAtOnce - 1) continue;
    if (!look_up(bytes, {noticed, count}, found)) return false;
    count = 0;
  }
  return count == 0 || look_up(bytes, {noticed, count}, found);
}

}  // namespace branchfs::mask
