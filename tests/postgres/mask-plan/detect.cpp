// mask init: what it finds in a real database, and that the rule file it writes is accepted and runs.
#include "tools/mask/plan/detect.h"

#include "tests/postgres/mask-plan/server.h"

namespace branchfs::mask {
namespace {

using pg::must;

constexpr const char* kShop = R"sql(
CREATE TABLE public.clients (
  id int PRIMARY KEY, prenom text, nom text, courriel varchar(14) UNIQUE, "dateNaissance" date, telephone text,
  contact text, numero text, compte text, adresse_ip inet, active boolean, email_verified boolean, created_at timestamptz DEFAULT now(),
  mot_de_passe text, api_token varchar(40) UNIQUE, commentaires text, extra jsonb, tags text[], city_id int,
  code text GENERATED ALWAYS AS (upper(nom)) STORED);
CREATE TABLE public.mails (id int, owner varchar(14) REFERENCES public.clients(courriel), log text);
CREATE TABLE public.visits (ip_address text, day date, PRIMARY KEY (ip_address, day)) PARTITION BY LIST (ip_address);
CREATE TABLE public.visits_a PARTITION OF public.visits DEFAULT;
CREATE TABLE public.products (name text, description text);
CREATE VIEW public.v AS SELECT telephone FROM public.clients;
INSERT INTO public.clients SELECT g, 'p', 'n', 'c' || g || '@exa.com', '1980-01-01', '+33612345678', 'x' || g || '@example.org', '4111 1111 1111 1111',
  'FR1420041010050500013M02606', '10.0.0.1', true, true, now(), 'x', md5(g::text), 'call back ' || g,
  jsonb_build_object('contact', jsonb_build_object('mails', jsonb_build_array('a' || g || '@example.org')), 'size', 'XL'), '{a}', g FROM generate_series(1, 100) g;
INSERT INTO public.mails SELECT g, 'c' || g || '@exa.com', CASE WHEN g % 3 = 0 THEN 'reply to someone' || g || '@example.org, please' ELSE 'nothing' END FROM generate_series(1, 100) g;
INSERT INTO public.visits SELECT '10.0.0.' || g, '2020-01-01' FROM generate_series(1, 100) g;
INSERT INTO public.products SELECT 'thing ' || g, 'nice' FROM generate_series(1, 100) g;
)sql";

}  // namespace

TEST_CASE("personal data is found by name and by content, and the rules that come out are accepted and run") {
  MaskServer server;
  pg::Session session = server.connect();
  must(session.execute(kShop));
  pg::Session masking = server.masking();
  const Schema schema = must(read_schema(masking));
  const Ask ask = [&](const std::string& sql) { return masking.query(sql); };
  const DetectedRules detected = must(detect(schema, ask));
  std::map<std::string, Pii> found;
  std::string text;
  for (const Detection& d : detected.found) {
    found[d.table + "." + d.column] = d.kind;
    text += fmt::format("{}.{}: {}{}\n", d.table, d.column, d.reason, d.masked ? "" : " NOT MASKED");
  }
  INFO(text << detected.document.dump(1));
  const auto is = [&](const char* column, Pii kind) {
    INFO(column);
    CHECK(found[column] == kind);
  };
  is("public.clients.prenom", Pii::first_name);
  is("public.clients.nom", Pii::last_name);
  is("public.clients.courriel", Pii::email);
  is("public.clients.dateNaissance", Pii::birth);
  is("public.clients.telephone", Pii::phone);
  is("public.clients.contact", Pii::email);
  is("public.clients.numero", Pii::card);
  is("public.clients.compte", Pii::iban);
  is("public.clients.adresse_ip", Pii::ip);
  is("public.clients.mot_de_passe", Pii::secret);
  is("public.clients.api_token", Pii::secret);
  is("public.clients.commentaires", Pii::free_text);
  is("public.clients.extra.contact.mails.*", Pii::email);
  is("public.mails.owner", Pii::email);
  is("public.mails.log", Pii::free_text);
  is("public.visits.ip_address", Pii::ip);
  for (const char* kept : {"public.clients.id", "public.clients.active", "public.clients.email_verified",
                           "public.clients.created_at", "public.clients.tags", "public.clients.city_id",
                           "public.products.name", "public.products.description"}) {
    INFO(kept);
    CHECK_FALSE(found.contains(kept));
  }

  const RuleSet rules = must(parse_rules(detected.document.dump(2), "json"));
  const Plan plan = must(make_plan(rules, schema, ask));
  std::string findings;
  for (const Finding& f : plan.findings) findings += f.where + ": " + f.what + "\n";
  INFO(findings);
  REQUIRE_FALSE(plan.refused());
  MaskServer::run(masking, plan, schema);
  CHECK(value(session,
              "SELECT count(*) FROM public.clients WHERE contact LIKE 'x%@example.org' OR telephone = "
              "'+33612345678' OR extra::text LIKE '%a_@example.org%'") == "0");
  CHECK(value(session, "SELECT count(*) FROM public.mails m JOIN public.clients c ON c.courriel = m.owner") ==
        "100");
}

TEST_CASE("a schema without personal data is kept whole") {
  MaskServer server;
  pg::Session session = server.connect();
  must(session.execute(
      "CREATE TABLE public.t (a int PRIMARY KEY, b text); CREATE TABLE public.\"w*eird\" (\"c?ol\" text)"));
  const Schema schema = must(read_schema(session));
  const Ask ask = [&](const std::string& sql) { return session.query(sql); };
  const DetectedRules detected = must(detect(schema, ask));
  CHECK(detected.found.empty());
  CHECK(detected.document["masking_rules"].size() == 3);
  CHECK_FALSE(must(make_plan(must(parse_rules(detected.document.dump(), "json")), schema, ask)).refused());
}

TEST_CASE("ten thousand tables are read and planned in seconds") {
  MaskServer server;
  pg::Session session = server.connect();
  for (int part = 0; part < 20; ++part) {
    must(
        session.execute(fmt::format("DO $$ BEGIN FOR i IN {}..{} LOOP EXECUTE format('CREATE TABLE "
                                    "public.t%s (id int PRIMARY KEY, email text)', i); END LOOP; END $$",
                                    part * 500 + 1, part * 500 + 500)));
  }
  pg::Session masking = server.masking();
  const auto start = std::chrono::steady_clock::now();
  const Schema schema = must(read_schema(masking));
  const RuleSet rules = must(parse_rules(
      R"j({"version":1,"masking_rules":[{"column_name":"id","mask":"keep"},{"column_name":"email","masking_function":"anon.fake_email()"}]})j",
      "json"));
  const Plan plan =
      must(make_plan(rules, schema, [&](const std::string& sql) { return masking.query(sql); }));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  CHECK(plan.tables.size() == 10'000);
  CHECK_FALSE(plan.refused());
  INFO(took.count());
  CHECK(took.count() < 30);
}

}  // namespace branchfs::mask
