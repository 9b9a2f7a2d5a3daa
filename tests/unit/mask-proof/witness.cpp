// Which values are witnesses, and in which forms they are found.
#include "tests/unit/mask-proof/support.h"

namespace branchfs::mask::test {
namespace {

std::string utf16(std::string_view text, bool big_endian) {
  std::string out;
  for (const char c : text) {
    if (big_endian) out.push_back('\0');
    out.push_back(c);
    if (!big_endian) out.push_back('\0');
  }
  return out;
}

}  // namespace

TEST_CASE("what is short or common is no witness") {
  WitnessSet set([](std::string_view text) { return text == "Maria Lindberg"; });
  const std::size_t column = set.add_column("app.public.users.note", "text");
  for (const char* useless : {"", "Smith", "7 bytes", "aaaaaaaaaaaaaaab", "abababababababab", "12345678", "1987-03-12", "555-1234",
                              "Maria Lindberg", "          .         "}) {
    INFO(useless);
    CHECK_FALSE(set.add(column, useless));
  }
  for (const char* useful : {"j.smith@example.com", "123456789", "+1 (555) 123-4567", "Zoë Łuc", "Maria Lindbergh"}) {
    INFO(useful);
    CHECK(set.add(column, useful));
    CHECK_FALSE(set.add(column, useful));
  }
  CHECK(set.count(column) == 5);
  const std::size_t times = set.add_column("app.public.users.seen", "timestamptz");
  CHECK_FALSE(set.add(times, "2024-02-29 13:14:15+00"));
  CHECK(set.add(times, "2024-02-29 13:14:15.123456+00"));
  CHECK(set.count() == 6);
}

TEST_CASE("dropped values are not looked for") {
  WitnessSet set;
  const std::size_t column = set.add_column("c", "text");
  REQUIRE(set.add(column, "first@example.com"));
  REQUIRE(set.add(column, "second@example.com"));
  CHECK(set.drop(column, "first@example.com"));
  CHECK_FALSE(set.drop(column, "first@example.com"));
  CHECK_FALSE(set.drop(column, "third@example.com"));
  CHECK(set.values(column) == std::vector<std::string>{"second@example.com"});
  set.seal();
  CHECK(set.count() == 1);
  CHECK(hits_in(set, "first@example.com, second@example.com") == std::multiset<std::string>{"c 1 plain 19"});
}

TEST_CASE("a value is found in every form and at every place") {
  WitnessSet set;
  const std::size_t column = set.add_column("c", "text");
  const std::string value = "kim.o'neill@example.com";
  REQUIRE(set.add(column, value));
  set.seal();
  const std::string hex = "6b696d2e6f276e65696c6c406578616d706c652e636f6d";
  const std::string upper = "6B696D2E6F276E65696C6C406578616D706C652E636F6D";
  const std::map<std::string, std::string> forms = {
      {"c 0 plain ", value},
      {"c 0 utf16le ", utf16(value, false)},
      {"c 0 utf16be ", utf16(value, true)},
      {"c 0 hex ", hex},
  };
  const std::string filler = "Lorem ipsum dolor sit amet, 0123456789 consectetur.\n";
  for (const auto& [name, form] : forms) {
    for (std::size_t before = 0; before < 9000; before += before < 100 ? 1 : 1783) {
      std::string data;
      while (data.size() < before) data += filler;
      data.resize(before);
      data += form;
      INFO(name << before);
      CHECK(hits_in(set, data) == std::multiset<std::string>{name + std::to_string(before)});
      CHECK(hits_in(set, data + "\t\t").size() == 1);
      CHECK(hits_in(set, data.substr(0, data.size() - 1)).empty());
    }
  }
  CHECK(hits_in(set, "\\x" + upper) == std::multiset<std::string>{"c 0 hex 2"});
  CHECK(hits_in(set, "a2ltLm8nbmVpbGxAZXhhbXBsZS5jb20=") == std::multiset<std::string>{"c 0 base64 0"});
  CHECK(hits_in(set, "eGtpbS5vJ25laWxsQGV4YW1wbGUuY29tIQ==") == std::multiset<std::string>{"c 0 base64 2"});
  CHECK(hits_in(set, "eHlraW0ubyduZWlsbEBleGFtcGxlLmNvbSE=") == std::multiset<std::string>{"c 0 base64 3"});
}

TEST_CASE("binary forms are found, and a bytea by its bytes") {
  WitnessSet set;
  const std::size_t ids = set.add_column("id", "int8");
  const std::size_t times = set.add_column("time", "timestamp");
  const std::size_t uuids = set.add_column("uuid", "uuid");
  const std::size_t blobs = set.add_column("blob", "bytea");
  REQUIRE(set.add(ids, "1234567890123456789"));
  REQUIRE(set.add(times, "2024-02-29 13:14:15.123456"));
  REQUIRE(set.add(uuids, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"));
  REQUIRE(set.add(blobs, "\\xdeadbeef0123456789"));
  CHECK_FALSE(set.add(blobs, "\\xdeadbeef"));
  set.seal();
  CHECK(hits_in(set, from_hex("001581e97df410221100")) == std::multiset<std::string>{"id 0 binary 1"});
  CHECK(hits_in(set, from_hex("00da03ce83b50200")) == std::multiset<std::string>{"time 0 binary 0"});
  CHECK(hits_in(set, from_hex("a0eebc999c0b4ef8bb6d6bb9bd380a11")) == std::multiset<std::string>{"uuid 0 binary 0"});
  CHECK(hits_in(set, "a0eebc999c0b4ef8bb6d6bb9bd380a11") == std::multiset<std::string>{"uuid 0 hex 0"});
  CHECK(hits_in(set, from_hex("ffdeadbeef0123456789")) == std::multiset<std::string>{"blob 0 binary 1"});
  CHECK(hits_in(set, "\\xdeadbeef0123456789") == std::multiset<std::string>{"blob 0 hex 2"});
}

TEST_CASE("a JSON string is found escaped and not") {
  WitnessSet set;
  REQUIRE(set.add(set.add_column("j", "jsonb"), "say \"when\"\nplease"));
  set.seal();
  CHECK(hits_in(set, R"({"a": "say \"when\"\nplease"})") == std::multiset<std::string>{"j 0 plain 7"});
  CHECK(hits_in(set, "say \"when\"\nplease") == std::multiset<std::string>{"j 0 plain 0"});
}

TEST_CASE("of long values the beginning is looked for, unless it is a common one") {
  WitnessSet set;
  const std::size_t column = set.add_column("c", "text");
  std::string start;
  for (int i = 0; start.size() < 400; ++i) start += "word" + std::to_string(i * 7919) + " ";
  REQUIRE(set.add(column, start + "one"));
  CHECK(set.count() == 1);
  SECTION("one") {
    set.seal();
    CHECK(set.longest() == 2 * kWitnessBytes);
    CHECK(hits_in(set, start.substr(0, kWitnessBytes)).size() == 1);
    CHECK(hits_in(set, start.substr(0, kWitnessBytes - 1)).empty());
  }
  SECTION("two") {
    CHECK_FALSE(set.add(column, start + "two"));
    CHECK(set.count() == 0);
    CHECK_FALSE(set.add(column, start + "three"));
    set.seal();
    CHECK(hits_in(set, start).empty());
  }
}

TEST_CASE("an empty set finds nothing, and a search can be stopped") {
  WitnessSet none;
  none.seal();
  CHECK(hits_in(none, "anything at all, j.smith@example.com").empty());
  WitnessSet set;
  REQUIRE(set.add(set.add_column("c", "text"), "j.smith@example.com"));
  set.seal();
  int hits = 0;
  const std::string data = "j.smith@example.com j.smith@example.com";
  set.scan(bytes_of(data), [&](const WitnessSet::Hit&) {
    ++hits;
    return false;
  });
  CHECK(hits == 1);
}

TEST_CASE("random values of all kinds are found in random data exactly where they are") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  Random random(seed);
  WitnessSet set;
  const std::size_t column = set.add_column("c", "text");
  std::vector<std::string> values;
  while (values.size() < 3000) {
    std::string value;
    for (std::size_t i = 0, size = 8 + below(random, 30); i < size; ++i) value.push_back("abcdefghijklmnop .@-0123456789XYZ"[below(random, 33)]);
    if (set.add(column, value)) values.push_back(value);
  }
  set.seal();
  std::string data;
  std::multiset<std::string> expected;
  for (int i = 0; i < 2000; ++i) {
    for (std::size_t k = 0, size = below(random, 100); k < size; ++k) data.push_back(static_cast<char>(i % 2 == 0 ? below(random, 256) : ' '));
    if (i % 50 == 0) data += std::string(below(random, 30'000), '\0');
    data += "\x01!";
    const std::size_t value = below(random, values.size());
    const unsigned form = static_cast<unsigned>(below(random, 3));
    const char* names[] = {"plain", "utf16le", "utf16be"};
    expected.insert("c " + std::to_string(value) + " " + names[form] + " " + std::to_string(data.size()));
    data += form == 0 ? values[value] : utf16(values[value], form == 2);
  }
  const std::multiset<std::string> hits = hits_in(set, data);
  CHECK(std::includes(hits.begin(), hits.end(), expected.begin(), expected.end()));
  CHECK(hits.size() < expected.size() + 20);  // a value inside another
}

}  // namespace branchfs::mask::test
