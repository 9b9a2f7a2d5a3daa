// The functions that make a value out of a row's seed: names, addresses, numbers, addresses on the net.
//
// One identity for each seed and call: the first dummy_first_name(), dummy_last_name(), dummy_name(),
// fake_email(), … of an expression speak of one person, the second ones of another. All of it is
// deterministic, in UTF-8, without allocation or errors. Addresses lie in the ranges and domains reserved for
// documentation, phone numbers in those reserved for fiction where the country has some. Any thread; inside
// the server too.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "tools/mask/functions/catalog.h"
#include "tools/mask/functions/dictionary.h"
#include "tools/mask/functions/seed.h"
#include "tools/mask/functions/writer.h"

namespace branchfs::mask {

// One call in an expression.
struct Call {
  Seed seed;
  std::uint64_t function = 0;  // name_hash of the function
  std::uint32_t number = 0;    // the n-th call of it in the expression, from 0
  const Dictionary* words = nullptr;

  [[nodiscard]] Draw draw() const { return {seed, function, number}; }
};

struct Generator {
  std::string_view name;  // "dummy_free_email"
  void (*make)(const Call& call, Writer& out);
  bool localized;  // has a twin with the argument locale
  Uniqueness uniqueness;
  int longest;  // bytes, without the token of an `extended` one
  std::string_view summary;
  std::uint64_t hash = 0;  // name_hash(name), set in generators()
};

// Sorted by name.
std::span<const Generator> generators();
const Generator* find_generator(std::string_view name);

// Clears `out` first. With `unique_token`, an `extended` one appends "-" and a token.
void generate(const Generator& generator, const Seed& seed, std::uint32_t number, Locale locale,
              bool unique_token, Writer& out);

// Words without meaning, forever: the caller stops asking.
std::string_view lorem_word(Draw& draw);

// The parts of the table, one for each file of generators.
std::span<const Generator> person_generators();
std::span<const Generator> place_generators();
std::span<const Generator> business_generators();
std::span<const Generator> code_generators();
std::span<const Generator> net_generators();
std::span<const Generator> word_generators();

// Their words that are in no Dictionary.
std::span<const List> place_lists();
std::span<const List> business_lists();
std::span<const List> word_lists();

}  // namespace branchfs::mask
