// Bytes, random data and naive answers to compare with.
#pragma once

#include <array>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tools/mask/proof/witness.h"

namespace branchfs::mask::test {

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

inline std::string from_hex(std::string_view digits) {
  auto value = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
  std::string out;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    out.push_back(static_cast<char>(value(digits[i]) << 4 | value(digits[i + 1])));
  }
  return out;
}

// "column value-number encoding offset", so that sets of hits can be compared and read.
inline std::multiset<std::string> hits_in(const WitnessSet& set, std::string_view data) {
  std::multiset<std::string> out;
  set.scan(bytes_of(data), [&](const WitnessSet::Hit& hit) {
    out.insert(set.column_name(hit.column) + " " + std::to_string(hit.value) + " " + to_string(hit.encoding) + " " +
               std::to_string(hit.offset));
    return true;
  });
  return out;
}

using Random = std::mt19937_64;
inline std::size_t below(Random& random, std::size_t limit) { return random() % limit; }

}  // namespace branchfs::mask::test
