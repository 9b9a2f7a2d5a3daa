// Garbage collection removes what no branch reaches, and nothing else, whatever state a crash left (P10).
#include "tests/unit/jobs/support.h"

namespace branchfs::test {

TEST_CASE("what a crash left goes, what somebody works on stays") {
  ScratchStore store;
  store.make_root("main");
  // A killed writer's file, a live writer's file, a delta nobody reaches, a half-made branch.
  std::ofstream(store->layer_tmp_path(ObjectId{1, 1})) << "half";
  auto writer =
      must(LayerWriter::create(posix_env(), store->layer_tmp_path(ObjectId{1, 2}), ObjectId{1, 2}, {}));
  must(Delta::create(posix_env(), store->delta_dir(ObjectId{1, 3}), ObjectId{1, 3}));
  fs::create_directory(store->branch_dir("half"));
  auto report = must(collect_garbage(**store));
  CHECK(report.other == 2);
  CHECK(report.deltas == 1);
  CHECK(report.layers == 0);
  CHECK(report.bytes > 0);
  CHECK(objects(store) == "1 layers, 1 deltas, 0 trash");
  CHECK_FALSE(fs::exists(store->branch_dir("half")));
  check_clean(store);
}

TEST_CASE("a layer an import refers to stays while the import runs") {
  ScratchStore store;
  fs::path source = store.dir() + "/source";
  make_source(source);
  import_dir(store, source, "main");
  auto builder = must(TreeBuilder::create(**store, root_attr()));
  must(import_tree(*builder, source, "", {}));
  must(delete_branch(**store, "main"));
  CHECK(must(collect_garbage(**store)).layers == 0);
  must(builder->publish("second", {}));
  builder.reset();
  CHECK(must(collect_garbage(**store)).layers == 0);
  store.reopen();
  CHECK(picture_of(store, "second") == picture_of_host(source));
  must(delete_branch(**store, "second"));
  CHECK(must(collect_garbage(**store)).layers == 2);
}

TEST_CASE("when a reference cannot be read, nothing is removed") {
  ScratchStore store;
  store.make_root("main");
  store.make_root("other");
  std::ofstream(store->layer_tmp_path(ObjectId{1, 1})) << "half";
  SECTION("a manifest") { std::ofstream(store->branch_dir("other") + "/manifest") << "nonsense"; }
  SECTION("a journal") {
    ObjectId delta = must(store->read_manifest("other")).stack.at(0);
    std::fstream(store->delta_dir(delta) + "/journal", std::ios::in | std::ios::out) << "nonsense";
  }
  auto report = collect_garbage(**store);
  REQUIRE_FALSE(report.ok());
  CHECK(report.error().kind == Kind::damaged);
  CHECK(objects(store) == "1 layers, 2 deltas, 0 trash");
}

TEST_CASE("blocks shared by copy_range keep what they name, also after packing and compacting") {
  ScratchStore store;
  store.make_root("main");
  std::string content = text(1, 40 * kBlockSize);
  { make_file(*store.open("main"), kRootIno, "from", content); }
  must(create_branch(**store, "child", "main", {}));
  must(pack(**store, "child"));
  {
    auto branch = store.open("child");
    Ino from = must(branch->lookup(kRootIno, "from")).ino;
    Ino to = make_file(*branch, kRootIno, "to", "");
    CHECK(must(branch->copy_range(from, 0, to, 0, content.size())) == content.size());
    must(branch->unlink(kRootIno, "from"));
  }
  must(create_branch(**store, "leaf", "child", {}));  // freezes the delta that shares
  must(compact(**store, "leaf"));
  must(compact(**store, "child"));
  must(update_manifest(**store, "child", [](Manifest& m) {
    m.parent = {};
    return Status{};
  }));
  must(delete_branch(**store, "main"));
  must(collect_garbage(**store));
  store.reopen();
  auto want = line_of(S_IFREG | 0600, content.size(), 1, content);
  CHECK(picture_of(store, "child")["to"] == want);
  must(pack(**store, ""));
  must(collect_garbage(**store));
  store.reopen();
  CHECK(picture_of(store, "leaf")["to"] == want);
  CHECK(picture_of(store, "leaf").size() == 1);
  check_clean(store);
}

TEST_CASE("usage: what is own, shared and of this branch alone") {
  ScratchStore store;
  fs::path source = store.dir() + "/source";
  make_source(source);
  import_dir(store, source, "main");
  std::uint64_t logical = must(usage(**store, "main")).logical;
  must(create_branch(**store, "child", "main", {}));
  Usage fresh = must(usage(**store, "child"));
  CHECK(fresh.own == 0);
  CHECK(fresh.exclusive == 0);
  CHECK(fresh.shared > 0);
  CHECK(fresh.logical == logical);
  {
    auto branch = store.open("child");
    make_file(*branch, kRootIno, "f", text(1, 1'000'000));
    must(branch->sync_all());
  }
  Usage changed = must(usage(**store, "child"));
  CHECK(changed.own > 1'000'000);
  CHECK(changed.own < 1'100'000);
  CHECK(changed.logical == logical + 1'000'000);
  must(delete_branch(**store, "child"));
  Usage alone = must(usage(**store, "main"));
  CHECK(alone.shared == 0);
  CHECK(alone.exclusive == fresh.shared);
}

}  // namespace branchfs::test
