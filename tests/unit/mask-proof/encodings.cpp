// The forms of a value, compared with what PostgreSQL 15 and base64(1) made of them.
#include "tools/mask/proof/encodings.h"

#include "tests/unit/mask-proof/support.h"

namespace branchfs::mask::test {
namespace {

std::string text(const SecretBytes& bytes) { return {bytes.begin(), bytes.end()}; }
std::string on_disk(std::string_view type, std::string_view value) {
  SecretBytes out;
  return append_on_disk(out, type, value) ? text(out) : "";
}
std::string base64(std::string_view value, unsigned before) {
  SecretBytes out;
  append_base64(out, value, before);
  return text(out);
}
std::string utf16(std::string_view value, bool big_endian) {
  SecretBytes out;
  append_utf16(out, value, big_endian);
  return text(out);
}

}  // namespace

TEST_CASE("base64 at each alignment is what no neighbour changes") {
  // "x" and "xy" before, anything after.
  CHECK(base64("john@example.com", 0) == "am9obkBleGFtcGxlLmNvb");
  CHECK(std::string("eGpvaG5AZXhhbXBsZS5jb20h").find(base64("john@example.com", 1)) == 2);
  CHECK(std::string("eHlqb2huQGV4YW1wbGUuY29tIQ==").find(base64("john@example.com", 2)) == 3);
  CHECK(base64("john@example.com", 1).size() == 20);
  CHECK(base64("john@example.com", 2).size() == 21);
}

TEST_CASE("UTF-16 of UTF-8, and of what is none as Latin-1") {
  CHECK(utf16("aé", false) == std::string("a\0\xE9\0", 4));
  CHECK(utf16("aé", true) == std::string("\0a\0\xE9", 4));
  CHECK(utf16("\xF0\x9F\x98\x80", true) == std::string("\xD8\x3D\xDE\0", 4));
  CHECK(utf16("a\xE9", false) == std::string("a\0\xE9\0", 4));
  CHECK(is_ascii("Zurich ~\x01"));
  CHECK_FALSE(is_ascii("Zürich"));
  CHECK_FALSE(is_ascii(std::string_view("a\0b", 3)));
}

TEST_CASE("on-disk forms are the server's") {
  // From heap_page_items() of PostgreSQL 15: t_data of one-column rows, header stripped.
  CHECK(on_disk("int8", "1234567890123456789") == from_hex("1581e97df4102211"));
  CHECK(on_disk("int8", "-1234567890123456789") == from_hex("eb7e16820befddee"));
  CHECK(on_disk("int8", "1099511627775").empty());
  CHECK(on_disk("float8", "48.85661400000001") == from_hex("dca50d87a56d4840"));
  CHECK(on_disk("float8", "-1.7976931348623157e-300") == from_hex("618eb60c2f43b381"));
  CHECK(on_disk("float8", "0.5").empty());
  CHECK(on_disk("timestamp", "2024-02-29 13:14:15.123456") == from_hex("00da03ce83b50200"));
  CHECK(on_disk("timestamp", "1987-03-12 01:02:03.5") == from_hex("e0d94b906790feff"));
  CHECK(on_disk("timestamp", "0044-03-15 12:00:00.25") == from_hex("90008e26f5ba24ff"));
  CHECK(on_disk("timestamp", "0044-03-15 12:00:00.25 BC").empty());
  CHECK(on_disk("timestamptz", "2024-02-29 13:14:15.123456+05:30") == from_hex("00d4d7317fb50200"));
  CHECK(on_disk("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11") == from_hex("a0eebc999c0b4ef8bb6d6bb9bd380a11"));
  CHECK(on_disk("bytea", "\\xdeadbeef0123456789") == from_hex("deadbeef0123456789"));
  CHECK(on_disk("bytea", "\\xdeadbeef").empty());
  CHECK(on_disk("text", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11").empty());
}

TEST_CASE("a numeric's digits, with the short header where there are few") {
  CHECK(on_disk("numeric", "1234567890.1234567") == from_hex("0c00800dd21ed2042616"));
  CHECK(on_disk("numeric", "-98765.4321987") == from_hex("09003d22e1108e26"));
  CHECK(on_disk("numeric", "123456789.25") == from_hex("01002909851ac409"));
  CHECK(on_disk("numeric", "0.00001234567891") == from_hex("7e87d2042e168c23"));
  CHECK(on_disk("numeric", "12345678901234567890000") == from_hex("7b00d711c5222909851a"));
  CHECK(on_disk("numeric", "19.99").empty());
  CHECK(on_disk("numeric", "NaN").empty());
}

TEST_CASE("whole seconds are told") {
  CHECK(is_whole_seconds("timestamp", "2024-02-29 13:14:15"));
  CHECK(is_whole_seconds("timestamptz", "2024-02-29 13:14:15+00"));
  CHECK_FALSE(is_whole_seconds("timestamp", "2024-02-29 13:14:15.25"));
  CHECK_FALSE(is_whole_seconds("text", "2024-02-29 13:14:15"));
}

}  // namespace branchfs::mask::test
