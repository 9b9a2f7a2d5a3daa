// The search against a naive one: nothing missed, nothing made up, nothing twice.
#include <algorithm>
#include <map>

#include "tests/unit/mask-proof/support.h"
#include "tools/mask/proof/byte_runs.h"
#include "tools/mask/proof/pattern_search.h"

namespace branchfs::mask::test {
namespace {

using Occurrences = std::multiset<std::pair<std::uint32_t, std::size_t>>;

struct Patterns {
  SecretBytes arena;
  std::vector<std::string> texts;
  PatternSearch search;
  void add(const std::string& text) {
    search.add(static_cast<std::uint32_t>(texts.size()), arena.size(), text.size());
    arena.insert(arena.end(), text.begin(), text.end());
    texts.push_back(text);
  }
};

Occurrences naive(const std::vector<std::string>& patterns, const std::string& data) {
  Occurrences out;
  for (std::uint32_t i = 0; i < patterns.size(); ++i) {
    for (std::size_t at = data.find(patterns[i]); at != data.npos; at = data.find(patterns[i], at + 1)) out.emplace(i, at);
  }
  return out;
}

// In parts, as the steps of a scan do.
Occurrences found(const PatternSearch& search, const std::string& data, std::size_t step) {
  Occurrences out;
  for (std::size_t from = 0; from < data.size(); from += step) {
    search.find(bytes_of(data), from, std::min(from + step, data.size()), [&](std::uint32_t id, std::size_t offset) {
      out.emplace(id, offset);
      return true;
    });
  }
  return out;
}

// Of few different letters, so that patterns overlap, repeat and contain each other.
std::string random_text(Random& random, std::size_t size, unsigned letters) {
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(letters == 256 ? below(random, 256) : 'a' + below(random, letters));
  return out;
}

}  // namespace

TEST_CASE("the search finds what a naive one finds") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  Random random(seed);
  std::size_t occurrences = 0;
  for (int round = 0; round < 60; ++round) {
    const unsigned letters = std::array<unsigned, 4>{2, 3, 26, 256}[static_cast<std::size_t>(round) % 4];
    std::string data = random_text(random, 1 + below(random, 5000), letters);
    if (round % 3 == 0 && data.size() > 100) data.replace(data.size() / 3, data.size() / 4, std::string(data.size() / 4, '\0'));
    Patterns patterns;
    const std::size_t shortest = 8 + below(random, 6);
    for (std::size_t i = 0, count = 1 + below(random, 200); i < count; ++i) {
      const std::size_t size = shortest + below(random, i % 10 == 0 ? 300 : 12);
      const bool from_data = i % 3 != 0 && data.size() > size;
      patterns.add(from_data ? data.substr(below(random, data.size() - size + 1), size) : random_text(random, size, letters));
    }
    patterns.search.build(patterns.arena);
    const Occurrences expected = naive(patterns.texts, data);
    occurrences += expected.size();
    const std::size_t step = 1 + below(random, 700);
    INFO("round " << round << ", step " << step);
    REQUIRE(found(patterns.search, data, step) == expected);
    REQUIRE(found(patterns.search, data, data.size()) == expected);
  }
  CHECK(occurrences > 1000);
}

TEST_CASE("the search finds a pattern at the first and the last byte, at every length around it") {
  for (std::size_t size = 8; size < 24; ++size) {
    Patterns patterns;
    const std::string pattern = std::string("Zq7+xkWv0bD3hJ5mN8rTs2y9").substr(0, size);
    patterns.add(pattern);
    patterns.search.build(patterns.arena);
    for (std::size_t before = 0; before < 12; ++before) {
      for (std::size_t after = 0; after < 12; ++after) {
        const std::string data = std::string(before, '.') + pattern + std::string(after, '.');
        REQUIRE(found(patterns.search, data, data.size()) == Occurrences{{0, before}});
        REQUIRE(found(patterns.search, data.substr(0, data.size() - after - 1), data.size()).empty());
      }
    }
  }
}

TEST_CASE("many patterns with a common part are found one by one") {
  Patterns patterns;
  for (int i = 0; i < 20'000; ++i) {
    std::string number = std::to_string(i);
    patterns.add("ACC-" + std::string(6 - number.size(), '0') + number);
  }
  patterns.search.build(patterns.arena);
  std::string data;
  for (int i = 0; i < 30'000; i += 7) {
    std::string number = std::to_string(i);
    data += "x ACC-" + std::string(6 - number.size(), '0') + number + ", ";
  }
  CHECK(found(patterns.search, data, data.size()).size() == (20'000 + 6) / 7);
}

TEST_CASE("patterns that share all they are told by are all found") {
  Patterns patterns;
  for (int i = 0; i < 1000; ++i) patterns.add("the same text 1000 times");
  for (char c = 'a'; c <= 'z'; ++c) patterns.add(std::string("......... ") + c);
  patterns.search.build(patterns.arena);
  for (std::size_t before = 0; before < 5; ++before) {
    const std::string data = std::string(before, '-') + "the same text 1000 times, ......... q";
    CHECK(found(patterns.search, data, data.size()).size() == 1001);
  }
}

TEST_CASE("a large set is found in data that is as large") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  Random random(seed);
  Patterns patterns;
  Occurrences expected;
  std::string data;
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    patterns.add(random_text(random, 8 + below(random, 12), 256));
    data += random_text(random, below(random, 4), 256);
    expected.emplace(i, data.size());
    data += patterns.texts.back();
  }
  patterns.search.build(patterns.arena);
  const Occurrences all = found(patterns.search, data, 8192);
  CHECK(std::includes(all.begin(), all.end(), expected.begin(), expected.end()));
  CHECK(all.size() < expected.size() + 5);
}

TEST_CASE("runs are the maximal ones that are long enough, in whatever steps they are looked for") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  Random random(seed);
  for (int round = 0; round < 200; ++round) {
    std::string data;
    while (data.size() < 1000) {
      const std::size_t size = below(random, below(random, 2) == 0 ? 20 : 150);
      switch (below(random, 4)) {
        case 0: data += random_text(random, size, 256); break;
        case 1: data += random_text(random, size, 26); break;
        case 2: data += std::string(size, '\0'); break;
        default:
          for (std::size_t i = 0; i < size; ++i) data += std::string("k\0", 2);
      }
    }
    data.resize(below(random, data.size()));
    const std::size_t least = 9 + below(random, 8);
    std::multiset<std::pair<std::size_t, std::size_t>> digits, alternating;
    for (std::size_t i = 0, end = 0; i < data.size(); i = end) {
      for (end = i; end < data.size() && is_base64_digit(static_cast<unsigned char>(data[end]));) ++end;
      if (end - i >= least) digits.emplace(i, end);
      if (end == i) ++end;
    }
    for (std::size_t i = 0, end = 0; i < data.size(); i = end) {
      for (end = i + 1; end < data.size() && (data[end] == 0) != (data[end - 1] == 0);) ++end;
      if (end - i >= kRunAlternating) alternating.emplace(i, end);
    }
    const std::size_t step = 1 + below(random, 300);
    std::multiset<std::pair<std::size_t, std::size_t>> digit_runs, alternating_runs;
    for (std::size_t from = 0; from < data.size(); from += step) {
      for_each_base64_run(bytes_of(data), from, from + step, least, [&](std::size_t b, std::size_t e) {
        digit_runs.emplace(b, e);
        return true;
      });
      for_each_alternating_run(bytes_of(data), from, from + step, [&](std::size_t b, std::size_t e) {
        alternating_runs.emplace(b, e);
        return true;
      });
    }
    REQUIRE(digit_runs == digits);
    REQUIRE(alternating_runs == alternating);
  }
}

}  // namespace branchfs::mask::test
