// postgresql.conf: what PostgreSQL accepts, and what it rejects.
#include "tools/pg/conf_file.h"

#include "tests/catch.h"
#include "tests/unit/pg/fake_source.h"

using namespace branchfs;
using namespace branchfs::pg;

namespace {

void check_setting(const std::string& text, const std::string& name, const std::string& value) {
  INFO(text);
  const ConfLine line = parse_conf_line(text);
  CHECK(line.kind == ConfLine::Kind::setting);
  CHECK(line.name == name);
  CHECK(line.value == value);
}

}  // namespace

TEST_CASE("settings in every accepted form") {
  check_setting("port = 5432", "port", "5432");
  check_setting("port 5432", "port", "5432");
  check_setting("  Shared_Buffers=8GB # comment", "shared_buffers", "8GB");
  check_setting("archive_command = 'cp %p /x/%f'\t# c", "archive_command", "cp %p /x/%f");
  check_setting("a = 'it''s'", "a", "it's");
  check_setting("a = 'it\\'s \\\\ \\101\\n'", "a", "it's \\ A\n");
  check_setting("a = 'x # y'", "a", "x # y");
  check_setting("a = ''", "a", "");
  check_setting("cron.database_name = 'x'\r", "cron.database_name", "x");
  check_setting("log_timezone = Europe/Berlin", "log_timezone", "Europe/Berlin");
  check_setting("x = -1", "x", "-1");
  check_setting("x = 0.5", "x", "0.5");
}

TEST_CASE("comments, directives and rejected lines") {
  CHECK(parse_conf_line("").kind == ConfLine::Kind::blank);
  CHECK(parse_conf_line("   # port = 1").kind == ConfLine::Kind::blank);
  CHECK(parse_conf_line("include 'x.conf'").kind == ConfLine::Kind::include);
  CHECK(parse_conf_line("INCLUDE_IF_EXISTS = 'x.conf'").kind == ConfLine::Kind::include_if_exists);
  CHECK(parse_conf_line("include_dir 'conf.d'").value == "conf.d");
  for (const char* bad : {"port =", "= 5", "a = 'open", "a = 'x' y", "5 = a", "a = b c", "a = 'x\\"}) {
    INFO(bad);
    CHECK(parse_conf_line(bad).kind == ConfLine::Kind::invalid);
  }
}

TEST_CASE("a written setting reads back as it was") {
  for (const std::string value : {"", "plain", "it's", "back\\slash", "a#b", "\"q\", r", "line\nbreak"}) {
    const ConfLine line = parse_conf_line(conf_setting("x.y", value));
    CHECK(line.kind == ConfLine::Kind::setting);
    CHECK(line.name == "x.y");
    CHECK(line.value == value);
  }
}

TEST_CASE("memory sizes and lists") {
  CHECK(parse_size("8GB", 8192) == 8ULL << 30U);
  CHECK(parse_size("16384", 8192) == 128ULL << 20U);
  CHECK(parse_size("1.5 MB", 8192) == 1536ULL << 10U);
  CHECK_FALSE(parse_size("8 gb", 8192).has_value());
  CHECK_FALSE(parse_size("", 8192).has_value());
  CHECK_FALSE(parse_size("1e300GB", 8192).has_value());
  CHECK(parse_list(" a, \"b,c\" ,,d") == std::vector<std::string>{"a", "b,c", "d"});
  CHECK(parse_list("").empty());
}

TEST_CASE("includes are followed as PostgreSQL does, the last setting wins") {
  FakeSource source;
  source.files["postgresql.conf"] =
      "a = 1\ninclude 'sub/one.conf'\ninclude_dir 'conf.d'\na = 9\n"
      "include_if_exists 'none.conf'\ninclude '/gone.conf'\n";
  source.files["sub/one.conf"] = "b = 1\ninclude 'two.conf'\n";
  source.files["sub/two.conf"] = "b = 2\n";
  source.files["conf.d/20.conf"] = "c = 20\n";
  source.files["conf.d/10.conf"] = "c = 10\n";
  source.files["conf.d/readme"] = "c = 30\n";
  source.files["conf.d/.hidden.conf"] = "c = 40\n";
  auto flat = flatten_conf(source, "postgresql.conf");
  REQUIRE(flat.ok());
  const auto settings = effective_settings(flat->lines);
  CHECK(settings == std::map<std::string, std::string>{{"a", "9"}, {"b", "2"}, {"c", "20"}});
  CHECK(flat->missing == std::vector<std::string>{"/gone.conf"});
  CHECK(flat->included.size() == 4);
}

TEST_CASE("an include loop is an error, not a hang") {
  FakeSource source;
  source.files["postgresql.conf"] = "include 'postgresql.conf'\n";
  CHECK_FALSE(flatten_conf(source, "postgresql.conf").ok());
}
