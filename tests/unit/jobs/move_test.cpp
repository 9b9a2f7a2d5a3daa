// The import that moves: no byte is copied, and until the branch exists every file can go back.
#include "layers/jobs/move_undo.h"
#include "tests/unit/jobs/support.h"

namespace branchfs::test {

TEST_CASE("a directory is moved in without copying") {
  ScratchStore store;
  fs::path source = store.dir() + "/source";
  make_source(source);
  Picture before = picture_of_host(source);
  struct ::stat st {};
  REQUIRE(::stat((source / "base/1/100").c_str(), &st) == 0);
  MoveOptions options;
  options.skip = [](const std::string& path) { return path == "PG_VERSION"; };
  Manifest manifest = must(import_move(**store, "main", source, {}, options));
  before.erase("PG_VERSION");
  CHECK(picture_of(store, "main") == before);
  CHECK(fs::exists(source / "PG_VERSION"));
  CHECK_FALSE(fs::exists(source / "base/1/100"));
  bool found = false;
  for (const auto& item : fs::directory_iterator(store->delta_dir(manifest.stack.at(0)) + "/f")) {
    struct ::stat moved {};
    REQUIRE(::stat(item.path().c_str(), &moved) == 0);
    found = found || moved.st_ino == st.st_ino;
  }
  CHECK(found);
  CHECK_FALSE(must(has_moved_files(posix_env(), store->delta_dir(manifest.stack[0]))));
  check_clean(store);

  // It packs like any other delta.
  must(pack(**store, "main"));
  must(collect_garbage(**store));
  CHECK(objects(store) == "1 layers, 0 deltas, 0 trash");
  store.reopen();
  CHECK(picture_of(store, "main") == before);
  check_clean(store);
}

TEST_CASE("a move that fails puts everything back") {
  ScratchStore store;
  fs::path source = store.dir() + "/source";
  make_source(source);
  Picture before = picture_of_host(source);
  SECTION("the name is taken") {
    store.make_root("main");
    auto moved = import_move(**store, "main", source, {}, {});
    REQUIRE_FALSE(moved.ok());
    CHECK(moved.error().kind == Kind::exists);
  }
  SECTION("a file has another name elsewhere") {
    fs::create_hard_link(source / "PG_VERSION", store.dir() + "/elsewhere");
    before = picture_of_host(source);
    store.make_root("main");
    auto moved = import_move(**store, "other", source, {}, {});
    REQUIRE_FALSE(moved.ok());
    CHECK(moved.error().kind == Kind::refused);
  }
  CHECK(picture_of_host(source) == before);
  CHECK(objects(store) == "0 layers, 1 deltas, 0 trash");
}

TEST_CASE("a killed move is undone by gc; files in the way are not overwritten") {
  ScratchStore store;
  fs::path source = store.dir() + "/source";
  make_source(source);
  Picture before = picture_of_host(source);
  Env& env = posix_env();
  ObjectId id = env.new_id();
  std::string dir = store->delta_dir(id);
  must(Delta::create(env, dir, id));
  must(write_moved_files(env, dir,
                         {source, {{Ino{5}, "PG_VERSION"}, {Ino{6}, "base/1/odd"}, {Ino{7}, "base/1/100"}}}));
  must(env.rename(source / "PG_VERSION", dir + "/f/0000000000000005"));
  must(env.rename(source / "base/1/odd", dir + "/f/0000000000000006"));
  SECTION("while it still runs, gc leaves it alone") {
    auto delta = must(Delta::open(env, dir, id, true, [](const Edit&, Told) { return Status{}; }));
    must(collect_garbage(**store));
    CHECK(fs::exists(dir + "/f/0000000000000005"));
  }
  SECTION("a new file of that name") {
    std::ofstream(source / "PG_VERSION") << "new";
    CHECK_FALSE(collect_garbage(**store).ok());
    CHECK(host_file(dir + "/f/0000000000000005") == "15\n");
    fs::remove(source / "PG_VERSION");
  }
  must(collect_garbage(**store));
  CHECK(picture_of_host(source) == before);
  CHECK(objects(store) == "0 layers, 0 deltas, 0 trash");
}

TEST_CASE("what an import forgot to forget moves nothing back once the branch is packed") {
  ScratchStore store;
  fs::path source = store.dir() + "/source";
  make_source(source);
  const Manifest manifest = must(import_move(**store, "main", source, {}, {}));
  const std::string dir = store->delta_dir(manifest.stack.at(0));
  // Killed between publishing and this.
  const Ino ino = must(store.open("main", OpenMode::read_only)->lookup(kRootIno, "PG_VERSION")).ino;
  must(write_moved_files(posix_env(), dir, {source, {{ino, "PG_VERSION"}}}));
  must(pack(**store, "main"));
  CHECK_FALSE(must(has_moved_files(posix_env(), dir)));  // else gc obeys it once nothing reaches the delta
  must(collect_garbage(**store));
  CHECK_FALSE(fs::exists(source / "PG_VERSION"));
  check_clean(store);
}

}  // namespace branchfs::test
