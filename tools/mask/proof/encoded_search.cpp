#include "tools/mask/proof/encoded_search.h"

#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "tools/mask/proof/encodings.h"

namespace branchfs::mask {
namespace {

constexpr std::size_t kHexGram = 2 * PatternSearch::kGram;
constexpr std::size_t kLeastHex = 2 * PatternSearch::kShortest;
constexpr std::size_t kBase64Gram = 10;  // digits that hold a q-gram wherever in the first of them it begins
constexpr unsigned kGramBits = 8 * PatternSearch::kGram;
static_assert(kBase64Gram * 6 >= kGramBits + 4 && kBase64Gram * 6 <= 64);
constexpr std::uint8_t kNoDigit = 0xFF;

constexpr std::array<std::uint8_t, 256> hex_values() {
  std::array<std::uint8_t, 256> out{};
  out.fill(kNoDigit);
  for (unsigned i = 0; i < 10; ++i) out['0' + i] = static_cast<std::uint8_t>(i);
  for (unsigned i = 0; i < 6; ++i) out['a' + i] = out['A' + i] = static_cast<std::uint8_t>(10 + i);
  return out;
}
constexpr std::array<std::uint8_t, 256> base64_values() {
  std::array<std::uint8_t, 256> out{};
  for (unsigned i = 0; i < 26; ++i) {
    out['A' + i] = static_cast<std::uint8_t>(i);
    out['a' + i] = static_cast<std::uint8_t>(26 + i);
  }
  for (unsigned i = 0; i < 10; ++i) out['0' + i] = static_cast<std::uint8_t>(52 + i);
  out['+'] = 62;
  out['/'] = 63;
  return out;
}
constexpr std::array<std::uint8_t, 256> kHex = hex_values();
constexpr std::array<std::uint8_t, 256> kBase64 = base64_values();

// A q-gram of which the first byte came first, as they would be loaded from memory (of a little-endian machine, as everywhere here).
std::uint64_t as_loaded(std::uint64_t first_uppermost) { return __builtin_bswap64(first_uppermost << (64 - kGramBits)); }

// Which of a run's bits may begin a byte is not known: every second one. Of the bytes of each of these four ways to cut, every second one's
// q-gram is looked up: those that begin with bits 0, 2, 4 and 6 of each 16. A pattern has one or more bytes before and after the q-gram, and of
// its outermost bytes up to four bits may be in digits that are not the run's: the q-gram is the run's.
// Bit k: the q-gram at bit 2k of the digit, for the digit's place in each 48 bits.
constexpr std::size_t kDigitsTogether = 8;
constexpr std::array<unsigned, kDigitsTogether> starting_bits() {
  std::array<unsigned, kDigitsTogether> out{};
  for (unsigned digit = 0; digit < out.size(); ++digit) {
    for (unsigned k = 0; k < 3; ++k) out[digit] |= ((6 * digit + 2 * k) % 16 <= 6 ? 1U : 0U) << k;
  }
  return out;
}
constexpr std::array<unsigned, kDigitsTogether> kStarting = starting_bits();
static_assert(PatternSearch::kStride == 2);

// `bits`: the last digits up to one, kBase64Gram of them.
std::uint64_t gram_of(std::uint64_t bits, unsigned skip) { return as_loaded(bits >> (6 * kBase64Gram - kGramBits - skip)); }

// Where `needle` is expected; false also when it would lie outside.
bool stands_at(std::span<const std::byte> bytes, std::ptrdiff_t at, const SecretBytes& needle) {
  if (at < 0 || static_cast<std::size_t>(at) > bytes.size() || needle.size() > bytes.size() - static_cast<std::size_t>(at)) return false;
  return std::memcmp(bytes.data() + at, needle.data(), needle.size()) == 0;
}

struct Look {
  const PatternSearch& search;
  std::span<const std::byte> bytes;
  const FoundEncoded& found;

  [[nodiscard]] unsigned char byte(std::size_t at) const { return static_cast<unsigned char>(bytes[at]); }
  [[nodiscard]] bool hex(std::uint64_t gram, std::size_t at) const;
  [[nodiscard]] bool base64(std::uint64_t gram, std::size_t bit) const;
  [[nodiscard]] bool base64_digits(std::uint64_t before, std::size_t from, std::size_t to, std::size_t begin) const;
  [[nodiscard]] bool utf16(std::uint64_t gram, std::size_t at) const;
};

// The q-gram's first digit is at `at`.
bool Look::hex(std::uint64_t gram, std::size_t at) const {
  return search.with_gram(gram, [&](std::uint32_t id, std::string_view text, std::size_t gram_at) {
    if (2 * gram_at > at) return true;
    const std::size_t start = at - 2 * gram_at;
    if (2 * text.size() > bytes.size() - start) return true;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto c = static_cast<unsigned char>(text[i]);
      if (kHex[byte(start + 2 * i)] != c >> 4U || kHex[byte(start + 2 * i + 1)] != (c & 15U)) return true;
    }
    return found(id, Encoding::hex, start, 2 * text.size());
  });
}

// The q-gram's first bit is at `bit` of the digits, of six each, counted from the beginning of `bytes`.
bool Look::base64(std::uint64_t gram, std::size_t bit) const {
  return search.with_gram(gram, [&](std::uint32_t id, std::string_view text, std::size_t gram_at) {
    // kInner: the q-gram of a shorter one may be cut off at the run's ends, where this does not see it.
    if (text.size() < PatternSearch::kInner) return true;
    // Six bits more, because up to four bits of the pattern may be in a digit before `bytes`.
    const auto start = static_cast<std::ptrdiff_t>(bit + 6) - static_cast<std::ptrdiff_t>(8 * gram_at);
    if (start < 0) return true;
    const unsigned before = start % 6 == 2 ? 1 : start % 6 == 4 ? 2 : 0;
    SecretBytes digits;
    append_base64(digits, text, before);
    const std::ptrdiff_t at = (start + 5) / 6 - 1;
    return !stands_at(bytes, at, digits) || found(id, Encoding::base64, static_cast<std::size_t>(at), digits.size());
  });
}

// The q-grams that begin in the digits [from, to) of a run that begins at `begin`, one by one; `before`: the digits before the last of the first one.
bool Look::base64_digits(std::uint64_t before, std::size_t from, std::size_t to, std::size_t begin) const {
  for (std::size_t at = from; at < to; ++at) {
    before = before << 6U | kBase64[byte(at + kBase64Gram - 1)];
    for (unsigned k = 0; k < 3; ++k) {
      if ((kStarting[(at - begin) % kDigitsTogether] >> k & 1U) == 0) continue;
      const std::uint64_t gram = gram_of(before, 2 * k);
      if (search.may_have(gram) && !base64(gram, at * 6 + 2 * k)) return false;
    }
  }
  return true;
}

// The q-gram's first character's byte that is not zero is at `at`.
bool Look::utf16(std::uint64_t gram, std::size_t at) const {
  return search.with_gram(gram, [&](std::uint32_t id, std::string_view text, std::size_t gram_at) {
    if (!is_ascii(text)) return true;
    const auto start = static_cast<std::ptrdiff_t>(at) - static_cast<std::ptrdiff_t>(2 * gram_at);
    for (const bool big_endian : {false, true}) {
      SecretBytes units;
      append_utf16(units, text, big_endian);
      const std::ptrdiff_t first = big_endian ? start - 1 : start;
      const Encoding encoding = big_endian ? Encoding::utf16be : Encoding::utf16le;
      if (stands_at(bytes, first, units) && !found(id, encoding, static_cast<std::size_t>(first), units.size())) return false;
    }
    return true;
  });
}

// In a maximal run of hex digits. Of the bytes, for either way in which the digits may be paired, every second one's q-gram is looked up.
bool find_hex(const Look& look, std::size_t begin, std::size_t end) {
  static_assert(PatternSearch::kStride == 2);
  const PatternSearch::Filter may_have(look.search);
  std::uint64_t nibbles = 0;
  for (std::size_t i = begin; i < end; ++i) {
    nibbles = nibbles << 4U | kHex[look.byte(i)];
    if (i - begin + 1 < kHexGram || (i - begin + 1 - kHexGram) % 4 >= 2) continue;
    const std::uint64_t gram = as_loaded(nibbles);
    if (may_have(gram) && !look.hex(gram, i + 1 - kHexGram)) return false;
  }
  return true;
}

// A run that is long enough holds the last of some kLeastHex places in succession.
bool find_hex_runs(const Look& look, std::size_t begin, std::size_t end) {
  auto is_hex = [&](std::size_t at) { return kHex[look.byte(at)] != kNoDigit; };
  for (std::size_t at = begin + kLeastHex - 1; at < end; at += kLeastHex) {
    if (!is_hex(at)) continue;
    std::size_t first = at;
    while (first > begin && is_hex(first - 1)) --first;
    while (at < end && is_hex(at)) ++at;
    if (at - first >= kLeastHex && !find_hex(look, first, at)) return false;
  }
  return true;
}

bool find_base64(const Look& look, std::size_t begin, std::size_t end) {
  const PatternSearch::Filter may_have(look.search);
  std::uint64_t bits = 0;
  for (std::size_t i = begin; i < begin + kBase64Gram - 1; ++i) bits = bits << 6U | kBase64[look.byte(i)];
  std::size_t first = begin;  // of the kBase64Gram digits
  // All of eight digits at once, because hardly any passes.
  for (; first + kBase64Gram - 1 + kDigitsTogether <= end; first += kDigitsTogether) {
    const std::uint64_t before = bits;
    bool any = false;
    [&]<std::size_t... kDigit>(std::index_sequence<kDigit...>) {
      auto digit = [&]<std::size_t kAt>() {
        bits = bits << 6U | kBase64[look.byte(first + kBase64Gram - 1 + kAt)];
        if constexpr ((kStarting[kAt] & 1U) != 0) any |= may_have(gram_of(bits, 0));
        if constexpr ((kStarting[kAt] & 2U) != 0) any |= may_have(gram_of(bits, 2));
        if constexpr ((kStarting[kAt] & 4U) != 0) any |= may_have(gram_of(bits, 4));
      };
      (digit.template operator()<kDigit>(), ...);
    }(std::make_index_sequence<kDigitsTogether>());
    if (any && !look.base64_digits(before, first, first + kDigitsTogether, begin)) return false;
  }
  return look.base64_digits(bits, first, end - kBase64Gram + 1, begin);
}

}  // namespace

bool find_in_digits(const PatternSearch& search, std::span<const std::byte> bytes, std::size_t begin, std::size_t end,
                    const FoundEncoded& found) {
  if (search.empty() || end - begin < kLeastBase64) return true;
  // Padding (xxxx, 0000, AAAA): one digit again and again stands for at most three different bytes, and no witness has that few.
  if (std::memcmp(bytes.data() + begin, bytes.data() + begin + 1, end - begin - 1) == 0) return true;
  const Look look{search, bytes, found};
  return find_base64(look, begin, end) && (end - begin < kLeastHex || find_hex_runs(look, begin, end));
}

bool find_in_alternating(const PatternSearch& search, std::span<const std::byte> bytes, std::size_t begin, std::size_t end,
                         const FoundEncoded& found) {
  if (search.empty()) return true;
  const Look look{search, bytes, found};
  const PatternSearch::Filter may_have(search);
  constexpr std::size_t kGramUnits = 2 * (PatternSearch::kGram - 1);  // bytes from the first to the last of a q-gram's characters
  std::uint64_t characters = 0;
  const std::size_t first = bytes[begin] == std::byte{0} ? begin + 1 : begin;
  for (std::size_t i = first; i < end; i += 2) {
    characters = characters << 8U | look.byte(i);
    if (i - first < kGramUnits || (i - first - kGramUnits) % (2 * PatternSearch::kStride) != 0) continue;
    const std::uint64_t gram = as_loaded(characters);
    if (may_have(gram) && !look.utf16(gram, i - kGramUnits)) return false;
  }
  return true;
}

}  // namespace branchfs::mask
