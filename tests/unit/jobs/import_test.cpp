// Importing: what a directory holds is what the branch shows; unfinished imports leave nothing; equal data is
// stored once.
#include "tests/unit/jobs/support.h"

namespace branchfs::test {

TEST_CASE("an imported directory is shown as it was") {
  ScratchStore store;
  fs::path source = store.dir() + "/source";
  make_source(source);
  Manifest manifest = import_dir(store, source, "main");
  CHECK(picture_of(store, "main") == picture_of_host(source));
  CHECK(manifest.next_ino.v > must(store->layers().open(manifest.stack.at(0)))->max_ino().v);
  // 50 MB of holes and 5 blocks of zeros cost nothing.
  CHECK(must(store->layers().open(manifest.stack[0]))->file_size() < 110 * kBlockSize);
  check_clean(store);

  SECTION("again, after a change of one page: only that is stored") {
    {
      std::fstream change(source / "base/1/100", std::ios::in | std::ios::out);
      change.seekp(50 * kBlockSize);
      change << "changed";
    }
    Manifest again = import_dir(store, source, "second");
    auto layer = must(store->layers().open(again.stack.at(0)));
    CHECK(layer->chunk_count() == 1);
    REQUIRE(layer->dependencies().size() == 1);
    CHECK(picture_of(store, "second") == picture_of_host(source));
    must(delete_branch(**store, "main"));
    must(collect_garbage(**store));
    store.reopen();
    CHECK(picture_of(store, "second") == picture_of_host(source));
    check_clean(store);
  }
}

TEST_CASE("an import that is stopped or cannot be published leaves nothing") {
  ScratchStore store;
  fs::path source = store.dir() + "/source";
  make_source(source);
  SECTION("stopped by its user") {
    auto builder = must(TreeBuilder::create(**store, root_attr()));
    ImportTreeOptions options;
    options.progress = [](std::uint64_t done, std::uint64_t) { return done < 10 * kBlockSize; };
    auto status = import_tree(*builder, source, "", options);
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().sys == ECANCELED);
    CHECK(entries(store->layers_dir()) == 1);
  }
  SECTION("the name was taken meanwhile") {
    auto builder = must(TreeBuilder::create(**store, root_attr()));
    must(import_tree(*builder, source, "", {}));
    store.make_root("main");
    auto published = builder->publish("main", {});
    REQUIRE_FALSE(published.ok());
    CHECK(published.error().kind == Kind::exists);
  }
  CHECK(entries(store->layers_dir()) == 0);
  must(collect_garbage(**store));
}

TEST_CASE("a tree is built in any order of files and any alignment of writes") {
  ScratchStore store;
  auto builder = must(TreeBuilder::create(**store, root_attr()));
  Attr file = root_attr();
  file.mode = S_IFREG | 0640;
  must(builder->add("dir", root_attr()));
  std::map<std::string, std::string> want;
  std::map<std::string, Ino> inos;
  for (std::string name : {"dir/a", "b", "dir/replaced"}) inos[name] = must(builder->add(name, file));
  auto put = [&](const std::string& name, std::uint64_t offset, const std::string& data) {
    want[name].resize(offset);
    want[name] += data;
    must(builder->write(inos[name], offset, std::as_bytes(std::span(data))));
  };
  std::uint64_t seed = 0;
  for (std::size_t size : {1, 8191, 8192, 8193, 20000, 100, 81920, 3}) {
    put("dir/a", want["dir/a"].size(), text(++seed, size));
    put("b", want["b"].size() + size % 9000, text(++seed, size));
  }
  put("dir/replaced", 0, "old");
  inos["dir/replaced"] = must(builder->add("dir/replaced", file));
  want["dir/replaced"] = "";
  put("dir/replaced", 0, "new content");
  must(builder->set_size(inos["b"], want["b"].size() + 100'000));
  want["b"].resize(want["b"].size() + 100'000);
  must(builder->add("gone", root_attr()));
  must(builder->add("gone/x", file));
  must(builder->remove("gone"));

  CHECK_FALSE(builder->add("no/such/dir", file).ok());
  CHECK_FALSE(builder->add("dir", file).ok());
  CHECK_FALSE(builder->write(inos["dir/a"], 0, {}).ok());
  CHECK(builder->remove("gone").error().kind == Kind::not_found);
  CHECK(builder->find("dir/a") == inos["dir/a"]);
  CHECK_FALSE(builder->find("gone/x").has_value());
  must(builder->publish("main", {}));

  Picture picture = picture_of(store, "main");
  CHECK(picture.size() == 4);
  for (const auto& [name, content] : want) {
    CHECK(picture[name] == line_of(S_IFREG | 0640, content.size(), 1, content));
  }
  check_clean(store);
}

}  // namespace branchfs::test
