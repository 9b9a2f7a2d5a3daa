// Plans against a real server: what is read of a schema, what is refused, and that a database masked by a
// plan's statements keeps its schema and its constraints.
#include "tools/mask/plan/plan.h"

#include "tests/postgres/mask-plan/server.h"

namespace branchfs::mask {
namespace {

using pg::must;

RuleSet rules_of(const std::string& rules,
                 const std::string& more = R"("defaults":{"unmapped_columns":"keep"},)") {
  return must(parse_rules(R"({"version":1,)" + more + R"("masking_rules":[)" + rules + "]}", "json"));
}
std::string text_of(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& f : findings) {
    text += (f.level == Finding::Level::error ? "error " : "warning ") + f.where + ": " + f.what + " [" +
            f.hint + "]\n";
  }
  return text;
}
const TablePlan& table_of(const Plan& plan, const std::string& name) {
  for (const TablePlan& table : plan.tables) {
    if (table.table == name) return table;
  }
  throw std::runtime_error("no plan for " + name);
}

// Every kind of thing that ALTER … TYPE loses, refuses or revalidates.
constexpr const char* kSchemaSql = R"sql(
CREATE DOMAIN public.email_domain AS varchar(120) CHECK (value LIKE '%@%');
CREATE TYPE public.mood AS ENUM ('sad', 'glad');
CREATE ROLE reader;
CREATE TABLE public.users (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email text NOT NULL UNIQUE,
  backup public.email_domain,
  name varchar(30) COLLATE "C" DEFAULT upper('q') NOT NULL,
  phone text,
  mood public.mood,
  profile jsonb,
  born date,
  staff boolean DEFAULT false,
  "we;ird ""col" text,
  boss int REFERENCES public.users(id),
  CHECK (length(name) > 0));
COMMENT ON COLUMN public.users.email IS 'where to write';
CREATE INDEX lower_name ON public.users (lower(name)) WITH (fillfactor = 60);
ALTER INDEX public.lower_name ALTER COLUMN 1 SET STATISTICS 44;
COMMENT ON INDEX public.lower_name IS 'names';
ALTER TABLE public.users CLUSTER ON lower_name;
ALTER TABLE public.users ALTER phone SET STORAGE external, ALTER phone SET COMPRESSION pglz, ALTER phone SET STATISTICS 99,
  ALTER phone SET (n_distinct = -0.5);
CREATE STATISTICS public.st ON name, phone FROM public.users;
ALTER STATISTICS public.st SET STATISTICS 12;
COMMENT ON STATISTICS public.st IS 'both';
GRANT SELECT (name) ON public.users TO reader;
ALTER TABLE public.users REPLICA IDENTITY USING INDEX users_email_key;
CREATE TABLE public.orders (
  id bigint PRIMARY KEY,
  user_id int CONSTRAINT to_user REFERENCES public.users(id) ON DELETE CASCADE DEFERRABLE,
  user_email text REFERENCES public.users(email) ON UPDATE CASCADE,
  note text, total numeric(10,2));
COMMENT ON CONSTRAINT to_user ON public.orders IS 'who';
CREATE TABLE public.events (id bigint, at date NOT NULL, who int REFERENCES public.users(id), ip text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE public.events_1 PARTITION OF public.events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE public.events_2 PARTITION OF public.events FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
ALTER TABLE public.events_1 ALTER ip SET STORAGE main;
CREATE TABLE public.seen (name text, email text);
CREATE VIEW public.seen_names AS SELECT name FROM public.seen;
CREATE TABLE public.dense (id int PRIMARY KEY, code text UNIQUE DEFERRABLE);
CREATE VIEW public.dense_ids AS SELECT * FROM public.dense;
CREATE TABLE public.base (a int, secret text);
CREATE TABLE public.derived (extra text) INHERITS (public.base);
ALTER TABLE public.derived ALTER secret SET STORAGE main;
CREATE TABLE public.gone (a int, dropped text, b text);
INSERT INTO public.gone SELECT g, 'dropped secret ' || g, 'b' FROM generate_series(1, 10) g;
ALTER TABLE public.gone DROP COLUMN dropped;
CREATE TABLE public.always (id int GENERATED ALWAYS AS IDENTITY, b text, g text GENERATED ALWAYS AS (b || '!') STORED);
CREATE FUNCTION public.stop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''fired''; END';
CREATE TRIGGER stop BEFORE UPDATE ON public.always FOR EACH ROW EXECUTE FUNCTION public.stop();
ALTER TABLE public.always ENABLE ALWAYS TRIGGER stop;
CREATE TABLE public.audit (line text);
CREATE MATERIALIZED VIEW public.late AS SELECT 1 AS x;
CREATE MATERIALIZED VIEW public.early AS SELECT email FROM public.orders JOIN public.users ON users.email = orders.user_email WHERE false;
DROP MATERIALIZED VIEW public.early;
CREATE TABLE public.pairs (a int, b text, c text, UNIQUE (a, b));
INSERT INTO public.users (email, backup, name, phone, mood, profile, born, staff, boss)
  SELECT 'user' || g || '@corp.example', 'b' || g || '@x', 'Name ' || g, CASE WHEN g % 7 = 0 THEN NULL ELSE '+33 6 ' || 10000000 + g END, 'glad',
    jsonb_build_object('emails', jsonb_build_array('e' || g || '@corp', 'f' || g || '@corp'), 'age', 20 + g % 50, 'deep', jsonb_build_object('k''ey', 's' || g)),
    '1970-01-01'::date + g, g % 10 = 0, nullif(g / 2, 0) FROM generate_series(1, 500) g;
INSERT INTO public.orders SELECT g, 1 + g % 500, 'user' || 1 + g % 500 || '@corp.example', 'note ' || g, g FROM generate_series(1, 1000) g;
INSERT INTO public.events SELECT g, '2020-01-01'::date + g % 700, 1 + g % 500, '10.0.0.' || g % 250 FROM generate_series(1, 1000) g;
INSERT INTO public.seen SELECT 'n' || g, 's' || g || '@corp.example' FROM generate_series(1, 50) g;
INSERT INTO public.base SELECT g, 'secret of base ' || g FROM generate_series(1, 50) g;
INSERT INTO public.derived SELECT g, 'secret of derived ' || g, 'extra ' || g FROM generate_series(1, 50) g;
INSERT INTO public.always (b) SELECT 'value ' || g FROM generate_series(1, 50) g;
INSERT INTO public.dense SELECT g, lpad(g::text, 3, '0') FROM generate_series(1, 999) g;
INSERT INTO public.audit VALUES ('x');
INSERT INTO public.pairs SELECT g / 2, g % 2, 'c' FROM generate_series(1, 10) g;
)sql";

constexpr const char* kRules = R"j(
  {"schema_name":"public","table_name":"users","column_name":"id","mask":"permute"},
  {"schema_name":"public","table_name":"users","column_name":"email","masking_function":"anon.dummy_free_email()"},
  {"table_name":"users","column_name":"backup","masking_function":"anon.fake_email()"},
  {"table_name":"users","column_name":"name","masking_function":"anon.fake_first_name()","when":"NOT staff"},
  {"table_name":"users","column_name":"phone","mask":"digits"},
  {"table_name":"users","column_name":"mood","masking_value":"'sad'::public.mood"},
  {"table_name":"users","column_name":"born","masking_function":"anon.random_date_between('1950-01-01'::date, '2000-01-01'::date)"},
  {"table_name":"users","column_name":"profile","json_path":["emails","*"],"masking_function":"anon.fake_email()"},
  {"table_name":"users","column_name":"profile","json_path":["age"],"mask":"digits"},
  {"table_name":"users","column_name":"profile","json_path":["deep","k'ey"],"masking_value":"'it''s gone'"},
  {"table_name":"orders","column_name":"note","mask":"shuffle"},
  {"table_name":"events","column_name":"ip","masking_function":"anon.dummy_ipv4()"},
  {"table_name":"seen","column_name":"name","masking_function":"anon.fake_first_name()"},
  {"table_name":"seen","column_name":"email","masking_function":"anon.fake_email()","seed":["name","email"]},
  {"table_name":"base","column_name":"secret","masking_function":"pg_catalog.concat(anon.dummy_uuidv4(), '!')"},
  {"table_name":"derived","column_name":"extra","masking_function":"anon.partial(secret, 1, '***', 1)"},
  {"table_name":"always","column_name":"b","masking_function":"anon.fake_city()"},
  {"table_name":"dense","column_name":"id","mask":"permute"},
  {"table_name":"dense","column_name":"code","mask":"permute"},
  {"table_name":"audit","truncate":true})j";

}  // namespace

TEST_CASE("a database masked by its plan keeps its schema, its keys and its promises") {
  MaskServer server;
  pg::Session session = server.connect();
  must(session.execute(kSchemaSql));
  const std::string before = server.dump();
  pg::Session masking = server.masking();
  const Schema schema = must(read_schema(masking));
  const Plan plan = must(MaskServer::plan(masking, rules_of(kRules)));
  INFO(text_of(plan.findings));
  REQUIRE_FALSE(plan.refused());

  CHECK(table_of(plan, "users").way == Way::alter);
  CHECK(table_of(plan, "events").way == Way::alter);
  CHECK(table_of(plan, "events_1").way == Way::keep);
  CHECK(table_of(plan, "seen").way == Way::update);
  CHECK(table_of(plan, "seen").reason.find("view public.seen_names") != std::string::npos);
  CHECK(table_of(plan, "always").way == Way::update);
  CHECK(table_of(plan, "gone").way == Way::rewrite);
  CHECK(table_of(plan, "audit").way == Way::truncate);
  CHECK(table_of(plan, "derived").way == Way::keep);
  CHECK(table_of(plan, "derived").columns.size() == 1);
  CHECK(table_of(plan, "pairs").way == Way::keep);
  // The rule on users.email holds for orders.user_email, that on users.id for three columns more.
  CHECK(table_of(plan, "orders").columns.size() == 3);
  CHECK(plan.drop_foreign_keys.size() == 4);

  must(
      session.execute("CREATE TABLE public.old AS SELECT * FROM public.users; CREATE TABLE public.old_orders "
                      "AS SELECT * FROM public.orders"));
  MaskServer::run(masking, plan, schema);
  must(session.execute("SET search_path = public"));
  auto ask = [&](const std::string& sql) { return value(session, sql); };

  // Nothing of the originals is left, NULLs are where they were, one user is one user everywhere.
  CHECK(ask("SELECT count(*) FROM users WHERE email LIKE '%@corp.example'") == "0");
  CHECK(ask("SELECT count(*) FROM users WHERE phone IS NULL") ==
        ask("SELECT count(*) FROM old WHERE phone IS NULL"));
  CHECK(ask("SELECT count(DISTINCT email) FROM users") == "500");
  CHECK(ask("SELECT count(*) FROM orders o JOIN users u ON u.email = o.user_email AND u.id = o.user_id") ==
        "1000");
  CHECK(ask("SELECT count(*) FROM users u JOIN users b ON b.id = u.boss") ==
        ask("SELECT count(*) FROM old WHERE boss IS NOT NULL"));
  CHECK(ask("SELECT min(id) || '-' || max(id) FROM users") == "1-500");
  CHECK(ask("SELECT count(*) FROM users WHERE mood <> 'sad'") == "0");
  CHECK(ask("SELECT count(*) FROM users WHERE name LIKE 'Name %' AND NOT staff") == "0");
  CHECK(ask("SELECT count(*) FROM users WHERE name LIKE 'Name %' AND staff") == "50");
  CHECK(ask("SELECT count(*) FROM users WHERE profile->'emails'->>1 LIKE '%@corp' OR "
            "jsonb_array_length(profile->'emails') <> 2") == "0");
  CHECK(ask("SELECT count(*) FROM users WHERE jsonb_typeof(profile->'age') <> 'number'") == "0");
  CHECK(ask("SELECT count(*) FROM users WHERE profile->'deep'->>'k''ey' <> 'it''s gone'") == "0");
  CHECK(ask("SELECT count(*) FROM orders JOIN old_orders USING (id) WHERE orders.note = old_orders.note")
            .size() < 3);
  CHECK(ask("SELECT string_agg(note, ',' ORDER BY note) FROM orders") ==
        ask("SELECT string_agg(note, ',' ORDER BY note) FROM old_orders"));
  CHECK(ask("SELECT count(*) FROM seen WHERE email LIKE '%@corp.example'") == "0");
  CHECK(ask("SELECT count(*) FROM base WHERE secret LIKE 'secret%' OR length(secret) <> 37") == "0");
  CHECK(ask("SELECT count(*) FROM derived WHERE extra <> 's***' || substr((a)::text, length(a::text))") ==
        "0");
  CHECK(ask("SELECT count(*) FROM always WHERE b LIKE 'value%' OR g <> b || '!'") == "0");
  CHECK(ask("SELECT count(*) FROM audit") == "0");
  CHECK(ask("SELECT count(DISTINCT id) || ' ' || count(DISTINCT code) || ' ' || count(*) FILTER (WHERE id = "
            "code::int) FROM dense")
            .starts_with("999 999 "));
  CHECK(ask("SELECT count(*) FROM dense WHERE id = code::int").size() < 3);
  CHECK(ask("SELECT count(*) FROM pg_index WHERE NOT (indisready AND indisvalid)") == "0");
  CHECK(ask("SELECT count(*) FROM events WHERE ip LIKE '10.0.0.%'") == "0");

  must(session.execute("DROP TABLE public.old, public.old_orders"));
  const std::string after = server.dump();
  CHECK(after == before);
  CHECK(ask("SELECT count(*) FROM pg_attribute WHERE attstattarget = 44") == "1");
  CHECK(ask("SELECT stxstattarget FROM pg_statistic_ext") == "12");
}

TEST_CASE("an injection in every name of a schema and in every literal of a rule is data") {
  MaskServer server;
  pg::Session session = server.connect();
  must(session.execute(R"sql(
    CREATE TABLE public.victim (a int); INSERT INTO public.victim VALUES (1);
    CREATE SCHEMA "s; DROP TABLE public.victim; --";
    CREATE TABLE "s; DROP TABLE public.victim; --"."t""; DROP TABLE public.victim; --" (
      "c""; DROP TABLE public.victim; --" text, "x'; DROP TABLE public.victim; --" text, doc jsonb, n int);
    INSERT INTO "s; DROP TABLE public.victim; --"."t""; DROP TABLE public.victim; --"
      SELECT 'original' || g, 'other' || g, jsonb_build_object('k''; DROP TABLE public.victim; --', 'value' || g), g FROM generate_series(1, 20) g)sql"));
  const std::string c = R"j("column_name":"c\"; DROP TABLE public.victim; --",)j";
  pg::Session masking = server.masking();
  const Schema schema = must(read_schema(masking));
  const RuleSet rules = rules_of(
      "{" + c +
      R"j("masking_function":"pg_catalog.concat($$'; DROP TABLE public.victim; --$$, anon.fake_city())","when":"\"x'; DROP TABLE public.victim; --\" <> $$'; DROP TABLE public.victim; --$$"},
      {"column_name":"x'; DROP TABLE public.victim; --","mask":"shuffle"},
      {"column_name":"n","mask":"permute"},
      {"column_name":"doc","json_path":["k'; DROP TABLE public.victim; --"],"masking_value":"$$'; DROP TABLE public.victim; --$$"})j");
  const Plan plan = must(MaskServer::plan(masking, rules));
  INFO(text_of(plan.findings));
  REQUIRE_FALSE(plan.refused());
  MaskServer::run(masking, plan, schema);
  CHECK(value(session, "SELECT count(*) FROM public.victim") == "1");
  const std::string table = R"("s; DROP TABLE public.victim; --"."t""; DROP TABLE public.victim; --")";
  CHECK(value(session,
              R"(SELECT count(*) FROM )" + table +
                  R"( WHERE "c""; DROP TABLE public.victim; --" LIKE '''; DROP TABLE public.victim; --%')") ==
        "20");
  CHECK(value(session, "SELECT count(*) FROM " + table + " WHERE doc::text LIKE '%value%'") == "0");
}

TEST_CASE("a plan that cannot hold is refused before a row is touched") {
  MaskServer server;
  pg::Session session = server.connect();
  must(session.execute(kSchemaSql));
  must(session.execute(
      "CREATE TABLE public.rooms (room int, during int4range, EXCLUDE USING gist (during WITH &&)); "
      "CREATE TABLE public.codes (code varchar(8) UNIQUE, folded text, note text); "
      "CREATE UNIQUE INDEX ON public.codes (lower(folded)); "
      "CREATE TABLE public.child (id int, u bigint REFERENCES public.orders(id))"));
  pg::Session masking = server.masking();
  const auto findings = [&](const std::string& rules) {
    const Plan plan = must(MaskServer::plan(masking, rules_of(rules)));
    CHECK(std::any_of(plan.findings.begin(), plan.findings.end(),
                      [](const Finding& f) { return f.level == Finding::Level::error; }));
    return text_of(plan.findings);
  };
  const auto refused = [&](const std::string& rules, const std::string& part) {
    const std::string text = findings(rules);
    INFO(rules << "\n" << text);
    CHECK(text.find(part) != std::string::npos);
  };
  const auto accepted = [&](const std::string& rules) {
    const Plan plan = must(MaskServer::plan(masking, rules_of(rules)));
    INFO(rules << "\n" << text_of(plan.findings));
    CHECK_FALSE(plan.refused());
  };
  refused(R"j({"table_name":"users","column_name":"emial","mask":"keep"})j", "did you mean email");
  refused(R"j({"table_name":"usres","column_name":"email","mask":"keep"})j", "did you mean users");
  refused(
      R"j({"database_name":"postgres","schema_name":"nope","table_name":"users","column_name":"email","mask":"keep"})j",
      "no such table");
  refused(R"j({"table_name":"users","column_name":"name","masking_function":"anon.partial(nmae,1,'x',1)"})j",
          "did you mean name");
  refused(
      R"j({"table_name":"users","column_name":"name","masking_function":"anon.partial(orders.note,1,'x',1)"})j",
      "no column");
  refused(R"j({"table_name":"users","column_name":"name","masking_value":"'a'::public.users"})j", "no enum");
  refused(
      R"j({"table_name":"users","column_name":"email","masking_function":"anon.partial(email,1,'x',1)"})j",
      "same value");
  refused(R"j({"table_name":"users","column_name":"email","masking_value":"'x'"})j", "same value");
  refused(R"j({"table_name":"users","column_name":"name","masking_value":"NULL"})j", "NOT NULL");
  refused(R"j({"table_name":"users","column_name":"email","mask":"permute","when":"staff"})j", "joined");
  refused(
      R"j({"table_name":"users","column_name":"email","masking_function":"anon.fake_email()"},{"table_name":"orders","column_name":"user_email","mask":"permute"})j",
      "one mask for both");
  refused(
      R"j({"table_name":"users","column_name":"email","masking_function":"anon.fake_email()"},{"table_name":"orders","column_name":"user_email","mask":"keep"})j",
      "keeps it");
  accepted(
      R"j({"table_name":"users","column_name":"email","mask":"permute"},{"schema_name":"public","column_name":"email","mask":"keep"})j");
  refused(
      R"j({"table_name":"users","column_name":"phone","mask":"permute"},{"table_name":"users","column_name":"phone","mask":"keep"})j",
      "equally specific");
  refused(R"j({"table_name":"events","column_name":"at","masking_function":"anon.random_date()"})j",
          "partition key");
  refused(R"j({"table_name":"events_1","column_name":"ip","masking_value":"'x'"})j",
          "put the rule on public.events");
  refused(R"j({"table_name":"always","column_name":"g","masking_value":"'x'"})j", "generated");
  refused(R"j({"table_name":"late","column_name":"x","masking_value":"1"})j", "materialized");
  refused(R"j({"table_name":"users","column_name":"phone","json_path":["a"],"masking_value":"'x'"})j",
          "json_path");
  refused(R"j({"table_name":"users","column_name":"staff","mask":"permute"})j", "cannot be permuted");
  refused(
      R"j({"table_name":"rooms","column_name":"during","mask":"shuffle"},{"table_name":"rooms","column_name":"room","masking_value":"1"},{"table_name":"rooms","column_name":"during","mask":"shuffle"},{"table_name":"pairs","column_name":"b","masking_function":"anon.dummy_word()"},{"table_name":"pairs","column_name":"a","masking_value":"1"})j",
      "forbids");
  refused(R"j({"table_name":"rooms","column_name":"during","masking_value":"'[1,2)'::int4range"})j",
          "exclusion");
  refused(R"j({"table_name":"codes","column_name":"code","masking_function":"anon.dummy_uuidv4()"})j",
          "must be distinct");
  refused(R"j({"table_name":"codes","column_name":"folded","mask":"permute"})j", "forbids");
  refused(R"j({"table_name":"orders","truncate":true})j", "refer to it");
  accepted(R"j({"table_name":"orders","truncate":true},{"table_name":"child","truncate":true})j");
  accepted(
      R"j({"table_name":"codes","column_name":"code","mask":"permute"},{"table_name":"codes","column_name":"folded","masking_function":"anon.fake_email()"})j");
  accepted(R"j({"table_name":"codes","column_name":"code","masking_value":"NULL"})j");
  accepted(R"j({"table_name":"orders","column_name":"user_id","masking_value":"NULL"})j");
  accepted(R"j({"table_name":"orders","column_name":"user_id","mask":"shuffle"})j");
  accepted(
      R"j({"table_name":"users","column_name":"email","mask":"permute"},{"column_name":"*","mask":"keep"})j");

  SECTION("columns without a rule, in one finding per table") {
    const Plan plan = must(MaskServer::plan(
        masking, rules_of(R"j({"table_name":"users","column_name":"*","mask":"keep"})j", "")));
    CHECK(plan.refused());
    const std::string text = text_of(plan.findings);
    INFO(text);
    CHECK(text.find("error postgres.public.orders: no rule for id, user_id, user_email, note and total") !=
          std::string::npos);
    CHECK(text.find("public.users") == std::string::npos);
    CHECK(text.find("events_1") == std::string::npos);
  }
  SECTION("what is new since the rules were accepted") {
    RuleSet rules = rules_of(R"j({"column_name":"*","mask":"keep"})j", "");
    rules.accepted = accepted_columns(must(read_schema(masking)));
    CHECK_FALSE(must(MaskServer::plan(masking, rules)).refused());
    must(session.execute("ALTER TABLE public.orders ADD COLUMN iban text"));
    const Plan plan = must(MaskServer::plan(masking, rules));
    CHECK(plan.refused());
    CHECK(text_of(plan.findings).find("public.orders: new since the rules were accepted: iban") !=
          std::string::npos);
  }
  SECTION("large objects") {
    must(session.execute("SELECT lo_create(0)"));
    refused(R"j({"column_name":"*","mask":"keep"})j", "large objects");
  }
}

}  // namespace branchfs::mask
