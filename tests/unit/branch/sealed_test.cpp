// Branches that are not ready: who may open them, and how their head is settled or replaced.
#include "tests/unit/branch/support.h"

namespace branchfs::test {
namespace {

void put(ScratchStore& store, const std::string& branch, const std::string& name, char letter) {
  BranchOptions options;
  options.any_state = true;
  auto open = must(Branch::open(*store, branch, options));
  write(*open, make_file(*open, name), 0, blocks(letter, 2));
}

CreateOptions sealed() {
  CreateOptions options;
  options.state = "sealed";
  options.masking = {{"run", "one"}};
  return options;
}

TEST_CASE("a branch that is not ready opens for nobody, has no children, is not renamed") {
  ScratchStore store;
  store.make_root("main");
  must(create_branch(**store, "staging", "main", sealed()));
  auto opened = Branch::open(*store, "staging", {});
  REQUIRE(!opened);
  CHECK(opened.error().kind == Kind::refused);
  auto child = create_branch(**store, "child", "staging", {});
  REQUIRE(!child);
  CHECK(child.error().kind == Kind::refused);
  auto renamed = rename_branch(**store, "staging", "other");
  REQUIRE(!renamed);
  CHECK(renamed.error().kind == Kind::refused);
}

TEST_CASE("settling makes what a branch shows its immutable head, with its manifest's change in the same write") {
  ScratchStore store;
  store.make_root("main");
  must(create_branch(**store, "staging", "main", sealed()));
  put(store, "staging", "masked", 'm');
  const Manifest settled = must(settle_branch(**store, "staging", [](Manifest& manifest) -> Status {
    manifest.state = "ready";
    return {};
  }));
  CHECK(!settled.delta.valid());
  CHECK(settled.stack.size() == must(store->read_manifest("main")).stack.size() + 1);
  CHECK(read(store, "staging", "masked") == "16384×m ");
  auto busy_branch = store.open("staging");
  auto busy = settle_branch(**store, "staging", [](Manifest&) -> Status { return {}; });
  REQUIRE(!busy);
  CHECK(busy.error().kind == Kind::busy);
}

TEST_CASE("a replaced head shows the other branch's data and frees its own", "[P10]") {
  ScratchStore store;
  store.make_root("main");
  must(create_branch(**store, "first", "main", sealed()));
  put(store, "first", "masked", 'm');
  const Manifest first = must(settle_branch(**store, "first", [](Manifest& manifest) -> Status {
    manifest.state = "ready";
    return {};
  }));
  must(create_branch(**store, "second", "main", sealed()));
  put(store, "second", "raw", 'r');
  const ObjectId raw = must(store->read_manifest("second")).delta;
  REQUIRE(posix_env().exists(store->delta_dir(raw)));
  const Manifest second = must(replace_head(
      **store, "second",
      [&](const std::vector<BranchInfo>& all) -> std::optional<Head> {
        CHECK(all.size() == 3);
        return Head{first.stack, first.next_ino};
      },
      [](Manifest& manifest) -> Status {
        manifest.state = "ready";
        return {};
      }));
  CHECK(second.stack == first.stack);
  CHECK_FALSE(posix_env().exists(store->delta_dir(raw)));
  CHECK(read(store, "second", "masked") == "16384×m ");
  auto open = store.open("second", OpenMode::read_only);
  CHECK(!open->lookup(kRootIno, "raw"));
  open.reset();
  // The data lives as long as one of them does.
  must(delete_branch(**store, "first"));
  must(collect_garbage(**store));
  CHECK(read(store, "second", "masked") == "16384×m ");
}

TEST_CASE("reset never gives an anonymized name production's data") {
  ScratchStore store;
  store.make_root("main");
  must(create_branch(**store, "staging", "main", sealed()));
  auto early = reset_branch(**store, "staging");
  REQUIRE(!early);
  CHECK(early.error().kind == Kind::refused);
  must(settle_branch(**store, "staging", [](Manifest& manifest) -> Status {
    manifest.state = "ready";
    return {};
  }));
  auto late = reset_branch(**store, "staging");
  REQUIRE(!late);
  CHECK(late.error().kind == Kind::refused);
  // A child of it goes back to what is masked.
  must(create_branch(**store, "child", "staging", {}));
  CHECK(must(reset_branch(**store, "child")).masking["run"] == "one");
}

TEST_CASE("a branch that is not ready is not compacted") {
  ScratchStore store;
  store.make_root("main");
  must(create_branch(**store, "staging", "main", sealed()));
  auto done = compact(**store, "staging");
  REQUIRE(!done);
  CHECK(done.error().kind == Kind::refused);
}

TEST_CASE("no head chosen, nothing changed") {
  ScratchStore store;
  store.make_root("main");
  must(create_branch(**store, "staging", "main", sealed()));
  const Manifest before = must(store->read_manifest("staging"));
  const Manifest after = must(replace_head(
      **store, "staging", [](const std::vector<BranchInfo>&) { return std::optional<Head>(); },
      [](Manifest& manifest) -> Status {
        manifest.state = "ready";
        return {};
      }));
  CHECK(after.encode() == before.encode());
  CHECK(must(store->read_manifest("staging")).encode() == before.encode());
}

TEST_CASE("a stack ends with another") {
  const std::vector<ObjectId> three = {posix_env().new_id(), posix_env().new_id(), posix_env().new_id()};
  CHECK(ends_with(three, three));
  CHECK(ends_with(three, {three[1], three[2]}));
  CHECK_FALSE(ends_with(three, {three[0], three[1]}));
  CHECK_FALSE(ends_with({three[2]}, three));
}

}  // namespace
}  // namespace branchfs::test
