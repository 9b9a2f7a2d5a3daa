#include "tools/mask/proof/encodings.h"

#include <algorithm>
#include <cstdint>

namespace branchfs::mask {
namespace {

constexpr std::uint32_t kBad = UINT32_MAX;

// The character at `at`, which is moved on; kBad when it is no UTF-8.
std::uint32_t next_utf8(std::string_view text, std::size_t& at) {
  auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t lead = byte(at);
  if (lead < 0x80) {
    ++at;
    return lead;
  }
  const std::size_t more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  if (lead < 0xC2 || lead > 0xF4 || text.size() - at <= more) return kBad;
  std::uint32_t c = lead & (0x3FU >> more);
  for (std::size_t i = 1; i <= more; ++i) {
    if ((byte(at + i) & 0xC0U) != 0x80) return kBad;
    c = c << 6U | (byte(at + i) & 0x3FU);
  }
  at += more + 1;
  return c;
}

template <class Visit>
void for_each_character(std::string_view text, Visit visit) {
  bool is_utf8 = true;
  for (std::size_t at = 0; is_utf8 && at < text.size();) is_utf8 = next_utf8(text, at) != kBad;
  for (std::size_t at = 0; at < text.size();) {
    visit(is_utf8 ? next_utf8(text, at) : static_cast<unsigned char>(text[at++]));
  }
}

}  // namespace

void append_utf16(SecretBytes& out, std::string_view text, bool big_endian) {
  auto unit = [&](std::uint32_t u) {
    const char low = static_cast<char>(u & 0xFFU);
    const char high = static_cast<char>(u >> 8U & 0xFFU);
    out.push_back(big_endian ? high : low);
    out.push_back(big_endian ? low : high);
  };
  for_each_character(text, [&](std::uint32_t c) {
    if (c < 0x10000) return unit(c);
    c -= 0x10000;
    unit(0xD800 + (c >> 10U));
    unit(0xDC00 + (c & 0x3FFU));
  });
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c != 0 && static_cast<unsigned char>(c) < 0x80; });
}

void append_hex(SecretBytes& out, std::string_view bytes, bool upper) {
  const char* digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  for (const char c : bytes) {
    const auto b = static_cast<unsigned char>(c);
    out.push_back(digits[b >> 4U]);
    out.push_back(digits[b & 15U]);
  }
}

void append_base64(SecretBytes& out, std::string_view bytes, unsigned before) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  // The first digit boundary at or after bit 8·before is that many bits into `bytes`.
  const std::size_t skip = before == 1 ? 4 : before == 2 ? 2 : 0;
  const std::size_t bits = bytes.size() * 8;
  for (std::size_t bit = skip; bit + 6 <= bits; bit += 6) {
    const std::size_t at = bit / 8;
    unsigned pair = static_cast<unsigned>(static_cast<unsigned char>(bytes[at])) << 8U;
    if (at + 1 < bytes.size()) pair |= static_cast<unsigned char>(bytes[at + 1]);
    out.push_back(kDigits[pair >> (10 - bit % 8) & 63U]);
  }
}

void append_json_escaped(SecretBytes& out, std::string_view text) {
  static constexpr std::string_view kPlain = "\"\\\n\r\t\b\f";
  static constexpr std::string_view kEscaped = "\"\\nrtbf";
  for (const char c : text) {
    const std::size_t escape = kPlain.find(c);
    if (escape != kPlain.npos) out.push_back('\\');
    out.push_back(escape != kPlain.npos ? kEscaped[escape] : c);
  }
}

}  // namespace branchfs::mask
