#include "tools/mask/functions/permute.h"

#include <cmath>
#include <utility>

#include "tools/mask/functions/check_digits.h"

namespace branchfs::mask {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr int kTextRounds = 8;

// A uniform number in [0, count), count at most 2^32.
std::uint64_t scale(std::uint64_t random, std::uint64_t count) {
  return static_cast<std::uint64_t>(Wide{random} * count >> 64);
}

std::uint64_t square_root(std::uint64_t value) {
  auto root = static_cast<std::uint64_t>(std::sqrt(static_cast<double>(value)));
  while (Wide{root} * root > value) --root;
  while (Wide{root + 1} * (root + 1) <= value) ++root;
  return root;
}

// prf64(key, round, value) in two steps, of which the first knows no value.
Sip begin_round(const PrfKey& key, std::uint64_t round) {
  Sip sip(key, Sip::Width::bits64);
  sip.absorb(round);
  return sip;
}
std::uint64_t finish_round(Sip sip, std::uint64_t value) {
  sip.absorb(value);
  return sip.finish(std::uint64_t{16} << 56).low;
}

// What may stand at a place of a text: `radix` neighbours from `base` on. 1: the byte stays.
struct Place {
  unsigned char base = 0;
  std::uint16_t radix = 1;
};

constexpr std::uint16_t kCheck = 0;  // radix of a check digit: computed, and no part of the shape

// Knows the place of each byte of a text. The answer is the same before and after the permutation, which is
// why no round needs a table of places.
class Shape {
 public:
  Shape(Alphabet alphabet, Encoding encoding, const char* text, std::size_t size)
      : alphabet_(alphabet), encoding_(encoding), text_(text), size_(size) {
    if (alphabet_ == Alphabet::luhn) find_luhn();
    if (alphabet_ == Alphabet::iban) find_iban();
    if (alphabet_ == Alphabet::whole) find_lead();
  }

  [[nodiscard]] Alphabet alphabet() const { return alphabet_; }
  [[nodiscard]] std::size_t first_check() const { return check_[0]; }
  [[nodiscard]] std::size_t second_check() const { return check_[1]; }

  [[nodiscard]] Place place(std::size_t i) const {
    const auto c = static_cast<unsigned char>(text_[i]);
    if (i == check_[0] || i == check_[1]) return {'0', kCheck};
    if (i < fixed_) return {};
    if (c >= 0x80) return beyond_ascii(i, c);
    if (c >= '0' && c <= '9') return digit(i);
    const bool letters = alphabet_ == Alphabet::characters || alphabet_ == Alphabet::iban;
    if (c >= 'a' && c <= 'z') return letter(c, 'a', letters);
    if (c >= 'A' && c <= 'Z') return letter(c, 'A', letters);
    return {};
  }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  [[nodiscard]] Place digit(std::size_t i) const {
    if (i != lead_) return {'0', 10};
    return lead_zero_ ? Place{} : Place{'1', 9};
  }
  [[nodiscard]] Place letter(unsigned char c, unsigned char base, bool letters) const {
    if (letters) return {base, 26};
    if (alphabet_ == Alphabet::hex && c < base + 6) return {base, 6};
    return {};
  }
  [[nodiscard]] Place beyond_ascii(std::size_t i, unsigned char c) const {
    if (alphabet_ != Alphabet::characters) return {};
    if (encoding_ == Encoding::single) return c >= 0xC0 ? Place{0xC0, 64} : Place{};
    // The last byte of a sequence has the low six bits of the code point.
    const bool last = i + 1 == size_ || (static_cast<unsigned char>(text_[i + 1]) & 0xC0) != 0x80;
    if (encoding_ == Encoding::utf8 && (c & 0xC0) == 0x80 && last) return {0x80, 64};
    return {};
  }
  [[nodiscard]] bool is_digit(std::size_t i) const { return text_[i] >= '0' && text_[i] <= '9'; }
  [[nodiscard]] bool is_letter(std::size_t i) const {
    return (text_[i] | 0x20) >= 'a' && (text_[i] | 0x20) <= 'z';
  }

  void find_luhn() {
    std::size_t digits = 0;
    for (std::size_t i = 0; i < size_; ++i) {
      if (!is_digit(i)) continue;
      ++digits;
      check_[0] = i;
    }
    if (digits < 2) check_[0] = kNone;
  }
  // Two letters, two digits, then the account; blanks between them are left out.
  void find_iban() {
    std::size_t seen = 0;
    for (std::size_t i = 0; i < size_; ++i) {
      if (!is_digit(i) && !is_letter(i)) continue;
      if (seen < 4 && is_digit(i) != (seen >= 2)) break;
      if (seen == 2 || seen == 3) check_[seen - 2] = i;
      if (seen == 1) fixed_ = i + 1;
      ++seen;
    }
    if (seen < 5) {
      check_[0] = check_[1] = kNone;
      fixed_ = 0;
    }
  }
  void find_lead() {
    for (std::size_t i = 0; i < size_ && lead_ == kNone; ++i) {
      if (is_digit(i)) lead_ = i;
    }
    lead_zero_ = lead_ != kNone && text_[lead_] == '0';
  }

  Alphabet alphabet_;
  Encoding encoding_;
  const char* text_;
  std::size_t size_;
  std::size_t check_[2] = {kNone, kNone};
  std::size_t fixed_ = 0;
  std::size_t lead_ = kNone;
  bool lead_zero_ = false;
};

bool moves(const Place& place) { return place.radix > 1; }

std::uint16_t symbol(const char* text, std::size_t i, const Place& place) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(text[i]) - place.base);
}

// The shape as one key, and in how many ways it can be filled (0: more than fit into 62 bits).
struct Domain {
  PrfKey key;
  std::uint64_t size = 1;
};

template <class Places>
Domain measure(const PrfKey& key, const Places& places, const char* text, std::size_t size) {
  Domain domain;
  Sip sip(key);
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const Place place = places.place(i);
    const auto fixed = static_cast<unsigned char>(text[i]);
    word = word << 16 | (place.radix == 1 ? fixed : std::uint64_t{0x100} | place.base);
    if (i % 4 == 3) sip.absorb(word);
    if (!moves(place) || domain.size == 0) continue;
    domain.size *= place.radix;
    if (domain.size >> 54 != 0) domain.size = 0;
  }
  sip.absorb(word);
  domain.key = sip.finish(static_cast<std::uint64_t>(size));
  return domain;
}

// All places as the digits of one number: strong however short the text is.
template <class Places>
void permute_as_number(const Domain& domain, const Places& places, char* text, std::size_t size) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const Place place = places.place(i);
    if (moves(place)) number = number * place.radix + symbol(text, i, place);
  }
  number = permute_integer(domain.key, number, domain.size - 1);
  for (std::size_t i = size; i-- > 0;) {
    const Place place = places.place(i);
    if (!moves(place)) continue;
    text[i] = static_cast<char>(place.base + number % place.radix);
    number /= place.radix;
  }
}

// Every second place is one half; in each round one half is shifted by numbers that the other half decides.
template <class Places>
void permute_in_halves(const Domain& domain, const Places& places, char* text, std::size_t size) {
  for (std::uint64_t round = 0; round < kTextRounds; ++round) {
    Sip sip(domain.key);
    sip.absorb(round);
    std::uint64_t turn = round, word = 0, words = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const Place place = places.place(i);
      if (!moves(place) || turn++ % 2 == 0) continue;
      word = word << 8 | symbol(text, i, place);
      if (++words % 8 == 0) sip.absorb(word);
    }
    sip.absorb(word);
    const PrfKey stream = sip.finish(words);
    PrfKey bits;
    std::uint64_t used = 0;
    turn = round;
    for (std::size_t i = 0; i < size; ++i) {
      const Place place = places.place(i);
      if (!moves(place) || turn++ % 2 != 0) continue;
      if (used % 8 == 0) bits = prf(stream, used, 0);
      const std::uint64_t half = used % 8 < 4 ? bits.low : bits.high;
      const auto random = static_cast<std::uint16_t>(half >> 16 * (used % 4));
      ++used;
      const std::uint32_t shift = std::uint32_t{random} * place.radix >> 16;
      text[i] = static_cast<char>(place.base + (symbol(text, i, place) + shift) % place.radix);
    }
  }
}

template <class Places>
void permute_places(const PrfKey& key, const Places& places, char* text, std::size_t size) {
  const Domain domain = measure(key, places, text, size);
  if (domain.size == 1) return;
  if (domain.size != 0) return permute_as_number(domain, places, text, size);
  permute_in_halves(domain, places, text, size);
}

int luhn_of(const char* text, std::size_t check) {
  int sum = 0;
  bool twice = true;
  for (std::size_t i = check; i-- > 0;) {
    if (text[i] < '0' || text[i] > '9') continue;
    const int digit = text[i] - '0';
    sum += twice ? digit * 2 - (digit > 4 ? 9 : 0) : digit;
    twice = !twice;
  }
  return (10 - sum % 10) % 10;
}

int iban_of(const char* text, std::size_t size, const Shape& shape) {
  int rest = 0;
  const auto add = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      const char c = text[i];
      const bool alphanumeric = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
      if (alphanumeric) rest = mod97({&c, 1}, rest);
    }
  };
  add(shape.second_check() + 1, size);
  add(0, shape.first_check());
  return 98 - mod97("00", rest);
}

struct EveryByte {
  [[nodiscard]] static Place place(std::size_t /*i*/) { return {0, 256}; }
};

}  // namespace

IntegerPermutation::IntegerPermutation(const PrfKey& key, std::uint64_t last)
    : last_(last),
      rows_(square_root(last) + 1),
      columns_(last / rows_ + 1),
      rounds_([&]<std::size_t... kRound>(std::index_sequence<kRound...>) {
        return std::array{begin_round(key, kRound)...};
      }(std::make_index_sequence<kRounds>())) {}

std::uint64_t IntegerPermutation::operator()(std::uint64_t value) const {
  if (last_ == 0) return value;
  do {
    std::uint64_t left = value / columns_, right = value % columns_;
    for (std::size_t round = 0; round < kRounds; round += 2) {
      left += scale(finish_round(rounds_[round], right), rows_);
      if (left >= rows_) left -= rows_;
      right += scale(finish_round(rounds_[round + 1], left), columns_);
      if (right >= columns_) right -= columns_;
    }
    value = left * columns_ + right;
  } while (value > last_);
  return value;
}

std::uint64_t permute_integer(const PrfKey& key, std::uint64_t value, std::uint64_t last) {
  return last == 0 ? value : IntegerPermutation(key, last)(value);
}

std::optional<Alphabet> parse_alphabet(std::string_view name) {
  if (name.empty()) return Alphabet::characters;
  if (name == "digits") return Alphabet::digits;
  if (name == "luhn") return Alphabet::luhn;
  if (name == "iban") return Alphabet::iban;
  if (name == "hex") return Alphabet::hex;
  return std::nullopt;
}

void permute_text(const PrfKey& key, Alphabet alphabet, Encoding encoding, char* text, std::size_t size) {
  const Shape shape(alphabet, encoding, text, size);
  const std::size_t one = shape.first_check(), two = shape.second_check();
  const bool luhn = alphabet == Alphabet::luhn && one < size;
  const bool iban = alphabet == Alphabet::iban && two < size;
  // A wrong check digit stays wrong by as much: with the right one in its place, two texts would meet.
  int wrong = 0;
  if (luhn) wrong = text[one] - '0' - luhn_of(text, one) + 10;
  if (iban) wrong = (text[one] - '0') * 10 + (text[two] - '0') - iban_of(text, size, shape) + 100;
  permute_places(key, shape, text, size);
  if (luhn) text[one] = static_cast<char>('0' + (luhn_of(text, one) + wrong) % 10);
  if (iban) {
    const int check = (iban_of(text, size, shape) + wrong) % 100;
    text[one] = static_cast<char>('0' + check / 10);
    text[two] = static_cast<char>('0' + check % 10);
  }
}

void TextPermutation::operator()(char* text, std::size_t size) {
  // A check digit is no part of the number that the others are.
  const bool checked = alphabet_ == Alphabet::luhn || alphabet_ == Alphabet::iban;
  if (checked || size == 0 || size > kMostRemembered)
    return permute_text(key_, alphabet_, encoding_, text, size);
  const Shape shape(alphabet_, encoding_, text, size);
  bool known = size == size_;
  for (std::size_t i = 0; i < size; ++i) {
    const Place place = shape.place(i);
    const Kept kept{moves(place) ? place.base : static_cast<unsigned char>(text[i]),
                    static_cast<std::uint8_t>(place.radix)};
    known = known && kept == shape_[i];
    shape_[i] = kept;
  }
  if (!known) {
    const Domain domain = measure(key_, shape, text, size);
    size_ = size;
    fillings_ = domain.size;
    if (fillings_ > 1) number_ = IntegerPermutation(domain.key, fillings_ - 1);
  }
  if (fillings_ == 0) return permute_text(key_, alphabet_, encoding_, text, size);
  if (fillings_ == 1) return;
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const auto [base, radix] = shape_[i];
    if (radix > 1) number = number * radix + (static_cast<unsigned char>(text[i]) - base);
  }
  number = number_(number);
  for (std::size_t i = size; i-- > 0;) {
    const auto [base, radix] = shape_[i];
    if (radix <= 1) continue;
    const std::uint64_t rest =
        radix == 10 ? number / 10 : number / radix;  // by a constant, a division is a product
    text[i] = static_cast<char>(base + (number - rest * radix));
    number = rest;
  }
}

void permute_bytes(const PrfKey& key, char* bytes, std::size_t size) {
  permute_places(key, EveryByte{}, bytes, size);
}

void permute_uuid(const PrfKey& key, std::array<unsigned char, 16>& uuid) {
  std::uint64_t left = 0, right = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    left = left << 8 | uuid[i];
    right = right << 8 | uuid[i + 8];
  }
  // Version: bits 12 to 15 of the left half. Variant: the top two of the right half. 60 and 62 bits remain.
  constexpr std::uint64_t kVersion = 0xf000, kVariant = std::uint64_t{3} << 62;
  const std::uint64_t version = left & kVersion, variant = right & kVariant;
  left = (left >> 16) << 12 | (left & 0xfff);
  right &= ~kVariant;
  const PrfKey own = prf(key, version, variant);
  for (std::uint64_t round = 0; round < kTextRounds; round += 2) {
    left ^= prf64(own, round, right) >> 4;
    right ^= prf64(own, round + 1, left) >> 2;
  }
  left = (left >> 12) << 16 | version | (left & 0xfff);
  right |= variant;
  for (std::size_t i = 8; i-- > 0; left >>= 8, right >>= 8) {
    uuid[i] = static_cast<unsigned char>(left);
    uuid[i + 8] = static_cast<unsigned char>(right);
  }
}

}  // namespace branchfs::mask
