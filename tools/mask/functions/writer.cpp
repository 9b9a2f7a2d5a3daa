#include "tools/mask/functions/writer.h"

namespace branchfs::mask {
namespace {

// Base letters of U+00C0 to U+00FF; '.' stands for what has none.
constexpr std::string_view kBase = "AAAAAAACEEEEIIIIDNOOOOO.OUUUUYTsaaaaaaaceeeeiiiidnooooo.ouuuuyty";

// Calls `put` with each character in ASCII.
template <class Put>
void each_ascii(std::string_view text, Put&& put) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      put(text[i]);
      continue;
    }
    const bool latin = c == 0xC3 && i + 1 < text.size();
    if (latin) {
      const char base = kBase[static_cast<unsigned char>(text[i + 1]) & 63];
      if (base != '.') put(base);
    } else if (c == 0xC5 && i + 1 < text.size() && (text[i + 1] | 1) == '\x93') {
      put('o');
      put('e');
    } else if (text.size() - i >= 3 && std::memcmp(text.data() + i, "\xE2\x80\x99", 3) == 0) {
      put('\'');
    }
    if (c >= 0xC0) ++i;
    while (i + 1 < text.size() && (static_cast<unsigned char>(text[i + 1]) & 0xC0) == 0x80) ++i;
  }
}

}  // namespace

void put_folded(std::string_view text, Writer& out) {
  each_ascii(text, [&out](char c) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
    if (c >= 'a' && c <= 'z') out.put(c);
  });
}

void put_ascii(std::string_view text, Writer& out) {
  each_ascii(text, [&out](char c) { out.put(c); });
}

}  // namespace branchfs::mask
