// Expressions: what is accepted and how it is rendered, and that nothing else gets through.
#include "tools/mask/rules/expression.h"

#include <string>
#include <vector>

#include "tests/support/must.h"

namespace branchfs::mask {
namespace {

using test::must;

std::string sql(std::string_view text) { return must(Expression::parse(text)).render(); }
bool refused(std::string_view text) {
  auto parsed = Expression::parse(text);
  return !parsed && parsed.error().kind == Kind::refused;
}

TEST_CASE("what the documentation of Neon and PostgreSQL Anonymizer shows is accepted") {
  for (const char* text :
       {"anon.dummy_free_email()",
        "anon.partial(phone,2,$$*****$$,2)",
        "anon.partial(phone,2,$$******$$,2) ",
        "anon.noise(salary, 0.5)",
        "pg_catalog.concat(anon.dummy_uuidv4(), '@example.com')",
        "anon.random_in(ARRAY['a','b'])",
        "anon.random_date_between('1970-01-01'::date, now())",
        "anon.dnoise(d, interval '1 month')",
        "anon.dnoise(d, '1 month'::interval)",
        "anon.random_int_between(1,5)",
        "anon.random_in_int4range('[1,6)')",
        "anon.random_string(12)",
        "anon.partial_email(email)",
        "anon.hash(email)",
        "pg_catalog.left(anon.hash(phone_number),12)",
        "pg_catalog.md5('0')",
        "anon.lorem_ipsum( words := 20 )",
        "anon.lorem_ipsum( characters := LENGTH(people.comment) )",
        "anon.random_int_between(id*1000,id*1000+999)",
        "anon.ternary(age > 17, name, 'x')",
        "CASE WHEN a IS NULL THEN NULL ELSE anon.fake_city() END",
        "anon.random_date_between('2001-01-01'::timestamp with time zone, now())",
        "anon.generalize_int4range(zipcode, 1000)",
        "anon.pseudo_email(email, 'salt')",
        "pg_catalog.concat(anon.pseudo_first_name(owner),\n  $$ $$,\n anon.pseudo_last_name(owner))",
        "anon.dummy_words('[1,4)'::int4range)",
        "anon.random_in_daterange('[2001-01-01, 2001-12-31)')",
        "anon.dummy_last_name_locale('fr_FR')",
        "'CONFIDENTIAL'",
        "NULL",
        "42",
        "-1.5e3",
        "true",
        "'{}'::jsonb",
        "CAST(x AS varchar(10))",
        "'a'::public.mood",
        "timestamp '2000-01-01 00:00'",
        "COALESCE(x, 'y')",
        "x NOT IN (1, 2) AND NOT y LIKE 'a%' OR z BETWEEN 1 AND 2"}) {
    auto parsed = Expression::parse(text);
    INFO(text << ": " << (parsed ? "" : parsed.error().what + " " + parsed.error().hint));
    CHECK(parsed);
    if (!parsed) continue;
    // The canonical text is read back as the same expression.
    CHECK(must(Expression::parse(parsed->text())).text() == parsed->text());
    CHECK(must(Expression::parse(parsed->text())).render() == parsed->render());
  }
}

TEST_CASE("rendering quotes, qualifies and parenthesizes") {
  CHECK(sql("anon.partial(Phone,2,$$*'*$$,2)") == R"(branchfs_mask."partial"("phone", 2, '*''*', 2))");
  CHECK(sql(R"(upper("We""ird"))") == R"(pg_catalog."upper"("We""ird"))");
  CHECK(sql("a || b || 'c'") == R"((("a" OPERATOR(pg_catalog.||) "b") OPERATOR(pg_catalog.||) 'c'))");
  CHECK(sql("1 + 2 * 3") == "(1 OPERATOR(pg_catalog.+) (2 OPERATOR(pg_catalog.*) 3))");
  CHECK(sql("a = 1 or b and not c") == R"((("a" OPERATOR(pg_catalog.=) 1) OR ("b" AND (NOT "c"))))");
  CHECK(sql("x::int::text") == R"((("x"::pg_catalog."int4")::pg_catalog."text"))");
  CHECK(sql("-x::int") == R"((- ("x"::pg_catalog."int4")))");
  CHECK(sql("- -1") == "(- (- 1))");
  CHECK(sql("'a'::char") == R"(('a'::pg_catalog."bpchar"(1)))");
  CHECK(sql("x::timestamp(3) with time zone") == R"(("x"::pg_catalog."timestamptz"(3)))");
  CHECK(
      sql("d - interval '1 day' < now()") ==
      R"((("d" OPERATOR(pg_catalog.-) ('1 day'::pg_catalog."interval")) OPERATOR(pg_catalog.<) pg_catalog."now"()))");
  CHECK(sql("x not ilike '%a'") == R"(("x" OPERATOR(pg_catalog.!~~*) '%a'))");
  CHECK(sql("a between 1 and 2 and b") == R"((("a" BETWEEN 1 AND 2) AND "b"))");
  CHECK(sql("case a when 1 then 'x' else b end") == R"((CASE "a" WHEN 1 THEN 'x' ELSE "b" END))");
  CHECK(sql("a is not null") == R"(("a" IS NOT NULL))");
  CHECK(sql("'back\\slash'") == "'back\\slash'");
  CHECK(must(Expression::parse("people.name")).render([](const std::string& c) {
    return "o." + quote_name(c);
  }) == R"(o."name")");
}

TEST_CASE("what is not in the grammar is refused") {
  for (const char* text : {"",
                           " ",
                           "'",
                           "a'",
                           "\"",
                           "\"\"",
                           "1; DROP TABLE users",
                           "a -- b",
                           "a /* b */",
                           "$1",
                           "E'a\\'",
                           "U&'\\0041'",
                           "X'1F'",
                           "B'1'",
                           "N'x'",
                           "(select 1)",
                           "select 1",
                           "a in (select 1)",
                           "exists (select 1)",
                           "array(select 1)",
                           "a = any('{1}')",
                           "current_user()",
                           "pg_read_file('/etc/passwd')",
                           "pg_catalog.pg_read_file('/etc/passwd')",
                           "public.fake_email()",
                           "anon.fake_emial()",
                           "fake_email()",
                           "lo_import('/etc/passwd')",
                           "anon.x.y()",
                           "a.b.c",
                           "a.b.c()",
                           "count(*)",
                           "sum(a) over ()",
                           "max(a) filter (where b)",
                           "a collate \"C\"",
                           "a::regclass",
                           "a::pg_catalog.regclass",
                           "a::\"text\"",
                           "a::unknown_type",
                           "1 2",
                           "a b",
                           "a,b",
                           "(a",
                           "a)",
                           "a +",
                           "* a",
                           "a = b = c",
                           "a ->> 'b'",
                           "a[1]",
                           "(a).b",
                           "x @> y",
                           "1abc",
                           "1e",
                           "'a' 'b'",
                           "anon.partial(a)",
                           "anon.partial(a,b,c,d,e)",
                           "anon.lorem_ipsum(wrods := 1)",
                           "anon.lorem_ipsum(words := 1, 2)",
                           "upper(words := 1)",
                           "nullif(a)",
                           "a::varchar(b)",
                           "a::text(3)",
                           "a::varchar(-1)",
                           "a::int[3]",
                           "case end",
                           "case when a end",
                           "a is",
                           "a between 1",
                           "a like 'b' escape 'c'",
                           "not",
                           "a is distinct from b",
                           "\x01",
                           "a\x7f",
                           "a\xff",
                           "\xc0\x80",
                           "'\xed\xa0\x80'",
                           "a\xc2\x9b",
                           "values",
                           "select",
                           "a::public.\"x\"(1",
                           "$a$ b $b$",
                           "$$"}) {
    INFO(text);
    CHECK(refused(text));
  }
}

TEST_CASE("a hostile expression is refused at its limits, not at the end of the stack") {
  const std::string open(50'000, '(');
  CHECK(refused(open));
  CHECK(refused(std::string(15'000, '(')));
  CHECK(refused(std::string(101, '(') + "1" + std::string(101, ')')));
  CHECK(refused(std::string(1500, '-') + "1"));
  std::string chain = "1";
  for (int i = 0; i < 900; ++i) chain += "+1";
  CHECK(refused(chain));
  std::string nots;
  for (int i = 0; i < 900; ++i) nots += "not ";
  CHECK(refused(nots + "a"));
  std::string casts = "a";
  for (int i = 0; i < 300; ++i) casts += "::text";
  CHECK(refused(casts));
  CHECK(refused("\"" + std::string(64, 'x') + "\""));
  std::string many = "ARRAY[1";
  for (int i = 0; i < 900; ++i) many += ",1";
  CHECK(Expression::parse(many + "]"));
}

TEST_CASE("unknown functions come with a suggestion") {
  auto near = Expression::parse("anon.fake_emial()");
  REQUIRE(!near);
  CHECK(near.error().hint.find("anon.fake_email") != std::string::npos);
  CHECK(Expression::parse("fake_email()").error().hint.find("anon.fake_email") != std::string::npos);
  CHECK(Expression::parse("(select 1)").error().what.find("subqueries") != std::string::npos);
}

TEST_CASE("what an expression needs and promises") {
  auto of = [](std::string_view text) { return must(Expression::parse(text)); };
  CHECK(of("a || people.b || upper(\"C\")").columns() == std::set<std::string>{"a", "b", "C"});
  CHECK(of("a || people.b").qualifiers() == std::set<std::string>{"people"});
  CHECK(of("a::public.mood").types() == std::set<std::pair<std::string, std::string>>{{"public", "mood"}});
  CHECK(of("concat(anon.fake_city(), anon.fake_email())").functions() ==
        std::vector<std::string>{"fake_city", "fake_email"});
  CHECK(of("'x' || 1").is_constant());
  CHECK(of("upper('x')").is_constant());
  CHECK_FALSE(of("x").is_constant());
  CHECK_FALSE(of("anon.fake_city()").is_constant());
  CHECK_FALSE(of("random()").is_constant());
  CHECK(of("NULL::text").is_null());
  CHECK_FALSE(of("'NULL'").is_null());
  CHECK(of("upper(anon.fake_city())").uses_seed());
  CHECK_FALSE(of("anon.partial(a, 1, 'x', 1)").uses_seed());
}

TEST_CASE("distinctness") {
  auto of = [](std::string_view text) { return must(Expression::parse(text)).uniqueness("a"); };
  CHECK(of("a") == Uniqueness::preserved);
  CHECK(of("a || 'x'") == Uniqueness::preserved);
  CHECK(of("a || a") == Uniqueness::lossy);
  CHECK(of("a || b") == Uniqueness::lossy);
  CHECK(of("b") == Uniqueness::lossy);
  CHECK(of("'x'") == Uniqueness::lossy);
  CHECK(of("a + 1000") == Uniqueness::preserved);
  CHECK(of("a * 2") == Uniqueness::lossy);
  CHECK(of("a::text") == Uniqueness::preserved);
  CHECK(of("a::varchar(3)") == Uniqueness::lossy);
  CHECK(of("a::int") == Uniqueness::lossy);
  CHECK(of("left(a, 3)") == Uniqueness::lossy);
  CHECK(of("anon.partial(a, 1, 'x', 1)") == Uniqueness::lossy);
  CHECK(of("concat(anon.dummy_uuidv4(), '@example.com')") == Uniqueness::probable);
  CHECK(of("concat(anon.dummy_uuidv4(), b)") == Uniqueness::probable);
  CHECK(of("left(anon.hash(a), 12)") == Uniqueness::lossy);
  CHECK(of("case when b then a else a end") == Uniqueness::lossy);
}

TEST_CASE("length") {
  auto of = [](std::string_view text) { return must(Expression::parse(text)).longest(); };
  CHECK(of("'abc'") == 3);
  CHECK(of("''") == 1);
  CHECK(of("concat('ab', 'cd')") == 4);
  CHECK(of("'a' || 'bc'") == 3);
  CHECK(of("a || 'bc'") == 0);
  CHECK(of("md5(a)") == 32);
  CHECK(of("case when a then 'x' else 'yyy' end") == 3);
}

}  // namespace
}  // namespace branchfs::mask
