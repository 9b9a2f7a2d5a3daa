// The table of functions in docs/masking.md is what the catalog says. On a difference the test prints the
// table that belongs there.
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>

#include "tests/catch.h"
#include "tests/unit/mask-functions/key.h"
#include "tools/mask/functions/catalog.h"
#include "tools/mask/functions/generate.h"

using namespace branchfs::mask;

namespace {

// How those that take arguments may be called, by name and arguments.
const std::map<std::string, std::string, std::less<>>& calls() {
  static const std::map<std::string, std::string, std::less<>> all = {
      {"digest(val text, salt text, algorithm text)", "digest(login, 'pepper', 'sha256')"},
      {"dnoise(noise_value anyelement, noise_range interval)", "dnoise(birth_date, interval '300 days')"},
      {"dummy_words(r int4range)", "dummy_words(int4range(3, 8))"},
      {"generalize_daterange(val date, step text DEFAULT 'decade')",
       "generalize_daterange(birth_date, 'year')"},
      {"generalize_int4range(val integer, step integer DEFAULT 10)", "generalize_int4range(age, 5)"},
      {"generalize_int8range(val bigint, step bigint DEFAULT 10)", "generalize_int8range(visits, 100)"},
      {"generalize_numrange(val numeric, step integer DEFAULT 10)", "generalize_numrange(salary, 5000)"},
      {"generalize_tsrange(val timestamp without time zone, step text DEFAULT 'decade')",
       "generalize_tsrange(seen, 'month')"},
      {"generalize_tstzrange(val timestamp with time zone, step text DEFAULT 'decade')",
       "generalize_tstzrange(created_at, 'month')"},
      {"hash(seed text)", "hash(email)"},
      {"lorem_ipsum(paragraphs integer DEFAULT 5, words integer DEFAULT 0, characters integer DEFAULT 0)",
       "lorem_ipsum(words := 12)"},
      {"noise(noise_value anyelement, ratio double precision)", "noise(salary, 0.2)"},
      {"partial(ov text, prefix integer, padding text, suffix integer)", "partial(phone, 3, '****', 2)"},
      {"partial_email(ov text)", "partial_email(email)"},
      {"random_bigint_between(int_start bigint, int_stop bigint)", "random_bigint_between(1, 10000000000)"},
      {"random_date()", "random_date()"},
      {"random_date_between(date_start timestamp with time zone, date_end timestamp with time zone)",
       "random_date_between('2020-01-01', now())"},
      {"random_double_precision(start double precision, stop double precision)",
       "random_double_precision(0, 1)"},
      {"random_hash(seed text)", "random_hash('anything')"},
      {"random_id()", "random_id()"},
      {"random_id_int()", "random_id_int()"},
      {"random_id_small_int()", "random_id_small_int()"},
      {"random_id_smallint()", "random_id_smallint()"},
      {"random_in(a anyarray)", "random_in(ARRAY['red', 'green'])"},
      {"random_in_daterange(r daterange)", "random_in_daterange(daterange('2020-01-01', '2021-01-01'))"},
      {"random_in_enum(element anyelement)", "random_in_enum(state)"},
      {"random_in_int4range(r int4range)", "random_in_int4range(int4range(18, 99))"},
      {"random_in_int8range(r int8range)", "random_in_int8range(int8range(1, 1000))"},
      {"random_in_numrange(r numrange)", "random_in_numrange(numrange(0, 99.5))"},
      {"random_in_tsrange(r tsrange)", "random_in_tsrange(tsrange('2020-01-01', '2021-01-01'))"},
      {"random_in_tstzrange(r tstzrange)", "random_in_tstzrange(tstzrange('2020-01-01', '2021-01-01'))"},
      {"random_int_between(int_start integer, int_stop integer)", "random_int_between(1, 180)"},
      {"random_number_with_format(format text)", "random_number_with_format('^##-####')"},
      {"random_phone(prefix text DEFAULT '0')", "random_phone('+49')"},
      {"random_phone_with_format(format text)", "random_phone_with_format('+49 ^## #######')"},
      {"random_real(start real, stop real)", "random_real(0, 1)"},
      {"random_string(l integer)", "random_string(12)"},
      {"random_string(r int4range)", "random_string(int4range(8, 17))"},
      {"random_time()", "random_time()"},
      {"ternary(condition boolean, then_val anyelement, else_val anyelement)",
       "ternary(is_staff, name, NULL)"},
  };
  return all;
}

const char* on_unique(Uniqueness uniqueness) {
  switch (uniqueness) {
    case Uniqueness::preserved:
    case Uniqueness::probable:
      return "yes";
    case Uniqueness::extended:
      return "with a token";
    case Uniqueness::lossy:
      break;
  }
  return "no";
}

std::string row(const Signature& signature) {
  std::string call = std::string(signature.name) + "()";
  std::string gives(signature.returns);
  if (const Generator* generator = find_generator(signature.name);
      generator != nullptr && signature.arguments.empty()) {
    Writer out;
    generate(*generator, seed_of("example"), 0, Locale::en_US, false, out);
    gives = std::string(out.view().substr(0, 60)) + (out.view().size() > 60 ? "…" : "");
  } else {
    const auto known =
        calls().find(std::string(signature.name) + "(" + std::string(signature.arguments) + ")");
    call = known == calls().end() ? "(no example of " + std::string(signature.name) + ")" : known->second;
  }
  return "| `anon." + call + "` | " + gives + " | " + on_unique(signature.uniqueness) + " | " +
         std::string(signature.summary) + " |\n";
}

// Named together in the text.
bool is_derived(std::string_view name) {
  return name.ends_with("_locale") || name.starts_with("seeded_") || name.starts_with("pseudo_");
}

}  // namespace

TEST_CASE("the documentation lists the functions of the catalog") {
  std::string wanted;
  for (const Signature& signature : signatures()) {
    if (!is_derived(signature.name)) wanted += row(signature);
  }
  std::ifstream file(DOCS "/masking.md");
  std::string found;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("| `anon.")) found += line + "\n";
  }
  if (found != wanted) std::cout << wanted;
  CHECK((found == wanted));
  CHECK(wanted.find("(no example of ") == std::string::npos);
}
