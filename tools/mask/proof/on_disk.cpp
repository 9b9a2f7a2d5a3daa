// What PostgreSQL stores for a value, from the value's text (ISO DateStyle). Little-endian machines only, as the store itself.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "tools/mask/proof/encodings.h"

namespace branchfs::mask {
namespace {

constexpr std::size_t kLeast = 8;            // bytes that a pattern must have
constexpr std::size_t kLeastDifferent = 5;   // of them different and not zero, or ordinary data has it by chance

template <class T>
void append_value(SecretBytes& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.insert(out.end(), bytes, bytes + sizeof value);
}

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Two digits at least, so that "2024-01-05" is read and "-1" is not.
std::optional<std::int64_t> take_digits(std::string_view& text) {
  std::size_t count = 0;
  while (count < text.size() && text[count] >= '0' && text[count] <= '9') ++count;
  if (count < 2) return std::nullopt;
  auto value = parse_number<std::int64_t>(text.substr(0, count));
  text.remove_prefix(count);
  return value;
}
bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

// Days from 2000-01-01 in the Gregorian calendar: whole cycles of 400 years, then years that begin in March, so that the leap day is last.
std::int64_t days_from_2000(std::int64_t year, std::int64_t month, std::int64_t day) {
  const std::int64_t y = month <= 2 ? year - 1 : year;
  const std::int64_t cycle = (y >= 0 ? y : y - 399) / 400;
  const std::int64_t year_of_cycle = y - cycle * 400;
  const std::int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const std::int64_t day_of_cycle = year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
  constexpr std::int64_t kDaysOfCycle = 146'097;
  constexpr std::int64_t k2000 = 5 * kDaysOfCycle - 60;  // 2000-01-01 is 60 days before 2000-03-01, where a cycle begins
  return cycle * kDaysOfCycle + day_of_cycle - k2000;
}

std::optional<std::int64_t> take_time(std::string_view& text) {
  const auto hour = take_digits(text);
  if (!hour || !take(text, ':')) return std::nullopt;
  const auto minute = take_digits(text);
  if (!minute || !take(text, ':')) return std::nullopt;
  const auto second = take_digits(text);
  if (!second) return std::nullopt;
  std::int64_t micros = ((*hour * 60 + *minute) * 60 + *second) * 1'000'000;
  if (take(text, '.')) {
    std::int64_t unit = 100'000;
    for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1), unit /= 10) {
      micros += (text.front() - '0') * unit;
    }
  }
  return micros;
}

// "+05:30", "-08", "+00:19:32"; nothing is UTC.
std::optional<std::int64_t> take_zone(std::string_view& text) {
  if (text.empty()) return 0;
  const std::int64_t sign = text.front() == '-' ? -1 : 1;
  if (!take(text, '+') && !take(text, '-')) return std::nullopt;
  std::int64_t seconds = 0;
  for (std::int64_t unit = 3600; unit > 0; unit /= 60) {
    const auto part = take_digits(text);
    if (!part) return std::nullopt;
    seconds += *part * unit;
    if (!take(text, ':')) break;
  }
  return sign * seconds * 1'000'000;
}

// Microseconds since 2000-01-01, UTC.
std::optional<std::int64_t> parse_timestamp(std::string_view text) {
  const auto year = take_digits(text);
  if (!year || *year > 294'276 || !take(text, '-')) return std::nullopt;
  const auto month = take_digits(text);
  if (!month || *month < 1 || *month > 12 || !take(text, '-')) return std::nullopt;
  const auto day = take_digits(text);
  if (!day || *day > 31 || (!take(text, ' ') && !take(text, 'T'))) return std::nullopt;
  const auto time = take_time(text);
  if (!time) return std::nullopt;
  const auto zone = take_zone(text);
  if (!zone || !text.empty()) return std::nullopt;  // "BC" too
  return days_from_2000(*year, *month, *day) * 86'400'000'000 + *time - *zone;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool append_from_hex(SecretBytes& out, std::string_view digits) {
  int high = -1;
  for (const char c : digits) {
    if (c == '-') continue;  // uuid
    const int digit = hex_digit(c);
    if (digit < 0) return false;
    if (high >= 0) out.push_back(static_cast<char>(high << 4 | digit));
    high = high >= 0 ? -1 : digit;
  }
  return high < 0;
}

// NumericVar's digits: 16-bit words of four decimal digits each, aligned at the point, without zero words at both ends. With fewer than
// four of them the short header stands before: sign, display scale, weight.
bool append_numeric(SecretBytes& out, std::string_view text) {
  const bool negative = take(text, '-');
  const std::size_t point = std::min(text.find('.'), text.size());
  SecretBytes digits((4 - point % 4) % 4, '0');
  digits.insert(digits.end(), text.begin(), text.begin() + static_cast<std::ptrdiff_t>(point));
  std::int64_t weight = static_cast<std::int64_t>(digits.size() / 4) - 1;
  std::size_t scale = 0;
  if (point < text.size()) {
    scale = text.size() - point - 1;
    digits.insert(digits.end(), text.begin() + static_cast<std::ptrdiff_t>(point) + 1, text.end());
    digits.resize((digits.size() + 3) / 4 * 4, '0');
  }
  SecretVector<std::int16_t> words;
  for (std::size_t i = 0; i < digits.size(); i += 4) {
    int word = 0;
    for (std::size_t k = i; k < i + 4; ++k) {
      if (digits[k] < '0' || digits[k] > '9') return false;  // NaN, Infinity
      word = word * 10 + (digits[k] - '0');
    }
    if (word == 0 && words.empty()) {
      --weight;
      continue;
    }
    words.push_back(static_cast<std::int16_t>(word));
  }
  while (!words.empty() && words.back() == 0) words.pop_back();
  if (words.size() < 3) return false;
  if (words.size() == 3) {
    if (scale > 63 || weight < -64 || weight > 63) return false;
    append_value(out, static_cast<std::uint16_t>(0x8000U | (negative ? 0x2000U : 0U) | scale << 7U |
                                                 (static_cast<std::uint64_t>(weight) & 0x7FU)));
  }
  for (const std::int16_t word : words) append_value(out, word);
  return true;
}

bool append_form(SecretBytes& out, std::string_view type, std::string_view text) {
  if (type == "int8") {
    const auto value = parse_number<std::int64_t>(text);
    if (!value || (*value < 0 ? *value > -(1LL << 40) : *value < 1LL << 40)) return false;
    append_value(out, *value);
    return true;
  }
  if (type == "float8") {
    const auto value = parse_number<double>(text);
    if (!value || !std::isfinite(*value)) return false;
    append_value(out, *value);
    return true;
  }
  if (type == "timestamp" || type == "timestamptz") {
    const auto micros = parse_timestamp(text);
    if (micros) append_value(out, *micros);
    return micros.has_value();
  }
  if (type == "uuid") return append_from_hex(out, text);
  if (type == "bytea") return text.starts_with("\\x") && append_from_hex(out, text.substr(2));
  return type == "numeric" && append_numeric(out, text);
}

std::size_t different_bytes(std::string_view bytes) {
  std::array<bool, 256> seen{};
  for (const char c : bytes) seen[static_cast<unsigned char>(c)] = true;
  return static_cast<std::size_t>(std::count(seen.begin() + 1, seen.end(), true));
}

}  // namespace

bool append_on_disk(SecretBytes& out, std::string_view base_type, std::string_view text) {
  const std::size_t before = out.size();
  if (append_form(out, base_type, text) && out.size() - before >= kLeast &&
      different_bytes({out.data() + before, out.size() - before}) >= kLeastDifferent) {
    return true;
  }
  out.resize(before);
  return false;
}

bool is_whole_seconds(std::string_view base_type, std::string_view text) {
  if (base_type != "timestamp" && base_type != "timestamptz") return false;
  const auto micros = parse_timestamp(text);
  return micros && *micros % 1'000'000 == 0;
}

}  // namespace branchfs::mask
