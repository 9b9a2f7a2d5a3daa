#include "tools/mask/functions/catalog.h"

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "tools/mask/functions/generate.h"

namespace branchfs::mask {
namespace {

constexpr const char* kTextSymbol = "branchfs_mask_text";
constexpr const char* kPseudoSymbol = "branchfs_mask_pseudo";

// Everything that is not generated out of the seed alone. Longest 0: as long as its arguments make it.
constexpr Signature kExplicit[] = {
    {"digest", "val text, salt text, algorithm text", "text", "branchfs_mask_digest", Uniqueness::preserved,
     Source::argument, 128, "hexadecimal digest of value and salt: md5, sha224, sha256, sha384, sha512"},
    {"hash", "seed text", "text", "branchfs_mask_hash", Uniqueness::preserved, Source::argument, 64,
     "64 hexadecimal digits, keyed"},
    {"partial", "ov text, prefix integer, padding text, suffix integer", "text", "branchfs_mask_partial", Uniqueness::lossy,
     Source::argument, 0, "the first and last characters, the padding between them"},
    {"partial_email", "ov text", "text", "branchfs_mask_partial_email", Uniqueness::lossy, Source::argument, 20,
     "two letters of each part of an e-mail address"},
    {"random_bigint_between", "int_start bigint, int_stop bigint", "bigint", "branchfs_mask_random_int8_between",
     Uniqueness::lossy, Source::seeded, 0, "a number between two others, both included"},
    {"random_int_between", "int_start integer, int_stop integer", "integer", "branchfs_mask_random_int4_between",
     Uniqueness::lossy, Source::seeded, 0, "a number between two others, both included"},
    {"random_string", "l integer", "text", "branchfs_mask_random_string", Uniqueness::lossy, Source::seeded, 0,
     "letters and digits, as many as asked for"},
};

// Functions of pg_catalog that PostgreSQL Anonymizer trusts.
constexpr std::string_view kBuiltins[] = {
    "age",         "array_to_json",      "btrim",           "concat",           "date_add",    "date_part",
    "date_subtract", "date_trunc",       "json_build_array", "json_build_object", "json_object", "jsonb_build_array",
    "jsonb_build_object", "jsonb_object", "left",           "length",           "lower",       "lpad",
    "ltrim",       "make_date",          "make_time",       "md5",              "now",         "random",
    "regexp_replace", "repeat",          "replace",         "right",            "row_to_json", "rpad",
    "rtrim",       "substr",             "to_char",         "to_date",          "to_json",     "to_jsonb",
    "to_number",   "to_timestamp",       "upper",
};
// Those that keep distinct arguments distinct, whatever else stands beside them.
constexpr std::string_view kKeeping[] = {
    "array_to_json", "concat", "json_build_array", "json_build_object", "jsonb_build_array", "jsonb_build_object", "md5",
    "row_to_json", "to_json", "to_jsonb",
};

class Catalog {
 public:
  Catalog() {
    for (const Signature& row : kExplicit) rows_.push_back(row);
    for (const Generator& generator : generators()) add(generator);
    std::stable_sort(rows_.begin(), rows_.end(),
                     [](const Signature& a, const Signature& b) { return a.name < b.name; });
  }
  [[nodiscard]] std::span<const Signature> rows() const { return rows_; }

 private:
  void add(const Generator& generator) {
    add_row(generator, generator.name, "", kTextSymbol, Source::seeded);
    if (generator.localized) {
      add_row(generator, keep(std::string(generator.name) + "_locale"), "locale text", kTextSymbol, Source::seeded);
    }
    add_derived(generator);
  }
  // pseudo_X(seed, salt) for each fake_X, seeded_X(seed) for each dummy_X: the seed is an argument.
  void add_derived(const Generator& generator) {
    const std::string name(generator.name);
    const auto derive = [&](std::string_view from, std::string_view to, std::string_view arguments) {
      if (!name.starts_with(from)) return;
      Generator copy = generator;
      if (copy.uniqueness == Uniqueness::extended) copy.uniqueness = Uniqueness::lossy;
      add_row(copy, keep(std::string(to) + name.substr(from.size())), arguments, kPseudoSymbol, Source::argument);
    };
    derive("fake_", "pseudo_", "seed anyelement, salt text DEFAULT NULL");
    derive("dummy_", "seeded_", "seed anyelement");
  }
  void add_row(const Generator& generator, std::string_view name, std::string_view arguments, const char* symbol,
               Source source) {
    rows_.push_back({name, arguments, "text", symbol, generator.uniqueness, source, generator.longest, generator.summary});
  }
  std::string_view keep(std::string text) { return names_.emplace_back(std::move(text)); }

  std::deque<std::string> names_;
  std::vector<Signature> rows_;
};

template <std::size_t kSize>
bool contains(const std::string_view (&sorted)[kSize], std::string_view name) {
  return std::binary_search(std::begin(sorted), std::end(sorted), name);
}

}  // namespace

std::span<const Signature> signatures() {
  static const Catalog catalog;
  return catalog.rows();
}

std::span<const Signature> overloads(std::string_view name) {
  const auto all = signatures();
  const auto first = std::lower_bound(all.begin(), all.end(), name,
                                      [](const Signature& row, std::string_view wanted) { return row.name < wanted; });
  auto last = first;
  while (last != all.end() && last->name == name) ++last;
  return {first, last};
}

bool is_trusted_builtin(std::string_view name) { return contains(kBuiltins, name); }

Uniqueness builtin_uniqueness(std::string_view name, Uniqueness argument) {
  return contains(kKeeping, name) ? argument : Uniqueness::lossy;
}

}  // namespace branchfs::mask
