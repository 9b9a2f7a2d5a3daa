#include "tools/text.h"

#include "tests/catch.h"

using namespace branchfs;

TEST_CASE("durations as people write them") {
  CHECK(*parse_duration("90s") == 90);
  CHECK(*parse_duration("90") == 90);
  CHECK(*parse_duration("15m") == 900);
  CHECK(*parse_duration("2h") == 7200);
  CHECK(*parse_duration("3d") == 259200);
  CHECK(*parse_duration("1w") == 604800);
  CHECK(*parse_duration("1h30m") == 5400);
  for (const char* bad : {"", "h", "2x", "-1s", "1h30", "1.5h", " 2h", "2h ", "99999999999999999999s", "200000w"}) {
    INFO(bad);
    auto parsed = parse_duration(bad);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().kind == Kind::usage);
  }
  CHECK_FALSE(parse_duration("0s"));
}

TEST_CASE("durations, sizes and times are shown short") {
  CHECK(format_duration(0) == "0s");
  CHECK(format_duration(-5) == "0s");
  CHECK(format_duration(59) == "59s");
  CHECK(format_duration(3600) == "1h");
  CHECK(format_duration(2 * 86400 + 1) == "2d");
  CHECK(format_bytes(812) == "812 B");
  CHECK(format_bytes(65536) == "64.0 KiB");
  CHECK(format_bytes(1048575) == "1.0 MiB");
  CHECK(format_bytes(1288490189) == "1.2 GiB");
  CHECK(format_utc(0) == "1970-01-01T00:00:00Z");
}

TEST_CASE("what was meant") {
  const std::vector<std::string> names{"create", "delete", "dev1", "a"};
  CHECK(nearest("craete", names) == "create");
  CHECK(nearest("delte", names) == "delete");
  CHECK(nearest("dve1", names) == "dev1");
  CHECK(nearest("production", names).empty());
  CHECK(nearest("b", names).empty());
}

TEST_CASE("lists of names and tables") {
  CHECK(enumerate({}).empty());
  CHECK(enumerate({"a"}) == "a");
  CHECK(enumerate({"a", "b", "c"}) == "a, b and c");
  CHECK(enumerate({"a", "b", "c", "d"}, 3) == "a, b and 2 more");
  Table table({"NAME", "OWN"});
  table.align_right(1);
  table.add({"dév", "1 B"});
  table.add({"x", "100 KiB"});
  CHECK(table.text() == "NAME      OWN\ndév       1 B\nx     100 KiB\n");
}
