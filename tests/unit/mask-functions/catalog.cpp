// The catalog: sorted, complete, and right about the functions it lists.
#include "tools/mask/functions/catalog.h"

#include <algorithm>
#include <set>
#include <string>

#include "tests/catch.h"

using namespace branchfs::mask;

TEST_CASE("the catalog is sorted, without doubles, and found by name") {
  const auto all = signatures();
  CHECK(std::is_sorted(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; }));
  std::set<std::string> seen;
  for (const Signature& row : all) {
    INFO(row.name);
    CHECK(seen.insert(std::string(row.name) + "(" + std::string(row.arguments) + ")").second);
    CHECK_FALSE(row.summary.empty());
    CHECK_FALSE(row.returns.empty());
    CHECK((row.symbol.rfind("branchfs_mask_", 0) == 0 || row.symbol.rfind("SELECT ", 0) == 0));
  }
  CHECK(overloads("random_string").size() == 2);
  CHECK(overloads("no_such_function").empty());
}

TEST_CASE("every function that rules of PostgreSQL Anonymizer name is there") {
  const auto has = [](const std::string& name) {
    INFO(name);
    CHECK_FALSE(overloads(name).empty());
  };
  for (const char* name : {"bic",
                           "bs",
                           "bs_adj",
                           "bs_noun",
                           "bs_verb",
                           "building_number",
                           "buzzword",
                           "buzzword_middle",
                           "buzzword_tail",
                           "catchphrase",
                           "cell_number",
                           "city_name",
                           "city_prefix",
                           "city_suffix",
                           "color",
                           "company_name",
                           "company_suffix",
                           "country_code",
                           "country_name",
                           "credit_card_number",
                           "currency_code",
                           "currency_name",
                           "currency_symbol",
                           "dir_path",
                           "domain_suffix",
                           "file_extension",
                           "file_name",
                           "file_path",
                           "first_name",
                           "free_email",
                           "free_email_provider",
                           "hex_color",
                           "hsl_color",
                           "hsla_color",
                           "industry",
                           "ip",
                           "ipv4",
                           "ipv6",
                           "isbn",
                           "isbn13",
                           "isin",
                           "last_name",
                           "latitude",
                           "longitude",
                           "mac_address",
                           "name",
                           "name_with_title",
                           "phone_number",
                           "post_code",
                           "profession",
                           "rfc_status_code",
                           "rgb_color",
                           "rgba_color",
                           "safe_email",
                           "secondary_address",
                           "secondary_address_type",
                           "state_abbr",
                           "state_name",
                           "street_name",
                           "street_suffix",
                           "suffix",
                           "timezone",
                           "title",
                           "user_agent",
                           "username",
                           "valid_statux_code",
                           "word",
                           "words",
                           "zip_code"}) {
    has(std::string("dummy_") + name);
    has(std::string("dummy_") + name + "_locale");
  }
  for (const char* name : {"dummy_health_insurance_code",
                           "dummy_licence_plate",
                           "dummy_uuidv1",
                           "dummy_uuidv3",
                           "dummy_uuidv4",
                           "dummy_uuidv5",
                           "fake_address",
                           "fake_city",
                           "fake_company",
                           "fake_country",
                           "fake_email",
                           "fake_first_name",
                           "fake_iban",
                           "fake_last_name",
                           "fake_postcode",
                           "fake_siret",
                           "lorem_ipsum",
                           "random_string",
                           "random_zip",
                           "random_phone",
                           "random_phone_with_format",
                           "random_number_with_format",
                           "random_hash",
                           "random_date",
                           "random_time",
                           "random_date_between",
                           "random_int_between",
                           "random_bigint_between",
                           "random_double_precision",
                           "random_real",
                           "random_in",
                           "random_in_enum",
                           "random_in_int4range",
                           "random_in_int8range",
                           "random_in_numrange",
                           "random_in_daterange",
                           "random_in_tsrange",
                           "random_in_tstzrange",
                           "random_id",
                           "random_id_int",
                           "random_id_smallint",
                           "random_id_small_int",
                           "noise",
                           "dnoise",
                           "pseudo_first_name",
                           "pseudo_last_name",
                           "pseudo_email",
                           "pseudo_city",
                           "pseudo_country",
                           "pseudo_company",
                           "pseudo_iban",
                           "pseudo_siret",
                           "seeded_first_name",
                           "hash",
                           "digest",
                           "partial",
                           "partial_email",
                           "ternary",
                           "generalize_int4range",
                           "generalize_int8range",
                           "generalize_numrange",
                           "generalize_tsrange",
                           "generalize_tstzrange",
                           "generalize_daterange"}) {
    has(name);
  }
}

TEST_CASE("trusted builtins, and what they do to distinctness") {
  for (const char* name :
       {"concat", "left", "md5", "make_time", "to_timestamp", "jsonb_build_object", "row_to_json", "btrim"}) {
    INFO(name);
    CHECK(is_trusted_builtin(name));
  }
  for (const char* name : {"pg_read_file", "set_config", "pg_sleep", "Concat", ""})
    CHECK_FALSE(is_trusted_builtin(name));
  CHECK(builtin_uniqueness("concat", Uniqueness::probable) == Uniqueness::probable);
  CHECK(builtin_uniqueness("md5", Uniqueness::preserved) == Uniqueness::probable);
  CHECK(builtin_uniqueness("left", Uniqueness::preserved) == Uniqueness::lossy);
}

TEST_CASE("text of dictionary words is known in any case, with or without accents") {
  CHECK(is_dictionary_text("James Smith"));
  CHECK(is_dictionary_text("JAMES, smith"));
  CHECK(is_dictionary_text("Hélène"));
  CHECK(is_dictionary_text("Helene"));
  CHECK(is_dictionary_text("Software Developer"));
  // Parts of words: "Alexander Smith" holds both.
  CHECK(is_dictionary_text("Alexande"));
  CHECK(is_dictionary_text("ander Smi"));
  CHECK_FALSE(is_dictionary_text("Alex Smi James"));
  CHECK_FALSE(is_dictionary_text("James Xyzzyplugh"));
  CHECK(is_dictionary_text("12 Smith"));
  CHECK_FALSE(is_dictionary_text("DE98231278833254249712"));
  CHECK_FALSE(is_dictionary_text("12345"));
  CHECK_FALSE(is_dictionary_text("DE50123456781234567890"));
  CHECK_FALSE(is_dictionary_text(""));
  CHECK_FALSE(is_dictionary_text(std::string(100'000, 'q')));
}
