#include "tools/mask/functions/generate.h"

#include <algorithm>
#include <array>

namespace branchfs::mask {
namespace {

constexpr std::size_t kMostGenerators = 192;

struct Table {
  std::array<Generator, kMostGenerators> rows;
  std::size_t size = 0;

  void add(std::span<const Generator> part) {
    for (const Generator& row : part) {
      rows[size] = row;
      rows[size++].hash = name_hash(row.name);
    }
  }
  Table() {
    add(person_generators());
    add(place_generators());
    add(business_generators());
    add(code_generators());
    add(net_generators());
    add(word_generators());
    std::sort(rows.begin(), rows.begin() + size,
              [](const Generator& a, const Generator& b) { return a.name < b.name; });
  }
};

}  // namespace

std::span<const Generator> generators() {
  static const Table table;
  return {table.rows.data(), table.size};
}

const Generator* find_generator(std::string_view name) {
  const auto all = generators();
  const auto at =
      std::lower_bound(all.begin(), all.end(), name,
                       [](const Generator& row, std::string_view wanted) { return row.name < wanted; });
  return at != all.end() && at->name == name ? &*at : nullptr;
}

void generate(const Generator& generator, const Seed& seed, std::uint32_t number, Locale locale,
              bool unique_token, Writer& out) {
  const Call call{seed, generator.hash, number, &dictionary(locale)};
  out.clear();
  generator.make(call, out);
  if (!unique_token || generator.uniqueness != Uniqueness::extended) return;
  const auto shown = token(seed, number);
  out.put('-');
  out.put({shown.data(), shown.size()});
}

std::optional<Locale> parse_locale(std::string_view name) {
  if (name == "fr_FR") return Locale::fr_FR;
  for (const std::string_view english : {"en_US", "ar_SA", "ja_JP", "pt_BR", "zh_CN", "zh_TW"}) {
    if (name == english) return Locale::en_US;
  }
  return std::nullopt;
}

}  // namespace branchfs::mask
