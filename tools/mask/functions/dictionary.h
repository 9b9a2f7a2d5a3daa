// The words that generated values are made of, written for this project. One Dictionary for each locale.
//
// Streets, cities and companies are composed of parts: "Ash" + "ford", "Maple" + "Street". Static data in
// UTF-8 without relocations; any thread; inside the server too.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "tools/mask/functions/writer.h"

namespace branchfs::mask {

// Where each entry of a text starts; a trailing one for the end.
template <std::size_t kCount>
using Starts = std::array<std::uint16_t, kCount + 1>;

constexpr bool separates(char c, char separator) { return c == separator || c == '\n'; }

constexpr std::size_t count_entries(std::string_view text, char separator) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!separates(text[i], separator) && (i == 0 || separates(text[i - 1], separator))) ++count;
  }
  return count;
}

template <std::size_t kCount>
constexpr Starts<kCount> index_entries(std::string_view text, char separator) {
  static_assert(kCount > 0);
  Starts<kCount> starts{};
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (separates(text[i], separator) || (i > 0 && !separates(text[i - 1], separator))) continue;
    starts[count++] = static_cast<std::uint16_t>(i);
  }
  starts[count] = static_cast<std::uint16_t>(text.size() + 1);
  return starts;
}

class List {
 public:
  constexpr List() = default;
  template <std::size_t kSize>
  constexpr List(std::string_view text, const std::array<std::uint16_t, kSize>& starts)
      : text_(text.data()), starts_(starts.data()), size_(kSize - 1) {}

  [[nodiscard]] constexpr std::uint32_t size() const { return size_; }
  [[nodiscard]] constexpr std::string_view operator[](std::uint32_t i) const {
    std::size_t end = starts_[i + 1] - std::size_t{1};
    while (end > starts_[i] && (text_[end - 1] == '\n' || text_[end - 1] == ' ' || text_[end - 1] == ';'))
      --end;
    return {text_ + starts_[i], end - starts_[i]};
  }

 private:
  const char* text_ = nullptr;
  const std::uint16_t* starts_ = nullptr;
  std::uint32_t size_ = 0;
};

// Every head with every tail.
struct Pairs {
  List heads, tails;
  std::string_view between;

  [[nodiscard]] constexpr std::uint32_t size() const { return heads.size() * tails.size(); }
  void put(std::uint32_t i, Writer& out) const {
    out.put(heads[i / tails.size()]);
    out.put(between);
    out.put(tails[i % tails.size()]);
  }
};

enum class Locale : std::uint8_t { en_US, fr_FR };
// ar_SA, ja_JP, pt_BR, zh_CN and zh_TW are accepted and speak English; nothing for any other name.
std::optional<Locale> parse_locale(std::string_view name);

struct Dictionary {
  Locale locale = Locale::en_US;
  List first_names, last_names, titles, name_suffixes;
  Pairs cities, streets, companies;
  List company_suffixes, professions, industries, colours;
  List states, countries;  // "CA California": the code, a blank, the name
  List buzz_heads, buzz_middles, buzz_tails;
};

const Dictionary& dictionary(Locale locale);

}  // namespace branchfs::mask

// Defines the List kName out of the text of its entries.
#define BRANCHFS_LIST(kName, separator, text)                                                               \
  constexpr std::string_view kName##Text = text;                                                            \
  constexpr auto kName##Starts =                                                                            \
      ::branchfs::mask::index_entries<::branchfs::mask::count_entries(kName##Text, separator)>(kName##Text, \
                                                                                               separator);  \
  constexpr ::branchfs::mask::List kName(kName##Text, kName##Starts)
