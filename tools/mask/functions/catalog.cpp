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
    {"digest", "val text, salt text, algorithm text", "text", "branchfs_mask_digest", Uniqueness::probable,
     Source::argument, 128, "hexadecimal digest of value and salt: md5, sha224, sha256, sha384, sha512"},
    {"dnoise", "noise_value anyelement, noise_range interval", "anyelement", "branchfs_mask_dnoise",
     Uniqueness::lossy, Source::seeded, 0, "a date or time shifted by up to the interval, back or forth"},
    {"dummy_words", "r int4range", "text",
     "SELECT branchfs_mask.lorem_ipsum(0, branchfs_mask.random_int_between(pg_catalog.lower($1), "
     "pg_catalog.upper($1) - 1))",
     Uniqueness::lossy, Source::seeded, 0, "words without meaning, a number of them out of the range"},
    {"dummy_words_locale", "r int4range, locale text", "text", "SELECT branchfs_mask.dummy_words($1)",
     Uniqueness::lossy, Source::seeded, 0, "the same: words without meaning are of no country"},
    {"generalize_daterange", "val date, step text DEFAULT 'decade'", "daterange",
     "SELECT pg_catalog.daterange(pg_catalog.date_trunc($2, $1)::date, (pg_catalog.date_trunc($2, $1) + ('1 "
     "' || $2)::interval)::date)",
     Uniqueness::lossy, Source::argument, 0, "the day, week, month, year, decade or century around a date"},
    {"generalize_int4range", "val integer, step integer DEFAULT 10", "int4range",
     "SELECT pg_catalog.int4range((pg_catalog.floor($1::numeric / $2) * $2)::integer, "
     "((pg_catalog.floor($1::numeric / $2) + 1) * $2)::integer)",
     Uniqueness::lossy, Source::argument, 0, "the range of this width around a number"},
    {"generalize_int8range", "val bigint, step bigint DEFAULT 10", "int8range",
     "SELECT pg_catalog.int8range((pg_catalog.floor($1::numeric / $2) * $2)::bigint, "
     "((pg_catalog.floor($1::numeric / $2) + 1) * $2)::bigint)",
     Uniqueness::lossy, Source::argument, 0, "the range of this width around a number"},
    {"generalize_numrange", "val numeric, step integer DEFAULT 10", "numrange",
     "SELECT pg_catalog.numrange(pg_catalog.floor($1 / $2) * $2, (pg_catalog.floor($1 / $2) + 1) * $2)",
     Uniqueness::lossy, Source::argument, 0, "the range of this width around a number"},
    {"generalize_tsrange", "val timestamp without time zone, step text DEFAULT 'decade'", "tsrange",
     "SELECT pg_catalog.tsrange(pg_catalog.date_trunc($2, $1), pg_catalog.date_trunc($2, $1) + ('1 ' || "
     "$2)::interval)",
     Uniqueness::lossy, Source::argument, 0, "the hour, day, month, year, decade or century around a time"},
    {"generalize_tstzrange", "val timestamp with time zone, step text DEFAULT 'decade'", "tstzrange",
     "SELECT pg_catalog.tstzrange(pg_catalog.date_trunc($2, $1), pg_catalog.date_trunc($2, $1) + ('1 ' || "
     "$2)::interval)",
     Uniqueness::lossy, Source::argument, 0, "the hour, day, month, year, decade or century around a time"},
    {"hash", "seed text", "text", "branchfs_mask_hash", Uniqueness::probable, Source::argument, 64,
     "64 hexadecimal digits, keyed"},
    {"lorem_ipsum", "paragraphs integer DEFAULT 5, words integer DEFAULT 0, characters integer DEFAULT 0",
     "text", "branchfs_mask_lorem_ipsum", Uniqueness::lossy, Source::seeded, 0,
     "text without meaning: so many characters, else words, else paragraphs"},
    {"noise", "noise_value anyelement, ratio double precision", "anyelement", "branchfs_mask_noise",
     Uniqueness::lossy, Source::seeded, 0, "a number shifted by up to this share of itself, up or down"},
    {"partial", "ov text, prefix integer, padding text, suffix integer", "text", "branchfs_mask_partial",
     Uniqueness::lossy, Source::argument, 0, "the first and last characters, the padding between them"},
    {"partial_email", "ov text", "text", "branchfs_mask_partial_email", Uniqueness::lossy, Source::argument,
     0, "two letters of each part of an e-mail address, and its last label"},
    {"random_bigint_between", "int_start bigint, int_stop bigint", "bigint",
     "branchfs_mask_random_int8_between", Uniqueness::lossy, Source::seeded, 0,
     "a number between two others, both included"},
    {"random_date", "", "timestamp with time zone",
     "SELECT branchfs_mask.random_date_between('1950-01-01 00:00:00+00', '2030-01-01 00:00:00+00')",
     Uniqueness::lossy, Source::seeded, 0, "a time between 1950 and 2029"},
    {"random_date_between", "date_start timestamp with time zone, date_end timestamp with time zone",
     "timestamp with time zone", "branchfs_mask_random_timestamp_between", Uniqueness::lossy, Source::seeded,
     0, "a time between two others"},
    {"random_double_precision", "start double precision, stop double precision", "double precision",
     "branchfs_mask_random_float8", Uniqueness::lossy, Source::seeded, 0,
     "a number from the first, below the second"},
    {"random_hash", "seed text", "text", "branchfs_mask_random_hash", Uniqueness::probable, Source::seeded,
     64, "64 hexadecimal digits of the row's own"},
    {"random_id", "", "bigint", "SELECT branchfs_mask.random_bigint_between(1, 9223372036854775807)",
     Uniqueness::lossy, Source::seeded, 0, "a positive number"},
    {"random_id_int", "", "integer", "SELECT branchfs_mask.random_int_between(1, 2147483647)",
     Uniqueness::lossy, Source::seeded, 0, "a positive number"},
    {"random_id_small_int", "", "smallint", "SELECT branchfs_mask.random_int_between(1, 32767)::smallint",
     Uniqueness::lossy, Source::seeded, 0, "a positive number"},
    {"random_id_smallint", "", "smallint", "SELECT branchfs_mask.random_int_between(1, 32767)::smallint",
     Uniqueness::lossy, Source::seeded, 0, "a positive number"},
    {"random_in", "a anyarray", "anyelement", "branchfs_mask_random_in", Uniqueness::lossy, Source::seeded, 0,
     "one element of the array"},
    {"random_in_daterange", "r daterange", "date",
     "SELECT pg_catalog.lower($1) + branchfs_mask.random_int_between(0, pg_catalog.upper($1) - "
     "pg_catalog.lower($1) - 1)",
     Uniqueness::lossy, Source::seeded, 0, "a date of the range"},
    {"random_in_enum", "element anyelement", "anyelement", "branchfs_mask_random_in_enum", Uniqueness::lossy,
     Source::seeded, 0, "one label of the argument's type"},
    {"random_in_int4range", "r int4range", "integer",
     "SELECT branchfs_mask.random_int_between(pg_catalog.lower($1), pg_catalog.upper($1) - 1)",
     Uniqueness::lossy, Source::seeded, 0, "a number of the range"},
    {"random_in_int8range", "r int8range", "bigint",
     "SELECT branchfs_mask.random_bigint_between(pg_catalog.lower($1), pg_catalog.upper($1) - 1)",
     Uniqueness::lossy, Source::seeded, 0, "a number of the range"},
    {"random_in_numrange", "r numrange", "numeric",
     "SELECT pg_catalog.lower($1) + (pg_catalog.upper($1) - pg_catalog.lower($1)) * "
     "branchfs_mask.random_double_precision(0, 1)::numeric",
     Uniqueness::lossy, Source::seeded, 0, "a number of the range"},
    {"random_in_tsrange", "r tsrange", "timestamp without time zone",
     "SELECT branchfs_mask.random_timestamp_between(pg_catalog.lower($1), pg_catalog.upper($1) - "
     "'00:00:00.000001'::interval)",
     Uniqueness::lossy, Source::seeded, 0, "a time of the range"},
    {"random_in_tstzrange", "r tstzrange", "timestamp with time zone",
     "SELECT branchfs_mask.random_date_between(pg_catalog.lower($1), pg_catalog.upper($1) - "
     "'00:00:00.000001'::interval)",
     Uniqueness::lossy, Source::seeded, 0, "a time of the range"},
    {"random_int_between", "int_start integer, int_stop integer", "integer",
     "branchfs_mask_random_int4_between", Uniqueness::lossy, Source::seeded, 0,
     "a number between two others, both included"},
    {"random_number_with_format", "format text", "text", "branchfs_mask_random_format", Uniqueness::lossy,
     Source::seeded, 0, "the format, a digit for each #, one that is not 0 for each ^"},
    {"random_phone", "prefix text DEFAULT '0'", "text", "branchfs_mask_random_phone", Uniqueness::lossy,
     Source::seeded, 0, "the prefix and nine digits, of the range kept for fiction after 0"},
    {"random_phone_with_format", "format text", "text", "branchfs_mask_random_format", Uniqueness::lossy,
     Source::seeded, 0, "the format, a digit for each #, one that is not 0 for each ^"},
    {"random_real", "start real, stop real", "real", "branchfs_mask_random_float4", Uniqueness::lossy,
     Source::seeded, 0, "a number from the first, below the second"},
    {"random_string", "l integer", "text", "branchfs_mask_random_string", Uniqueness::lossy, Source::seeded,
     0, "letters and digits, as many as asked for"},
    {"random_string", "r int4range", "text",
     "SELECT branchfs_mask.random_string(branchfs_mask.random_int_between(pg_catalog.lower($1), "
     "pg_catalog.upper($1) - 1))",
     Uniqueness::lossy, Source::seeded, 0, "letters and digits, a number of them out of the range"},
    {"random_time", "", "time without time zone", "branchfs_mask_random_time", Uniqueness::lossy,
     Source::seeded, 0, "a time of the day"},
    {"ternary", "condition boolean, then_val anyelement, else_val anyelement", "anyelement",
     "SELECT CASE WHEN $1 THEN $2 ELSE $3 END", Uniqueness::lossy, Source::argument, 0, "one of two values"},
};

// Functions of pg_catalog that PostgreSQL Anonymizer trusts.
constexpr std::string_view kBuiltins[] = {
    "age",
    "array_to_json",
    "btrim",
    "concat",
    "date_add",
    "date_part",
    "date_subtract",
    "date_trunc",
    "json_build_array",
    "json_build_object",
    "json_object",
    "jsonb_build_array",
    "jsonb_build_object",
    "jsonb_object",
    "left",
    "length",
    "lower",
    "lpad",
    "ltrim",
    "make_date",
    "make_time",
    "md5",
    "now",
    "random",
    "regexp_replace",
    "repeat",
    "replace",
    "right",
    "row_to_json",
    "rpad",
    "rtrim",
    "substr",
    "to_char",
    "to_date",
    "to_json",
    "to_jsonb",
    "to_number",
    "to_timestamp",
    "upper",
};
// Those that keep distinct arguments distinct, whatever else stands beside them.
constexpr std::string_view kKeeping[] = {
    "array_to_json",      "concat", "json_build_array", "json_build_object", "jsonb_build_array",
    "jsonb_build_object", "md5",    "row_to_json",      "to_json",           "to_jsonb",
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
      add_row(generator, keep(std::string(generator.name) + "_locale"), "locale text", kTextSymbol,
              Source::seeded);
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
      add_row(copy, keep(std::string(to) + name.substr(from.size())), arguments, kPseudoSymbol,
              Source::argument);
    };
    derive("fake_", "pseudo_", "seed anyelement, salt text DEFAULT NULL");
    derive("dummy_", "seeded_", "seed anyelement");
  }
  void add_row(const Generator& generator, std::string_view name, std::string_view arguments,
               const char* symbol, Source source) {
    rows_.push_back({name, arguments, "text", symbol, generator.uniqueness, source, generator.longest,
                     generator.summary});
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
  const auto first =
      std::lower_bound(all.begin(), all.end(), name,
                       [](const Signature& row, std::string_view wanted) { return row.name < wanted; });
  auto last = first;
  while (last != all.end() && last->name == name) ++last;
  return {first, last};
}

bool is_trusted_builtin(std::string_view name) { return contains(kBuiltins, name); }

Uniqueness builtin_uniqueness(std::string_view name, Uniqueness argument) {
  if (!contains(kKeeping, name)) return Uniqueness::lossy;
  return name == "md5" && argument == Uniqueness::preserved ? Uniqueness::probable : argument;
}

}  // namespace branchfs::mask
