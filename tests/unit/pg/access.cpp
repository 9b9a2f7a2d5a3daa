// Passwords, URLs, ports and runtime directories.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/catch.h"
#include "tests/unit/pg/scratch.h"
#include "tools/pg/credentials.h"
#include "tools/pg/first_start.h"
#include "tools/pg/initdb.h"
#include "tools/pg/server.h"
#include "tools/pg/url.h"

using namespace branchfs;
using namespace branchfs::pg;

TEST_CASE("a SCRAM verifier, checked against RFC 7677's example exchange") {
  // RFC 7677, section 3: user "user", password "pencil", this salt, 4096 iterations. The keys were derived
  // from it independently (Python's hashlib).
  const std::string salt("\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81", 16);
  auto verifier = scram_verifier("pencil", salt, 4096);
  REQUIRE(verifier.ok());
  CHECK(*verifier ==
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
        "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
  CHECK_FALSE(scram_verifier("").ok());
  CHECK_FALSE(scram_verifier("p\xc3\xa4ss").ok());
}

TEST_CASE("generated passwords are long, URL-safe and different") {
  auto a = generate_password();
  auto b = generate_password();
  REQUIRE((a.ok() && b.ok()));
  CHECK(a->size() == 32);
  CHECK(*a != *b);
  CHECK(percent_encode(*a) == *a);
}

TEST_CASE("a stored secret is private and comes back") {
  const Scratch dir;
  REQUIRE(store_secret(dir / "password", "geheim").ok());
  struct stat st {};
  REQUIRE(stat((dir / "password").c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0600);
  CHECK(*load_secret(dir / "password") == "geheim");
}

TEST_CASE("URLs are percent-encoded") {
  CHECK(make_url({"127.0.0.1", 5433, "a b@c", "p:/?#%", "d/b"}) ==
        "postgresql://a%20b%40c:p%3A%2F%3F%23%25@127.0.0.1:5433/d%2Fb");
  CHECK(make_url({"::1", 1, "u", "", "d"}) == "postgresql://u@[::1]:1/d");
  CHECK(percent_encode("\xc3\xa4") == "%C3%A4");
  const auto env = make_client_environment({"127.0.0.1", 5433, "u", "p", "d"});
  CHECK(env.size() == 6);
  CHECK(env[5].second == "postgresql://u:p@127.0.0.1:5433/d");
}

TEST_CASE("a chosen port is stable, free and not taken") {
  auto first = choose_port({}, "store/dev");
  REQUIRE(first.ok());
  CHECK(*choose_port({}, "store/dev") == *first);
  CHECK(*choose_port({*first}, "store/dev") != *first);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(*first));
  address.sin_addr.s_addr = htonl(INADDR_ANY);  // a listener on all addresses is in the way as well
  REQUIRE(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(listen(fd, 1) == 0);
  CHECK_FALSE(port_is_free(*first));
  CHECK(*choose_port({}, "store/dev") != *first);
  close(fd);
}

TEST_CASE("a runtime directory is private; a long path gets a short stand-in, always the same") {
  const Scratch dir;
  auto me = current_identity();
  REQUIRE(me.ok());
  auto direct = prepare_runtime_dir(dir / "run", *me);
  REQUIRE(direct.ok());
  CHECK(*direct == dir / "run");
  struct stat st {};
  REQUIRE(stat(direct->c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0700);
  const std::string far = dir / std::string(120, 'x');
  auto stand_in = prepare_runtime_dir(far, *me);
  REQUIRE(stand_in.ok());
  CHECK(stand_in->size() <= kLongestSocketDir);
  CHECK(*prepare_runtime_dir(far, *me) == *stand_in);
  rmdir(stand_in->c_str());
  REQUIRE(symlink("/", (dir / "trap").c_str()) == 0);
  CHECK_FALSE(prepare_runtime_dir(dir / "trap", *me).ok());
}

TEST_CASE("the relevant lines of a server log") {
  CHECK(relevant_lines("x LOG:  starting\nx FATAL:  could not load\nx HINT:  install it\n") ==
        "FATAL:  could not load; HINT:  install it");
  CHECK(relevant_lines("one\n\ntwo\nthree\nfour\n") == "two; three; four");
  CHECK(relevant_lines("").empty());
}

TEST_CASE("initdb's defaults give way to options") {
  const auto has = [](const std::vector<std::string>& args, const std::string& one) {
    return std::find(args.begin(), args.end(), one) != args.end();
  };
  auto args = initdb_arguments("/d", {});
  CHECK(has(args, "--data-checksums"));
  CHECK(has(args, "--encoding=UTF8"));
  CHECK(has(args, "--username=postgres"));
  args = initdb_arguments("/d", {"-U", "alice", "--no-locale", "--encoding=SQL_ASCII", "-A", "trust"});
  CHECK_FALSE(has(args, "--username=postgres"));
  CHECK_FALSE(has(args, "--encoding=UTF8"));
  CHECK_FALSE(has(args, "--locale=C.UTF-8"));
  CHECK_FALSE(has(args, "--auth-local=trust"));
}

TEST_CASE("facts survive their JSON, and a foreign JSON does no harm") {
  Facts facts;
  facts.major = 16;
  facts.system_identifier = 18446744073709551615ULL;
  facts.port = 20001;
  facts.role = "rolle \"x\"";
  facts.prepared = true;
  facts.add_neutralized({"a", "b"});
  facts.add_neutralized({"b", "c"});
  const Facts back = facts_from_json(to_json(facts));
  CHECK(back.system_identifier == facts.system_identifier);
  CHECK(back.port == 20001);
  CHECK(back.role == facts.role);
  CHECK(back.prepared);
  CHECK(back.neutralized == std::vector<std::string>{"a", "b", "c"});
  CHECK(facts_from_json(nlohmann::json::parse(R"({"port":"x","role":7,"neutralized":[1]})")).port == 0);
  CHECK(facts_from_json(nlohmann::json()).major == 0);
}
