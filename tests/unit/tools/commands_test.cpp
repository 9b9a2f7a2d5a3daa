#include "tests/unit/tools/fixture.h"

using namespace branchfs;

TEST_CASE_METHOD(ToolsFixture, "every wrong use has its exit code and one line") {
  make_root("prod");
  REQUIRE(branchfs({"create", "dev1"}).code == 0);
  REQUIRE(branchfs({"create", "dev1/a", "--from", "dev1"}).code == 0);
  REQUIRE(branchfs({"create", "kept", "--protected"}).code == 0);
  struct Case {
    std::vector<std::string> arguments;
    int code;
    std::string line;
  };
  const std::vector<Case> cases = {
      {{"show", "dve1"}, 3, "cannot show branch \"dve1\": no branch \"dve1\" (did you mean dev1?)"},
      {{"create", "x", "--from", "nowhere"},
       3,
       "cannot create branch \"x\": no branch \"nowhere\" (branchfs list shows what there is)"},
      {{"create", "dev1"}, 4, "cannot create branch \"dev1\": it exists already (--if-not-exists accepts that)"},
      {{"create", "dev1", "--from", "kept", "--if-not-exists"},
       4,
       "cannot create branch \"dev1\": it exists with another parent, \"prod\" (choose another name, or delete it first)"},
      {{"create", "x", "--ttl", "2x"},
       2,
       "cannot create branch \"x\": \"2x\" is not a duration (use a number and a unit, such as 90s, 15m, 2h or 3d)"},
      {{"delete", "dev1"},
       6,
       "cannot delete branch \"dev1\": it has children: dev1/a (delete them first, or use --recursive)"},
      {{"delete", "kept"}, 6, "cannot delete branch \"kept\": branch \"kept\" is protected (branchfs protect kept --off)"},
      {{"delete", "prod", "--recursive"},
       6,
       "cannot delete branch \"prod\": branch \"kept\" is protected (branchfs protect kept --off)"},
      {{"reset", "prod"},
       6,
       "cannot reset branch \"prod\": it has no parent to go back to (import it again under another name)"},
      {{"reset", "kept"}, 6, "cannot reset branch \"kept\": it is protected (branchfs protect kept --off)"},
      {{"rename", "dev1", "kept"}, 4, "cannot rename branch \"dev1\": branch \"kept\" exists already"},
      {{"url", "dev1"}, 1, "cannot print the URL of branch \"dev1\": it was never started (branchfs start dev1)"},
      {{"psql", "dev1"}, 1, "cannot connect to branch \"dev1\": its server does not run (branchfs start dev1)"},
      {{"logs", "dev1"}, 1, "cannot show the log of branch \"dev1\": its server was never started (branchfs start dev1)"},
      {{"run"}, 2, "cannot run a command: no command given (branchfs run [--from PARENT] -- CMD ...)"},
      {{"run", "--", "no-such-program"}, 127, "cannot run \"no-such-program\": there is no such program"},
      {{"craete", "x"}, 2, "cannot run \"craete\": no such command (did you mean create?)"},
      {{"list", "x"}, 2, "cannot list: unexpected argument \"x\" (see branchfs list --help)"},
      {{"create"}, 2, "cannot create: NAME is required (see branchfs create --help)"},
      {{"list", "--", "x"}, 2, "cannot read the command line: \"branchfs list\" takes nothing after \"--\", got \"x\""},
      {{"init"}, 4, "cannot make a store: " + store_dir() + " is a store already"},
  };
  for (const Case& wrong : cases) {
    INFO(wrong.line);
    const Outcome outcome = branchfs(wrong.arguments);
    CHECK(outcome.code == wrong.code);
    CHECK(outcome.err == "branchfs: " + wrong.line + "\n");
    CHECK(outcome.out.empty());
  }
  // Nothing half-made, nothing undone.
  CHECK(open()->list()->size() == 4);
}

TEST_CASE_METHOD(ToolsFixture, "bad branch names are refused before anything else") {
  make_root("prod");
  for (const char* name : {"../x", "a//b", "-x", ".x", "a/.b", "x y", "", "a\nb"}) {
    INFO(name);
    CHECK(branchfs({"create", name}).code == 2);
    CHECK(branchfs({"show", name}).code == 2);
  }
  CHECK(open()->list()->size() == 1);
}

TEST_CASE("no store") {
  std::ostringstream out;
  std::ostringstream err;
  CHECK(branchfs_main({"--store", "/nonexistent/store", "list"}, out, err) == 3);
  CHECK(err.str() ==
        "branchfs: cannot list branches: there is no store at /nonexistent/store (branchfs init /nonexistent/store)\n");
}

TEST_CASE_METHOD(ToolsFixture, "errors as JSON go to stderr, stdout stays empty") {
  const Outcome outcome = branchfs({"show", "x", "--json"});
  CHECK(outcome.code == 3);
  CHECK(outcome.out.empty());
  const auto error = nlohmann::json::parse(outcome.err).at("error");
  CHECK(error.at("code") == 3);
  CHECK(error.at("kind") == "not_found");
  CHECK(error.at("message") == "cannot show branch \"x\": no branch \"x\"");
  CHECK(error.contains("why"));
  CHECK(error.contains("hint"));
}

TEST_CASE_METHOD(ToolsFixture, "the JSON of a branch is stable") {
  make_root("prod");
  const auto made = branchfs({"create", "preview/pr-1", "--ttl", "2h", "--json"}).json();
  CHECK(made.at("new") == true);
  CHECK(made.at("name") == "preview/pr-1");
  CHECK(made.at("parent") == "prod");
  CHECK(made.at("origin") == "branch");
  CHECK(made.at("state") == "offline");
  CHECK(made.at("mountpoint").is_null());
  CHECK(made.at("protected") == false);
  CHECK(made.at("port").is_null());  // the parent's port stays the parent's
  CHECK(made.at("own_bytes") == 0);
  CHECK(made.at("expires").get<std::string>() > made.at("created").get<std::string>());
  const auto again = branchfs({"create", "preview/pr-1", "--from", "prod", "--if-not-exists", "--json"});
  CHECK(again.code == 0);
  CHECK(again.json().at("new") == false);
  CHECK(again.json().at("id") == made.at("id"));

  const auto list = branchfs({"list", "--json"}).json();
  REQUIRE(list.size() == 2);
  CHECK(list[0].at("name") == "prod");
  CHECK(list[0].at("parent").is_null());
  CHECK(list[0].at("port") == 23456);
  CHECK(list[1] == branchfs({"list", "--json"}).json()[1]);
}

TEST_CASE_METHOD(ToolsFixture, "a child inherits what was neutralized, not who it is") {
  make_root("prod");
  REQUIRE(branchfs({"create", "dev1"}).code == 0);
  const auto facts = open()->read_manifest("dev1")->postgres;
  CHECK(facts.at("major") == 15);
  CHECK(facts.at("role") == "alice");
  CHECK(facts.at("neutralized") == nlohmann::json{"archive_mode: off"});
  CHECK(facts.at("port") == 0);
  CHECK(facts.at("prepared") == false);
}

TEST_CASE_METHOD(ToolsFixture, "list is a tree") {
  make_root("prod");
  for (const char* name : {"z", "b", "a"}) REQUIRE(branchfs({"create", name}).code == 0);
  REQUIRE(branchfs({"create", "c", "--from", "b"}).code == 0);
  const std::string text = branchfs({"list"}).out;
  std::vector<std::string> names;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) names.push_back(line.substr(0, line.find(" ", line.find_first_not_of(' '))));
  CHECK(names == std::vector<std::string>{"NAME", "prod", "  a", "  b", "    c", "  z"});
}

TEST_CASE_METHOD(ToolsFixture, "delete --recursive takes the whole family, children first") {
  make_root("prod");
  REQUIRE(branchfs({"create", "a"}).code == 0);
  REQUIRE(branchfs({"create", "b", "--from", "a"}).code == 0);
  REQUIRE(branchfs({"create", "c", "--from", "b"}).code == 0);
  REQUIRE(branchfs({"create", "other"}).code == 0);
  const Outcome outcome = branchfs({"delete", "a", "--recursive", "--json"});
  CHECK(outcome.code == 0);
  CHECK(outcome.json().at("deleted") == nlohmann::json{"c", "b", "a"});
  CHECK(open()->has_branch("other"));
  CHECK(open()->list()->size() == 2);
}

TEST_CASE_METHOD(ToolsFixture, "create without --from wants exactly one root") {
  CHECK(branchfs({"create", "x"}).code == 3);
  make_root("prod");
  CHECK(branchfs({"create", "x"}).code == 0);
  make_root("staging");
  CHECK(branchfs({"create", "y"}).code == 2);
  CHECK(branchfs({"create", "y", "--from", "staging"}).code == 0);
}

TEST_CASE_METHOD(ToolsFixture, "rename and protect") {
  make_root("prod");
  REQUIRE(branchfs({"create", "a", "--ttl", "1h"}).code == 0);
  CHECK(branchfs({"rename", "a", "b/c"}).out == "b/c\n");
  CHECK(branchfs({"show", "a"}).code == 3);
  CHECK(branchfs({"protect", "b/c"}).code == 0);
  CHECK(branchfs({"delete", "b/c"}).code == 6);
  CHECK(branchfs({"protect", "b/c", "--off"}).code == 0);
  CHECK(branchfs({"delete", "b/c"}).out == "deleted b/c\n");
}

TEST_CASE_METHOD(ToolsFixture, "help and version go to stdout with code 0") {
  CHECK(branchfs({"--help"}).code == 0);
  CHECK(branchfs({"--version"}).out.rfind("branchfs ", 0) == 0);
  for (const char* command : {"init", "import", "create", "list", "show", "rename", "delete", "protect", "expire", "reset",
                              "mount", "umount", "start", "stop", "restart", "status", "url", "psql", "logs", "run", "du",
                              "mask", "pack", "compact", "gc", "verify", "dump"}) {
    INFO(command);
    const Outcome help = branchfs({command, "--help"});
    CHECK(help.code == 0);
    CHECK(help.out.find("Examples:") != std::string::npos);
    std::istringstream lines(help.out);
    for (std::string line; std::getline(lines, line);) {
      INFO(line);
      CHECK(line.size() <= 80);
    }
  }
  for (const char* command : {"init", "check", "preview", "verify"}) {
    INFO("mask " << command);
    const Outcome help = branchfs({"mask", command, "--help"});
    CHECK(help.code == 0);
    std::istringstream lines(help.out);
    for (std::string line; std::getline(lines, line);) {
      INFO(line);
      CHECK(line.size() <= 80);
    }
  }
}
