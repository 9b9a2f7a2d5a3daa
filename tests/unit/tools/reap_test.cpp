#include "tools/lifecycle/reap.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "tests/unit/tools/fixture.h"

using namespace branchfs;

namespace {

std::size_t entries(const Store& store) { return posix_env().list(store.reap_dir())->size(); }

// As if the time had come: the clock is the only thing that cannot be waited for.
void make_due(Store& store, const std::string& name) {
  Manifest changed;
  REQUIRE(update_manifest(store, name, [&](Manifest& manifest) -> Status {
    manifest.expires = posix_env().now().tv_sec - 1;
    changed = manifest;
    return {};
  }));
  REQUIRE(schedule_expiry(store, name, changed));
}

}  // namespace

TEST_CASE_METHOD(ToolsFixture, "any command deletes what has expired, and nothing else") {
  make_root("prod");
  REQUIRE(branchfs({"create", "old", "--ttl", "1h"}).code == 0);
  REQUIRE(branchfs({"create", "young", "--ttl", "1h"}).code == 0);
  const auto store = open();
  make_due(*store, "old");
  CHECK(branchfs({"list"}).code == 0);
  CHECK_FALSE(store->has_branch("old"));
  CHECK(store->has_branch("young"));
  CHECK(entries(*store) == 1);
}

TEST_CASE_METHOD(ToolsFixture, "the manifest decides: a ttl extended after its entry was written counts") {
  make_root("prod");
  REQUIRE(branchfs({"create", "dev", "--ttl", "1h"}).code == 0);
  const auto store = open();
  Manifest due = *store->read_manifest("dev");
  due.expires = 1;
  REQUIRE(schedule_expiry(*store, "dev", due));
  CHECK(reap_due(*store).empty());
  CHECK(store->has_branch("dev"));
}

TEST_CASE_METHOD(ToolsFixture, "a branch keeps its end when it is renamed, and loses it with --never") {
  make_root("prod");
  REQUIRE(branchfs({"create", "a", "--ttl", "1h"}).code == 0);
  REQUIRE(branchfs({"create", "b", "--ttl", "1h"}).code == 0);
  REQUIRE(branchfs({"rename", "a", "c"}).code == 0);
  REQUIRE(branchfs({"expire", "b", "--never"}).code == 0);
  const auto store = open();
  CHECK(entries(*store) == 1);
  make_due(*store, "c");
  CHECK(branchfs({"list"}).code == 0);
  CHECK_FALSE(store->has_branch("c"));
  CHECK(store->has_branch("b"));
}

TEST_CASE_METHOD(ToolsFixture, "expired but protected, or with children: stays until it may go") {
  make_root("prod");
  REQUIRE(branchfs({"create", "kept", "--ttl", "1h", "--protected"}).code == 0);
  REQUIRE(branchfs({"create", "mother", "--ttl", "1h"}).code == 0);
  REQUIRE(branchfs({"create", "child", "--from", "mother"}).code == 0);
  const auto store = open();
  make_due(*store, "kept");
  make_due(*store, "mother");
  CHECK(reap_due(*store).empty());
  CHECK(store->has_branch("kept"));
  CHECK(store->has_branch("mother"));
  CHECK(entries(*store) == 2);
}

TEST_CASE_METHOD(ToolsFixture, "a runner's branch lives as long as its ticket is held") {
  make_root("prod");
  const auto store = open();
  {
    auto ticket = RunnerTicket::issue(*store, "run-1");
    REQUIRE(ticket);
    REQUIRE(branchfs({"create", "run-1"}).code == 0);
    CHECK(branchfs({"list"}).code == 0);
    CHECK(store->has_branch("run-1"));
  }  // dropped without withdraw(): the runner died
  CHECK(branchfs({"list"}).code == 0);
  CHECK_FALSE(store->has_branch("run-1"));
  CHECK(entries(*store) == 0);
}

TEST_CASE_METHOD(ToolsFixture, "a withdrawn ticket leaves the branch alone") {
  make_root("prod");
  const auto store = open();
  {
    auto ticket = RunnerTicket::issue(*store, "run-1");
    REQUIRE(ticket);
    REQUIRE(branchfs({"create", "run-1"}).code == 0);
    REQUIRE(ticket->withdraw());
  }
  CHECK(branchfs({"list"}).code == 0);
  CHECK(store->has_branch("run-1"));
}

TEST_CASE_METHOD(ToolsFixture, "gc makes entries that a crash left out") {
  make_root("prod");
  REQUIRE(branchfs({"create", "dev", "--ttl", "1h"}).code == 0);
  const auto store = open();
  REQUIRE(posix_env().unlink(store->reap_dir() + "/" + store->read_manifest("dev")->id.hex()));
  REQUIRE(rebuild_reap_index(*store));
  CHECK(entries(*store) == 1);
  // And takes away what a delete that was killed left; a runner's ticket is no such entry.
  REQUIRE(delete_branch(*store, "dev"));
  const auto ticket = RunnerTicket::issue(*store, "run-1");
  REQUIRE(rebuild_reap_index(*store));
  CHECK(entries(*store) == 1);
}

TEST_CASE_METHOD(ToolsFixture, "an unreadable entry is named, and stops no command") {
  make_root("prod");
  const auto store = open();
  REQUIRE(posix_env().replace_file(store->reap_dir() + "/" + posix_env().new_id().hex(), "\x01\x02"));
  const Outcome outcome = branchfs({"list"});
  CHECK(outcome.code == 0);
  CHECK(outcome.err.find("is not readable") != std::string::npos);
}

TEST_CASE_METHOD(ToolsFixture, "what was put off by a clock that was ahead is not put off for ever") {
  make_root("prod");
  REQUIRE(branchfs({"create", "old", "--ttl", "1h"}).code == 0);
  REQUIRE(branchfs({"create", "young", "--ttl", "1h"}).code == 0);
  const auto store = open();
  make_due(*store, "old");
  const auto put_off = [&](const std::string& name, std::int64_t seconds) {
    const std::string entry = store->reap_dir() + "/" + store->read_manifest(name)->id.hex();
    const ::timespec until{posix_env().now().tv_sec + seconds, 0};
    const ::timespec times[2] = {until, until};
    REQUIRE(::utimensat(AT_FDCWD, entry.c_str(), times, 0) == 0);
  };
  put_off("old", 30);
  CHECK(branchfs({"list"}).code == 0);
  CHECK(store->has_branch("old"));  // tried a moment ago
  put_off("old", 365 * 86400);
  put_off("young", 365 * 86400);
  CHECK(branchfs({"list"}).code == 0);
  CHECK_FALSE(store->has_branch("old"));
  CHECK(store->has_branch("young"));
}

TEST_CASE_METHOD(ToolsFixture, "a branch made by a clock that was ahead has no negative age") {
  make_root("prod");
  REQUIRE(branchfs({"create", "dev", "--ttl", "30d"}).code == 0);
  const auto store = open();
  const std::int64_t now = posix_env().now().tv_sec;
  REQUIRE(update_manifest(*store, "dev", [&](Manifest& manifest) -> Status {
    manifest.created = now + 3 * 86400;
    return {};
  }));
  const std::string list = branchfs({"list"}).out;
  INFO(list);
  CHECK(list.find(" 0s ") != std::string::npos);
  CHECK(list.find(" -") == list.rfind(" -  "));  // no number below zero: only "-" for what is not set
  CHECK(branchfs({"show", "dev"}).code == 0);
  CHECK(branchfs({"status"}).code == 0);
}
