// Generated values: what the catalog promises of each, for every locale; identities; check digits; golden
// values.
#include "tools/mask/functions/generate.h"

#include <cstdlib>
#include <set>
#include <string>

#include "tests/catch.h"
#include "tests/unit/mask-functions/key.h"
#include "tools/mask/functions/check_digits.h"

using namespace branchfs::mask;

namespace {

std::string make(std::string_view name, const Seed& seed, Locale locale = Locale::en_US, bool unique = false,
                 std::uint32_t number = 0) {
  const Generator* generator = find_generator(name);
  if (generator == nullptr) FAIL(name);
  Writer out;
  generate(*generator, seed, number, locale, unique, out);
  return std::string(out.view());
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t size = lead < 0x80       ? 1
                             : lead >> 5 == 6  ? 2
                             : lead >> 4 == 14 ? 3
                             : lead >> 3 == 30 ? 4
                                               : 0;
    if (size == 0 || i + size > text.size()) return false;
    for (std::size_t k = 1; k < size; ++k) {
      if ((text[i + k] & 0xC0) != 0x80) return false;
    }
    i += size;
  }
  return true;
}

std::string folded(std::string_view text) {
  Writer out;
  put_folded(text, out);
  return std::string(out.view());
}

constexpr Locale kLocales[] = {Locale::en_US, Locale::fr_FR};

}  // namespace

TEST_CASE("every generator keeps its length, writes UTF-8, and gives the same again") {
  for (const Generator& generator : generators()) {
    for (const Locale locale : kLocales) {
      std::size_t longest = 0;
      for (std::int64_t i = 0; i < 400; ++i) {
        const std::string text = make(generator.name, seed_of(i), locale);
        longest = std::max(longest, text.size());
        if (text.empty() || !is_utf8(text)) FAIL(generator.name << ": '" << text << "'");
        if (i < 3 && text != make(generator.name, seed_of(i), locale))
          FAIL(generator.name << " is not deterministic");
      }
      INFO(generator.name << ": " << longest << " of " << generator.longest);
      CHECK(longest <= static_cast<std::size_t>(generator.longest));
      CHECK(generator.longest + kTokenSuffix <= static_cast<int>(Writer::kCapacity));
    }
  }
}

TEST_CASE("the longest names of the dictionaries fit as well") {
  const auto longest = [](const List& list) {
    std::size_t most = 0;
    for (std::uint32_t i = 0; i < list.size(); ++i) most = std::max(most, list[i].size());
    return static_cast<int>(most);
  };
  const auto longest_pair = [&](const Pairs& pairs) {
    return longest(pairs.heads) + longest(pairs.tails) + static_cast<int>(pairs.between.size());
  };
  for (const Locale locale : kLocales) {
    const Dictionary& words = dictionary(locale);
    const int first = longest(words.first_names), last = longest(words.last_names);
    CHECK(first <= find_generator("dummy_first_name")->longest);
    CHECK(last <= find_generator("dummy_last_name")->longest);
    CHECK(first + 1 + last <= find_generator("dummy_name")->longest);
    CHECK(longest(words.titles) + 2 + first + last <= find_generator("dummy_name_with_title")->longest);
    CHECK(first + last + 2 + kTokenLength <= find_generator("dummy_username")->longest);
    CHECK(first + last + 3 + kTokenLength + 11 <= find_generator("dummy_free_email")->longest);
    CHECK(longest_pair(words.cities) <= find_generator("dummy_city_name")->longest);
    CHECK(longest_pair(words.streets) <= find_generator("dummy_street_name")->longest);
    CHECK(longest_pair(words.companies) <= find_generator("dummy_company_name")->longest);
    CHECK(longest_pair(words.streets) + longest_pair(words.cities) + 13 <=
          find_generator("fake_address")->longest);
    CHECK(longest(words.countries) - 3 <= find_generator("dummy_country_name")->longest);
    CHECK(longest(words.states) - 3 <= find_generator("dummy_state_name")->longest);
    CHECK(longest(words.professions) <= find_generator("dummy_profession")->longest);
    CHECK(longest(words.industries) <= find_generator("dummy_industry")->longest);
    CHECK(longest(words.buzz_heads) + longest(words.buzz_middles) + longest(words.buzz_tails) + 2 <=
          find_generator("dummy_catchphrase")->longest);
  }
}

TEST_CASE("names, cities, streets and companies: a thousand distinct ones for each locale") {
  for (const Locale locale : kLocales) {
    const Dictionary& words = dictionary(locale);
    for (const List& list : {words.first_names, words.last_names}) {
      std::set<std::string_view> seen;
      for (std::uint32_t i = 0; i < list.size(); ++i) seen.insert(list[i]);
      CHECK(seen.size() == list.size());
      CHECK(seen.size() >= 1000);
    }
    for (const Pairs& pairs : {words.cities, words.streets, words.companies}) {
      std::set<std::string> seen;
      for (std::uint32_t i = 0; i < pairs.size(); ++i) {
        Writer out;
        pairs.put(i, out);
        seen.insert(std::string(out.view()));
      }
      CHECK(seen.size() >= 1000);
    }
  }
  CHECK(parse_locale("ja_JP") == Locale::en_US);
  CHECK_FALSE(parse_locale("xx_XX"));
}

TEST_CASE("one seed is one person, the n-th call another one") {
  for (const Locale locale : kLocales) {
    for (std::int64_t i = 0; i < 500; ++i) {
      const std::string first = make("dummy_first_name", seed_of(i), locale),
                        last = make("dummy_last_name", seed_of(i), locale);
      REQUIRE(make("dummy_name", seed_of(i), locale) == first + " " + last);
      const std::string account = folded(first) + "." + folded(last) + ".";
      REQUIRE(make("dummy_username", seed_of(i), locale).rfind(account, 0) == 0);
      REQUIRE(make("dummy_free_email", seed_of(i), locale)
                  .rfind(make("dummy_username", seed_of(i), locale) + "@", 0) == 0);
      REQUIRE(make("dummy_safe_email", seed_of(i), locale) == make("dummy_free_email", seed_of(i), locale));
    }
  }
  CHECK(make("fake_first_name", seed_of(7)) == make("dummy_first_name", seed_of(7)));
  CHECK(make("dummy_name", seed_of(7)) != make("dummy_name", seed_of(7), Locale::en_US, false, 1));
}

TEST_CASE("what is said to be probably unique is, extended ones with their token") {
  for (const Generator& generator : generators()) {
    if (generator.uniqueness == Uniqueness::lossy) continue;
    std::set<std::string> seen;
    Writer out;
    for (std::int64_t i = 0; i < 4'000; ++i) {
      generate(generator, seed_of(i), 0, Locale::en_US, true, out);
      seen.emplace(out.view());
    }
    INFO(generator.name);
    CHECK(seen.size() == 4'000);
  }
  const std::string plain = make("dummy_first_name", seed_of(1)),
                    unique = make("dummy_first_name", seed_of(1), Locale::en_US, true);
  CHECK(unique.size() == plain.size() + kTokenSuffix);
  CHECK(unique.rfind(plain + "-", 0) == 0);
}

TEST_CASE("hosts and networks are reserved ones, numbers pass their checks") {
  for (std::int64_t i = 0; i < 300; ++i) {
    const Seed seed = seed_of(i);
    const std::string email = make("fake_email", seed), host = email.substr(email.find('@') + 1);
    REQUIRE((host == "example.com" || host == "example.net" || host == "example.org"));
    REQUIRE(make("dummy_ipv6", seed).rfind("2001:db8:", 0) == 0);
    const std::string ip = make("dummy_ipv4", seed);
    REQUIRE(
        (ip.rfind("192.0.2.", 0) == 0 || ip.rfind("198.51.100.", 0) == 0 || ip.rfind("203.0.113.", 0) == 0));
    REQUIRE(make("dummy_phone_number", seed).find(" 555-01") != std::string::npos);
    REQUIRE(make("dummy_phone_number", seed, Locale::fr_FR).rfind("01 99 00 ", 0) == 0);
    const std::string card = make("dummy_credit_card_number", seed);
    REQUIRE(luhn_digit(std::string_view(card).substr(0, 15)) == card[15] - '0');
    const std::string iban = make("fake_iban", seed);
    REQUIRE(mod97(iban.substr(0, 4), mod97(iban.substr(4))) == 1);
    REQUIRE(mod97(iban.substr(4)) == 0);  // the national key
    const std::string siret = make("fake_siret", seed);
    REQUIRE(luhn_digit(std::string_view(siret).substr(0, 8)) == siret[8] - '0');
    REQUIRE(luhn_digit(std::string_view(siret).substr(0, 13)) == siret[13] - '0');
    const std::string isbn = make("dummy_isbn", seed), isbn13 = make("dummy_isbn13", seed),
                      isin = make("dummy_isin", seed);
    REQUIRE(isbn10_check(isbn) == isbn[9]);
    REQUIRE(ean13_check(isbn13) == isbn13[12]);
    REQUIRE(isin_check(std::string_view(isin).substr(0, 11)) == isin[11]);
    const std::string nir = make("dummy_health_insurance_code", seed);
    REQUIRE(97 - std::stoll(nir.substr(0, 13)) % 97 == std::stoll(nir.substr(13)));
    REQUIRE((std::strtol(make("dummy_mac_address", seed).c_str(), nullptr, 16) & 3) == 2);
  }
}

TEST_CASE("masks are the same in every run, on every machine") {
  CHECK(make("dummy_name", seed_of("bob")) == "Riley Daniels");
  CHECK(make("dummy_free_email", seed_of("bob"), Locale::fr_FR) ==
        "tancrede.marechal.1azckafd6mgs2y@example.net");
  CHECK(make("dummy_uuidv4", seed_of(42)) == "4d0488fd-cc15-41f7-b338-898d8c41e15a");
  CHECK(make("fake_address", seed_of(42)) == "9444 Winter Parkway, Walnutgate 41165");
}
