// Permutations: bijective, within range and shape, check digits right; the same on every machine.
#include "tools/mask/functions/permute.h"

#include <cctype>
#include <set>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/unit/mask-functions/key.h"
#include "tools/mask/functions/check_digits.h"

using namespace branchfs::mask;

namespace {

const PrfKey kKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};

std::string permuted(std::string text, Alphabet alphabet = Alphabet::characters,
                     Encoding encoding = Encoding::utf8) {
  permute_text(kKey, alphabet, encoding, text.data(), text.size());
  return text;
}

std::string shape(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out += std::isdigit(byte) != 0 ? '9' : std::islower(byte) != 0 ? 'a' : std::isupper(byte) != 0 ? 'A' : c;
  }
  return out;
}

std::string number(std::uint64_t value, std::size_t width) {
  std::string out = std::to_string(value);
  return std::string(width - out.size(), '0') + out;
}

bool passes_luhn(std::string text) {
  std::string digits;
  for (const char c : text) {
    if (std::isdigit(static_cast<unsigned char>(c)) != 0) digits += c;
  }
  const char check = digits.back();
  digits.pop_back();
  return luhn_digit(digits) == check - '0';
}

}  // namespace

TEST_CASE("integers: every small range is permuted onto itself") {
  for (std::uint64_t last = 0; last < 300; ++last) {
    std::set<std::uint64_t> seen;
    for (std::uint64_t value = 0; value <= last; ++value) seen.insert(permute_integer(kKey, value, last));
    REQUIRE(seen.size() == last + 1);
    REQUIRE(*seen.rbegin() == last);
  }
}

TEST_CASE("integers: large ranges have no collision, and few fixed points") {
  for (const std::uint64_t last : {std::uint64_t{999'999}, (std::uint64_t{1} << 32) + 12'345,
                                   ~std::uint64_t{0} - 1, ~std::uint64_t{0}}) {
    std::set<std::uint64_t> seen;
    int fixed = 0;
    for (std::uint64_t i = 0; i < 20'000; ++i) {
      const std::uint64_t value = last - i * (last / 20'000);
      const std::uint64_t out = permute_integer(kKey, value, last);
      if (out > last) FAIL(value);
      seen.insert(out);
      fixed += out == value ? 1 : 0;
    }
    CHECK(seen.size() == 20'000);
    CHECK(fixed < 10);
  }
}

TEST_CASE("text: every value of a short shape, once") {
  std::set<std::string> digits, mixed;
  for (std::uint64_t i = 0; i < 10'000; ++i) digits.insert(permuted(number(i, 4)));
  CHECK(digits.size() == 10'000);
  for (char a = 'a'; a <= 'z'; ++a) {
    for (char b = 'A'; b <= 'Z'; ++b) {
      for (char c = '0'; c <= '9'; ++c) {
        const std::string text = {a, '-', b, c};
        const std::string out = permuted(text);
        if (shape(out) != shape(text)) FAIL(text << " " << out);
        mixed.insert(out);
      }
    }
  }
  CHECK(mixed.size() == 26 * 26 * 10);
}

TEST_CASE("text: long values keep shape and distinctness, one character decides all") {
  std::set<std::string> seen;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    const std::string text = "Order no. " + number(i, 9) + ", Mr. Somebody, 12 Long Street, Sometown";
    const std::string out = permuted(text);
    if (shape(out) != shape(text)) FAIL(text << " " << out);
    seen.insert(out);
  }
  CHECK(seen.size() == 20'000);
  const std::string base(60, 'q');
  std::string other = base;
  other[59] = 'r';
  int same = 0;
  for (std::size_t i = 0; i < base.size(); ++i) same += permuted(base)[i] == permuted(other)[i] ? 1 : 0;
  CHECK(same < 15);
}

TEST_CASE("text: UTF-8 stays valid and keeps its blocks, single bytes their letters") {
  std::set<std::string> seen;
  for (unsigned low = 0x80; low < 0xC0; ++low) {
    const std::string out =
        permuted(std::string("\xC3") + static_cast<char>(low) + "-\xE4\xB8" + static_cast<char>(low));
    REQUIRE(out.size() == 6);
    CHECK(out.substr(0, 1) == "\xC3");
    CHECK(out.substr(2, 3) == "-\xE4\xB8");
    CHECK((static_cast<unsigned char>(out[1]) & 0xC0) == 0x80);
    CHECK((static_cast<unsigned char>(out[5]) & 0xC0) == 0x80);
    seen.insert(out);
  }
  CHECK(seen.size() == 64);
  std::set<std::string> latin;
  for (unsigned c = 0xC0; c <= 0xFF; ++c) {
    const std::string out =
        permuted(std::string(1, static_cast<char>(c)), Alphabet::characters, Encoding::single);
    CHECK(static_cast<unsigned char>(out[0]) >= 0xC0);
    latin.insert(out);
  }
  CHECK(latin.size() == 64);
  CHECK(permuted("\xE9", Alphabet::characters, Encoding::ascii) == "\xE9");
}

TEST_CASE("alphabets change what they name and nothing else") {
  CHECK(permuted("Ext. 12", Alphabet::digits).substr(0, 5) == "Ext. ");
  const std::string hex = permuted("DEAD-beef-42-xyz", Alphabet::hex);
  CHECK(hex.substr(12) == "-xyz");
  CHECK(hex.find_first_not_of("ABCDEF") == 4);
  CHECK(permuted("") == "");
  CHECK(permuted("-- / --") == "-- / --");
  CHECK(parse_alphabet("luhn") == Alphabet::luhn);
  CHECK_FALSE(parse_alphabet("Luhn"));
  std::set<std::string> whole;
  for (int i = -999; i <= 999; ++i) {
    const std::string out = permuted(std::to_string(i), Alphabet::whole);
    CHECK(out.size() == std::to_string(i).size());
    CHECK(std::to_string(std::stoi(out)) == out);
    whole.insert(out);
  }
  CHECK(whole.size() == 1999);
}

TEST_CASE("a permutation of many texts gives what it gives for each alone, whatever stood before") {
  const std::vector<std::string> texts = {"+33 6 12345678", "+33 6 87654321", "+34 6 87654321", "+33 6 1234567", "", "none",
                                          "0-0", "00:00:00", std::string(40, '7'), std::string(64, '1'), std::string(65, '1'),
                                          "FR76 3000 6000 0112 3456 7890 189", "4111 1111 1111 1111", "a1\xC3\xA9", "a1\xC3\xA8", "0012", "1012"};
  for (const Alphabet alphabet : {Alphabet::characters, Alphabet::digits, Alphabet::luhn, Alphabet::iban, Alphabet::hex, Alphabet::whole}) {
    for (const Encoding encoding : {Encoding::utf8, Encoding::single, Encoding::ascii}) {
      TextPermutation many(kKey, alphabet, encoding);
      for (const std::string& first : texts) {
        for (const std::string& second : texts) {
          for (std::string text : {first, second}) {
            const std::string alone = permuted(text, alphabet, encoding);
            many(text.data(), text.size());
            REQUIRE(text == alone);
          }
        }
      }
    }
  }
}

TEST_CASE("luhn: valid stays valid, and all values of a length stay distinct") {
  CHECK(passes_luhn(permuted("4111 1111 1111 1111", Alphabet::luhn)));
  std::set<std::string> seen;
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    const std::string text = number(i, 5), out = permuted(text, Alphabet::luhn);
    if (passes_luhn(text) != passes_luhn(out)) FAIL(text << " " << out);
    seen.insert(out);
  }
  CHECK(seen.size() == 100'000);
}

TEST_CASE("iban: country stays, check digits are right, wrong ones stay wrong") {
  const auto valid = [](const std::string& iban) {
    return mod97(iban.substr(0, 4), mod97(iban.substr(4))) == 1;
  };
  std::set<std::string> seen;
  for (std::uint64_t i = 0; i < 5'000; ++i) {
    const std::string account = "370400440" + number(i, 9);
    const auto check = static_cast<std::uint64_t>(iban_check("DE", account));
    const std::string good = permuted("DE" + number(check, 2) + account, Alphabet::iban);
    const std::string bad = permuted("DE" + number(check + 1, 2) + account, Alphabet::iban);
    if (!valid(good) || valid(bad) || good.rfind("DE", 0) != 0) FAIL(good << " " << bad);
    seen.insert(good);
    seen.insert(bad);
  }
  CHECK(seen.size() == 10'000);
}

TEST_CASE("uuid and bytes: distinct stays distinct, version and variant stay") {
  std::set<std::array<unsigned char, 16>> uuids;
  std::set<std::string> bytes;
  for (unsigned i = 0; i < 20'000; ++i) {
    std::array<unsigned char, 16> uuid{};
    uuid[0] = static_cast<unsigned char>(i);
    uuid[15] = static_cast<unsigned char>(i >> 8);
    uuid[6] = 0x47;
    uuid[8] = 0x93;
    permute_uuid(kKey, uuid);
    if (uuid[6] >> 4 != 4 || uuid[8] >> 6 != 2) FAIL(i);
    uuids.insert(uuid);
    std::string blob(12, '\0');
    blob[3] = static_cast<char>(i);
    blob[8] = static_cast<char>(i >> 8);
    permute_bytes(kKey, blob.data(), blob.size());
    bytes.insert(blob);
  }
  CHECK(uuids.size() == 20'000);
  CHECK(bytes.size() == 20'000);
}

TEST_CASE("check digits of numbers that exist") {
  CHECK(luhn_digit("7992739871") == 3);
  CHECK(iban_check("GB", "WEST12345698765432") == 82);
  CHECK(isbn10_check("030640615") == '2');
  CHECK(isbn10_check("080442957") == 'X');
  CHECK(ean13_check("978030640615") == '7');
  CHECK(isin_check("US037833100") == '5');
}
