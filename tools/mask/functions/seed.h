// From the session's key and an old value to the choices a mask makes.
//
// Key -> (per kind of value) -> Seed of a value -> Draw of a function's n-th call -> numbers; and Seed ->
// visible tokens. Each arrow is the PRF, so that neither a token nor a choice tells anything about the value,
// the key or another choice. Equal key, value and function give equal numbers on every machine: a change here
// changes every mask there is. Plain values, no allocation, no errors; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "tools/mask/functions/prf.h"

namespace branchfs::mask {

// In which form a value enters its seed. Equal values of different types share the form.
enum class Form : std::uint8_t {
  integer,  // eight bytes, two's complement: smallint, integer, bigint, whole numeric
  number,   // decimal text without trailing zeros: numeric with a fraction
  text,     // UTF-8: text, varchar, char without its padding, citext in lower case
  uuid,     // sixteen bytes
  binary,   // the type's own binary form
  last = binary,
};

struct Seed {
  PrfKey choose;  // what is picked
  PrfKey token;   // what is shown of it
};

class Key {
 public:
  static constexpr std::size_t kSize = 32;

  Key() = default;
  explicit Key(const unsigned char* bytes) {
    const PrfKey first{load_little(bytes, 8), load_little(bytes + 8, 8)};
    const PrfKey second{load_little(bytes + 16, 8), load_little(bytes + 24, 8)};
    for (std::uint64_t i = 0; i < choose_.size(); ++i) {
      choose_[i] = prf(first, 1, i);
      token_[i] = prf(second, 1, i);
    }
    permute_ = prf(first, 2, 0);
    shuffle_ = prf(first, 3, 0);
    hash_ = prf(second, 4, 0);
  }

  [[nodiscard]] Seed seed(Form form, const void* value, std::size_t size) const {
    const auto i = static_cast<std::size_t>(form);
    const PrfPair both = prf(choose_[i], token_[i], value, size);
    return {both.first, both.second};
  }
  // The key of a permutation: one for each domain (a foreign key class, a column).
  [[nodiscard]] PrfKey permutation(std::string_view domain) const {
    return prf(permute_, domain.data(), domain.size());
  }
  [[nodiscard]] PrfKey shuffle(std::uint64_t slot) const { return prf(shuffle_, slot, 0); }
  [[nodiscard]] const PrfKey& hash() const { return hash_; }

 private:
  std::array<PrfKey, static_cast<std::size_t>(Form::last) + 1> choose_{}, token_{};
  PrfKey permute_, shuffle_, hash_;
};

// A seed that depends on one more thing (a salt).
inline Seed reseed(const Seed& seed, std::string_view salt) {
  return {prf(seed.choose, salt.data(), salt.size()), prf(seed.token, salt.data(), salt.size())};
}

// Stable across versions, unlike a position in a table.
constexpr std::uint64_t name_hash(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

// The same where the name is known: never at run time.
consteval std::uint64_t constant_hash(std::string_view name) { return name_hash(name); }

// The numbers of one call of one function for one seed.
class Draw {
 public:
  Draw(const Seed& seed, std::uint64_t function, std::uint32_t call)
      : seed_(seed.choose), function_(function), block_(std::uint64_t{call} << 32) {}

  std::uint64_t next() {
    if (half_) {
      half_ = false;
      return spare_;
    }
    const PrfKey out = prf(seed_, function_, block_++);
    spare_ = out.high;
    half_ = true;
    return out.low;
  }
  // Uniform in [0, count): the bias is below 2^-32.
  std::uint32_t below(std::uint32_t count) {
    return static_cast<std::uint32_t>((next() >> 32) * count >> 32);
  }
  // In [0, count), count up to 2^64 - 1.
  std::uint64_t below64(std::uint64_t count) {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>(Wide{next()} * count >> 64);
  }
  // In [0, 1).
  double fraction() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  PrfKey seed_;
  std::uint64_t function_, block_;
  std::uint64_t spare_ = 0;
  bool half_ = false;
};

// A visible token: 70 bits in lower case letters and digits, without the letters that look like digits.
inline constexpr int kTokenLength = 14;
std::array<char, kTokenLength> token(const Seed& seed, std::uint32_t call);

}  // namespace branchfs::mask
