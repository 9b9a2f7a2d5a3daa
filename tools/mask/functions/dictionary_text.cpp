#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "tools/mask/functions/catalog.h"
#include "tools/mask/functions/generate.h"

namespace branchfs::mask {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
}

// Lower case and without accents, as both sides of the comparison are written.
std::string plain(std::string_view word) {
  std::string out;
  Writer writer;
  // A piece at a time: the writer is bounded, a word in two pieces folds as it does in one unless a character
  // is cut.
  for (std::size_t at = 0; at < word.size();) {
    std::size_t end = std::min(word.size(), at + Writer::kCapacity / 2);
    while (end < word.size() && (static_cast<unsigned char>(word[end]) & 0xC0) == 0x80) --end;
    if (end == at) end = word.size();
    writer.clear();
    put_folded(word.substr(at, end - at), writer);
    out += writer.view();
    at = end;
  }
  return out;
}

template <class Visit>
bool every_word(std::string_view text, Visit&& visit) {
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && is_letter(text[end])) ++end;
    if (end > at && !visit(text.substr(at, end - at))) return false;
    at = std::max(end, at + 1);
  }
  return true;
}

class Words {
 public:
  Words() {
    for (const Locale locale : {Locale::en_US, Locale::fr_FR}) add(dictionary(locale));
    for (const auto lists : {place_lists(), business_lists(), word_lists()}) {
      for (const List& list : lists) add(list);
    }
    std::sort(words_.begin(), words_.end());
    words_.erase(std::unique(words_.begin(), words_.end()), words_.end());
    for (const std::string& word : words_) {
      reversed_.emplace_back(word.rbegin(), word.rend());
      for (std::size_t at = 0; at < word.size(); ++at) ends_.push_back(std::string_view(word).substr(at));
    }
    std::sort(ends_.begin(), ends_.end());
    std::sort(reversed_.begin(), reversed_.end());
  }
  [[nodiscard]] bool has(const std::string& word) const {
    return std::binary_search(words_.begin(), words_.end(), word);
  }
  [[nodiscard]] bool has_beginning(const std::string& part) const { return begins(words_, part); }
  [[nodiscard]] bool has_end(const std::string& part) const {
    return begins(reversed_, std::string(part.rbegin(), part.rend()));
  }
  [[nodiscard]] bool has_inside(const std::string& part) const {
    const auto at = std::lower_bound(ends_.begin(), ends_.end(), std::string_view(part));
    return at != ends_.end() && at->starts_with(part);
  }

 private:
  static bool begins(const std::vector<std::string>& sorted, const std::string& part) {
    const auto at = std::lower_bound(sorted.begin(), sorted.end(), part);
    return at != sorted.end() && at->starts_with(part);
  }
  void add(const Dictionary& from) {
    for (const List& list :
         {from.first_names, from.last_names, from.titles, from.name_suffixes, from.company_suffixes,
          from.professions, from.industries, from.colours, from.states, from.countries, from.buzz_heads,
          from.buzz_middles, from.buzz_tails}) {
      add(list);
    }
    Writer writer;
    for (const Pairs& pairs : {from.cities, from.streets, from.companies}) {
      for (std::uint32_t i = 0; i < pairs.size(); ++i) {
        writer.clear();
        pairs.put(i, writer);
        add(writer.view());
      }
    }
  }
  void add(const List& list) {
    for (std::uint32_t i = 0; i < list.size(); ++i) add(list[i]);
  }
  void add(std::string_view entry) {
    every_word(entry, [this](std::string_view word) {
      words_.push_back(plain(word));
      return true;
    });
  }

  std::vector<std::string> words_;
  std::vector<std::string> reversed_;
  std::vector<std::string_view> ends_;  // every end of every word, sorted: what they begin with is inside a word
};

}  // namespace

// A generated text may contain it anywhere: the outer words may be parts of longer ones.
bool is_dictionary_text(std::string_view text) {
  static const Words words;
  // A house number goes with generated words, an account number does not.
  constexpr auto kMostDigits = 5;
  if (std::count_if(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }) > kMostDigits) return false;
  std::vector<std::string> found;
  every_word(text, [&found](std::string_view word) {
    found.push_back(plain(word));
    return true;
  });
  if (found.empty()) return false;
  if (found.size() == 1) return words.has_inside(found.front());
  return words.has_end(found.front()) && words.has_beginning(found.back()) &&
         std::all_of(found.begin() + 1, found.end() - 1, [](const std::string& word) { return words.has(word); });
}

}  // namespace branchfs::mask
