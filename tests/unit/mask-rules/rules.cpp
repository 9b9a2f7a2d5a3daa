// The readers: four forms, one model; what is malformed is refused with the rule's name.
#include "tools/mask/rules/rules.h"

#include <fmt/format.h>

#include <string>

#include "tests/support/must.h"

namespace branchfs::mask {
namespace {

using test::must;

RuleSet json(std::string_view text) { return must(parse_rules(text, "json")); }
std::string why(std::string_view text, std::string_view form = "json") {
  auto rules = parse_rules(text, form);
  REQUIRE_FALSE(rules);
  CHECK((rules.error().kind == Kind::refused || rules.error().kind == Kind::usage));
  return rules.error().what;
}
std::string native(std::string_view rule) {
  return fmt::format(R"({{"version":1,"masking_rules":[{}]}})", rule);
}
bool mentions(const std::string& text, std::string_view part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

constexpr const char* kNeon = R"j({"masking_rules":[
  {"database_name":"app","schema_name":"public","table_name":"users","column_name":"email","masking_function":"anon.dummy_free_email()"},
  {"database_name":"app","schema_name":"public","table_name":"users","column_name":"address","masking_value":"'CONFIDENTIAL'"}]})j";

TEST_CASE("Neon's body is read as it is") {
  const RuleSet rules = json(kNeon);
  REQUIRE(rules.rules.size() == 2);
  CHECK(rules.defaults.unmapped_columns == UnmappedColumns::keep);
  CHECK(rules.rules[0].action == Action::function);
  CHECK(rules.rules[0].text == "anon.dummy_free_email()");
  CHECK(rules.rules[0].describe() == "rule 1 (app.public.users.email)");
  CHECK(rules.rules[1].action == Action::value);
  CHECK(rules.rules[1].expression->render() == "'CONFIDENTIAL'");
  CHECK(rules.hash.size() == 32);
}

TEST_CASE("the native form, JSON and YAML alike") {
  const RuleSet a = json(R"j({"version":1,"key":"file:/etc/key",
    "defaults":{"unmapped_columns":"refuse","preserve_null":true,"large_objects":"drop","other_databases":"keep","roles":"lock"},
    "masking_rules":[
      {"table_name":"users","column_name":"phone","mask":"permute"},
      {"table_name":"users","column_name":"card","mask":"card"},
      {"table_name":"users","column_name":"name","masking_function":"anon.fake_first_name()","when":"NOT is_staff","seed":["id"],"compat":"keyed"},
      {"schema_name":"*","column_name":"*_at","mask":"keep","reason":"times"},
      {"table_name":"audit_log","truncate":true},
      {"table_name":"users","column_name":"profile","json_path":["emails","*"],"masking_function":"anon.fake_email()","preserve_null":false}],
    "references":[{"from":"public.orders.customer_email","to":"public.users.email"}]})j");
  const RuleSet b = must(parse_rules(R"(
version: 1
references:
  - {to: public.users.email, from: public.orders.customer_email}
masking_rules:
  - {table_name: audit_log, truncate: true}
  - {table_name: users, column_name: phone, mask: permute}
  - {table_name: users, column_name: card, mask: card}
  - table_name: users
    column_name: name
    masking_function: anon.fake_first_name( )
    when: not Is_Staff
    compat: keyed
    seed: [id]
  - {schema_name: "*", column_name: "*_at", mask: keep}
  - {table_name: users, column_name: profile, json_path: [emails, "*"], masking_function: anon.fake_email(), preserve_null: false}
key: "file:/elsewhere"
defaults: {large_objects: drop, other_databases: keep}
)",
                                     "yaml"));
  CHECK(a.hash == b.hash);
  CHECK(a.defaults.large_objects == Policy::drop);
  CHECK(a.rules[1].alphabet == "luhn");
  CHECK(a.rules[2].when->render() == R"((NOT "is_staff"))");
  CHECK(a.references[0].to_parts == std::vector<std::string>{"", "public", "users", "email"});
  CHECK(a.defaults.unmapped_columns == UnmappedColumns::refuse);

  SECTION("the canonical form reads back to the same model") {
    const RuleSet again = json(a.canonical().dump());
    CHECK(again.canonical() == a.canonical());
    CHECK(again.hash == a.hash);
    CHECK(again.key == a.key);
  }
  SECTION("a change of a mask changes the hash, the key's place and a remark do not") {
    auto changed = a.canonical();
    changed["key"] = "ephemeral";
    CHECK(json(changed.dump()).hash == a.hash);
    changed["defaults"]["preserve_null"] = false;
    CHECK(json(changed.dump()).hash != a.hash);
  }
}

TEST_CASE("SECURITY LABEL files") {
  const RuleSet rules = must(parse_rules(R"(
-- rules of the application
/* more /* nested */ */
SECURITY LABEL FOR anon ON COLUMN public.users.email IS 'MASKED WITH FUNCTION anon.partial(email,2,$$*****$$,2)';
security label for 'anon' on column users."Phone No" is 'masked with value ''CONFIDENTIAL'' ';
SECURITY LABEL FOR anon ON COLUMN public.users.id IS 'NOT MASKED';
SECURITY LABEL FOR anon ON ROLE skynet IS 'MASKED';
SECURITY LABEL FOR anon ON COLUMN public.users.x IS NULL)",
                                         "sql"));
  REQUIRE(rules.rules.size() == 3);
  CHECK(rules.rules[0].schema == "public");
  CHECK(rules.rules[0].action == Action::function);
  CHECK(rules.rules[1].column == "Phone No");
  CHECK(rules.rules[1].expression->render() == "'CONFIDENTIAL'");
  CHECK(rules.rules[2].action == Action::keep);
  CHECK(rules.warnings.size() == 2);
  for (const char* text :
       {"DROP TABLE users;", "SELECT 1;",
        "SECURITY LABEL FOR anon ON TABLE users IS 'TABLESAMPLE BERNOULLI(1)';",
        "SECURITY LABEL FOR selinux ON COLUMN a.b IS 'x';",
        "SECURITY LABEL FOR anon ON COLUMN a.b IS 'MASKED';",
        "SECURITY LABEL FOR anon ON COLUMN a.b IS 'NOT MASKED' DROP TABLE a;",
        "SECURITY LABEL FOR anon ON COLUMN a IS 'NOT MASKED';",
        "SECURITY LABEL FOR anon ON COLUMN a.b IS E'NOT MASKED';",
        "SECURITY LABEL FOR anon ON COLUMN a.b IS 'MASKED WITH VALUE b';",
        "SECURITY LABEL FOR anon ON COLUMN a.b IS 'MASKED WITH FUNCTION anon.fake_email(); DROP TABLE a';",
        "SECURITY LABEL FOR anon ON COLUMN a.b IS 'NOT MASKED", "\\! rm -rf /"}) {
    INFO(text);
    CHECK_FALSE(parse_rules(text, "sql"));
  }
  CHECK(mentions(why("\n\nCREATE TABLE x();", "sql"), "line 3"));
}

TEST_CASE("labels of pg_seclabel") {
  const RuleSet rules = must(
      rules_from_labels({{"app", "public", "users", "e*mail", "MASKED WITH FUNCTION anon.fake_email()"}}));
  REQUIRE(rules.rules.size() == 1);
  CHECK(glob_matches(rules.rules[0].column, "e*mail"));
  CHECK_FALSE(glob_matches(rules.rules[0].column, "email"));
  CHECK_FALSE(rules_from_labels({{"app", "public", "users", "email", "MASKED WITH FUNCTION pg_sleep(1)"}}));
}

TEST_CASE("what is malformed is refused, with the rule's name and what to do") {
  CHECK(mentions(why(native(R"({"table_name":"u","column_name":"c","mask":"kep"})")), "rule 1 (*.u.c)"));
  CHECK(mentions(why(native(R"({"table_name":"u","column_name":"c","mask":"keep","masking_value":"1"})")),
                 "both"));
  CHECK(mentions(
      why(native(
          R"j({"table_name":"u","column_name":"c","masking_function":"anon.fake_email()","masking_value":"1"})j")),
      "both"));
  CHECK(mentions(why(native(R"({"table_name":"u","column_name":"c"})")), "what to do"));
  CHECK(mentions(why(native(R"({"table_name":"u","column_name":"c","mask":"keep","mask":"permute"})")),
                 "twice"));
  CHECK(mentions(why(native(R"({"table_name":"u","column_name":"c","mask":1})")), "not a string"));
  CHECK(
      mentions(why(native(R"({"table_name":"u","column_name":"c","masking_value":null})")), "not a string"));
  CHECK(mentions(why(native(R"({"table_name":"u","colum_name":"c","mask":"keep"})")), "unknown key"));
  CHECK(mentions(why(native(R"({"table_name":"u","column_name":"c\u0007","mask":"keep"})")),
                 "control character"));
  CHECK(mentions(why(native(R"({"table_name":"u","column_name":"c","masking_value":"CONFIDENTIAL"})")),
                 "not constant"));
  CHECK(mentions(why(native(R"({"table_name":"u","column_name":"c","truncate":true})")), "whole tables"));
  CHECK(
      mentions(why(native(R"({"table_name":"u","column_name":"c","mask":"keep","when":"a"})")), "condition"));
  CHECK(mentions(why(native(R"({"table_name":"u","column_name":"c","mask":"shuffle","json_path":["a"]})")),
                 "json_path"));
  CHECK(mentions(why(native(R"({"table_name":"u","column_name":"c","mask":"permute","seed":["id"]})")),
                 "seed"));
  CHECK(mentions(why(R"({"masking_rules":[{"table_name":"u","column_name":"c","mask":"keep"}]})"), "Neon"));
  CHECK(mentions(why(R"({"version":2,"masking_rules":[]})"), "version"));
  CHECK(mentions(why(R"({"version":1,"masking_rules":[],"key":"secret"})"), "key"));
  CHECK(mentions(why(R"({"version":1,"masking_rules":[],"references":[{"from":"a.b","to":"c.d.e"}]})"),
                 "schema.table.column"));
  CHECK(mentions(why(R"({"version":1,"masking_rules":[],"defaults":{"unmapped_columns":"drop"}})"),
                 "unmapped_columns"));
  CHECK(mentions(why("[1,2]"), "no rule file"));
  CHECK(mentions(why("{"), "line 1"));
  CHECK(mentions(why("\x01"), "control character"));
  CHECK(mentions(why("a: &x 1\nb: *x\n", "yaml"), "anchors"));
  CHECK(mentions(why("a: 1\na: 2\n", "yaml"), "twice"));
  CHECK(mentions(why("a: !!binary x\n", "yaml"), "tags"));
  CHECK(mentions(why("a: [", "yaml"), "no rule file"));
  CHECK(mentions(why("a: 1\n---\nb: 1\n", "yaml"), "more than one"));
  CHECK_FALSE(parse_rules(std::string(100'000, '['), "json"));
  CHECK_FALSE(parse_rules(std::string(100'000, '['), "yaml"));
  std::string nested;
  for (int i = 0; i < 2000; ++i) nested += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  CHECK_FALSE(parse_rules(nested, "yaml"));
}

// Each field in turn holds what would end a literal or a name; either it is refused, or it comes out as one
// name or one literal.
TEST_CASE("an injection in any field stays data") {
  for (const std::string attack :
       {"x'; DROP TABLE users; --", "x\"; DROP TABLE users; --", "$$; DROP TABLE users; --", "') OR 1=1 --",
        "email\" TYPE text USING (SELECT passwd FROM pg_shadow) --"}) {
    const std::string quoted = nlohmann::json(attack).dump();
    for (const char* key : {"database_name", "schema_name", "table_name", "column_name"}) {
      nlohmann::json rule = {{"table_name", "t"}, {"column_name", "c"}, {"mask", "permute"}};
      rule[key] = attack;
      const auto rules =
          parse_rules(nlohmann::json{{"version", 1}, {"masking_rules", {rule}}}.dump(), "json");
      REQUIRE(rules);  // a name that no schema has: the planner finds no such table
      const Rule& read = rules->rules[0];
      const bool matches = glob_matches(read.database, "d") && glob_matches(read.schema, "s") &&
                           glob_matches(read.table, "t") && glob_matches(read.column, "c");
      CHECK_FALSE(matches);
    }
    for (const char* key : {"masking_function", "masking_value", "mask"}) {
      nlohmann::json rule = {{"table_name", "t"}, {"column_name", "c"}, {key, attack}};
      CHECK_FALSE(parse_rules(nlohmann::json{{"version", 1}, {"masking_rules", {rule}}}.dump(), "json"));
    }
    for (const char* key : {"when", "compat", "reason", "json_path", "seed", "preserve_null"}) {
      nlohmann::json rule = {
          {"table_name", "t"}, {"column_name", "c"}, {"masking_function", "anon.fake_email()"}};
      rule[key] = attack;
      const auto rules =
          parse_rules(nlohmann::json{{"version", 1}, {"masking_rules", {rule}}}.dump(), "json");
      CHECK((!rules || std::string(key) == "reason"));
    }
    const auto literal = Expression::parse(quote_literal(attack));
    REQUIRE(literal);
    CHECK(literal->render() == quote_literal(attack));
    const auto name = Expression::parse(quote_name(attack));
    REQUIRE(name);
    CHECK(name->render() == quote_name(attack));
  }
  CHECK(quote_literal("a'b\\") == "'a''b\\'");
  CHECK(quote_name("a\"b") == "\"a\"\"b\"");
}

TEST_CASE("globs") {
  CHECK(glob_matches("", "anything"));
  CHECK(glob_matches("*", ""));
  CHECK(glob_matches("*_at", "created_at"));
  CHECK_FALSE(glob_matches("*_at", "created_at_x"));
  CHECK(glob_matches("a?c", "abc"));
  CHECK(glob_matches("a?c",
                     "a\xc3\xa9"
                     "c"));
  CHECK(glob_matches("a\\*", "a*"));
  CHECK_FALSE(glob_matches("a\\*", "ab"));
  CHECK(glob_matches("*a*b*", "xxaxxbxx"));
  CHECK_FALSE(glob_matches("abc", "ab"));
  CHECK_FALSE(glob_matches("ab", "abc"));
  CHECK(glob_matches(literal_glob("a*?\\b"), "a*?\\b"));
  CHECK_FALSE(glob_matches(std::string(200, '*') + "b", std::string(20'000, 'a')));
}

TEST_CASE("the most specific rule wins") {
  const auto level = [](std::string_view rule) { return specificity(json(native(rule)).rules[0]); };
  const int all = level(R"({"column_name":"*","mask":"keep"})");
  const int glob = level(R"({"column_name":"*_at","mask":"keep"})");
  const int longer = level(R"({"column_name":"created_*_at","mask":"keep"})");
  const int table = level(R"({"table_name":"users","column_name":"*","mask":"keep"})");
  const int column = level(R"({"column_name":"email","mask":"keep"})");
  const int both = level(R"({"table_name":"users","column_name":"email","mask":"keep"})");
  const int full =
      level(R"({"schema_name":"public","table_name":"users","column_name":"email","mask":"keep"})");
  CHECK(all < glob);
  CHECK(glob < longer);
  CHECK(longer < table);
  CHECK(table < column);
  CHECK(column < both);
  CHECK(both < full);
}

}  // namespace
}  // namespace branchfs::mask
