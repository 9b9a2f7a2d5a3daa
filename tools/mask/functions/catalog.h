// The masking functions: their names and signatures (those of PostgreSQL Anonymizer), and what each promises.
//
// One table for everybody: the server module defines exactly these in SQL, the rule reader accepts exactly these, the
// planner refuses a lossy one on a unique column, the documentation lists them. Static data; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace branchfs::mask {

// What a function does to the distinctness of the values it is given (or seeded with).
enum class Uniqueness : std::uint8_t {
  preserved,  // distinct in, distinct out, for sure (a permutation)
  probable,   // distinct out but for odds below 2^-40 at the table's size
  extended,   // lossy by itself; becomes probable when the row's seed asks for a token (begin(…, unique))
  lossy,      // distinct values may meet: refused on unique columns
};

// What a unique token adds to an `extended` function's text: "-" and 70 bits in 14 characters.
inline constexpr int kTokenSuffix = 15;

enum class Source : std::uint8_t {
  seeded,    // makes its value out of the row's seed (or at random under "compat": "anon"): dummy_*, fake_*, random_*, noise
  argument,  // makes its value out of its arguments alone: partial, hash, pseudo_*, generalize_* …
};

struct Signature {
  std::string_view name;       // "dummy_free_email"
  std::string_view arguments;  // as in CREATE FUNCTION: "r int4range", "v anyelement, ratio double precision"; may have DEFAULTs
  std::string_view returns;    // "text"
  std::string_view symbol;     // of the module; several signatures may share one. "SELECT …": written in SQL, no symbol
  Uniqueness uniqueness = Uniqueness::lossy;
  Source source = Source::seeded;
  int longest = 0;             // bytes of text at most, without kTokenSuffix; 0: not text, or unbounded by its arguments
  std::string_view summary;    // one line for the documentation
};

// Sorted by name; overloads side by side.
std::span<const Signature> signatures();
// All overloads of a name, or empty. `name` without the schema.
std::span<const Signature> overloads(std::string_view name);

// Functions of pg_catalog that a rule may call besides (trusted by PostgreSQL Anonymizer). Lower case, unqualified.
bool is_trusted_builtin(std::string_view name);
// What such a builtin does to distinctness when its only varying argument has `argument`: concat keeps it, left loses it.
Uniqueness builtin_uniqueness(std::string_view name, Uniqueness argument);

// Whether `text` may occur inside what the dictionaries' words generate, in any case: every word of it (split at anything that is no
// letter) is one of theirs, the first one may be the end of one and the last one a beginning. Such an original proves nothing.
bool is_dictionary_text(std::string_view text);

}  // namespace branchfs::mask
