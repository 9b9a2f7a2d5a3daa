// Keyed permutations: distinct values stay distinct, for sure, and keep their form.
//
// Feistel networks over the PRF. Integers walk their cycle until they fall into the range again. Text keeps
// its shape: digits stay digits, letters keep their case, what is beyond ASCII stays inside its block of 64
// code points (so that UTF-8 stays valid), everything else stays; two texts of one shape never meet, and the
// shape never changes. In place, without allocation or errors; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "tools/mask/functions/prf.h"

namespace branchfs::mask {

// A permutation of [0, last]; `value` must be in it. What depends on the key and the range alone is made
// once.
class IntegerPermutation {
 public:
  IntegerPermutation(const PrfKey& key, std::uint64_t last);
  [[nodiscard]] std::uint64_t operator()(std::uint64_t value) const;

 private:
  static constexpr std::size_t kRounds = 10;

  std::uint64_t last_, rows_, columns_;
  std::array<Sip, kRounds> rounds_;
};
std::uint64_t permute_integer(const PrfKey& key, std::uint64_t value, std::uint64_t last);

enum class Alphabet : std::uint8_t {
  characters,  // every letter and digit within its own kind
  digits,      // digits only, the rest stays
  luhn,        // digits, the last one a check digit that is as right or as wrong as it was
  iban,        // country stays, check digits recomputed
  hex,         // digits, and a to f within their case
  whole,       // a whole number: digits, the first one never becomes nor stops being 0
};
std::optional<Alphabet> parse_alphabet(std::string_view name);

enum class Encoding : std::uint8_t {
  utf8,    // also where bytes have no known meaning: what is valid UTF-8 stays so
  single,  // one byte a character, 0xC0 to 0xFF all letters
  ascii,   // nothing beyond ASCII may change
};
void permute_text(const PrfKey& key, Alphabet alphabet, Encoding encoding, char* text, std::size_t size);

// The same for many texts: what it knows of the last one's shape serves the next, which mostly has the same.
// One thread.
class TextPermutation {
 public:
  TextPermutation(const PrfKey& key, Alphabet alphabet, Encoding encoding)
      : key_(key), alphabet_(alphabet), encoding_(encoding), number_(key, 0) {}
  void operator()(char* text, std::size_t size);

 private:
  static constexpr std::size_t kMostRemembered = 64;
  // A place that moves, or the byte that stands there.
  struct Kept {
    std::uint8_t base;
    std::uint8_t radix;  // 1: `base` is the byte; none is larger than 64 in a text
    bool operator==(const Kept&) const = default;
  };

  PrfKey key_;
  Alphabet alphabet_;
  Encoding encoding_;
  std::size_t size_ = 0;  // 0: no shape is known, or none that is small enough
  std::array<Kept, kMostRemembered> shape_;
  std::uint64_t fillings_ = 0;
  IntegerPermutation number_;
};

// Version and variant stay.
void permute_uuid(const PrfKey& key, std::array<unsigned char, 16>& uuid);
// The length stays.
void permute_bytes(const PrfKey& key, char* bytes, std::size_t size);

}  // namespace branchfs::mask
