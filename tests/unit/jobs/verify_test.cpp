// verify finds what is broken and says where; dump shows any file of a store.
#include "tests/unit/jobs/support.h"

namespace branchfs::test {
namespace {

void flip(const std::string& path, std::uint64_t at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(at));
  char c = static_cast<char>(file.get() ^ 1);
  file.seekp(static_cast<std::streamoff>(at));
  file.put(c);
}

std::string lines(const VerifyReport& report) {
  std::string all;
  for (const auto& line : report.lines) all += line + "\n";
  return all;
}

}  // namespace

TEST_CASE("verify finds damage of every object, and says in which branch") {
  ScratchStore store;
  fs::path source = store.dir() + "/source";
  make_source(source);
  ObjectId layer = import_dir(store, source, "main").stack.at(0);
  must(create_branch(**store, "child", "main", {}));
  {
    auto branch = store.open("child");
    make_file(*branch, kRootIno, "f", text(1, 100'000));
    Ino version = must(branch->lookup(kRootIno, "PG_VERSION")).ino;
    write(*branch, version, 0, "16\n");
    must(branch->sync_all());
    make_file(*branch, kRootIno, "g",
              "");  // a record after what was durable: only it tells damage from a torn tail
    must(branch->sync_all());
  }
  ObjectId delta = must(store->read_manifest("child")).delta;
  check_clean(store);
  auto clean = must(verify_branch(**store, "child"));
  CHECK(clean.problems == 0);
  CHECK(clean.objects == 3);

  std::string want;
  SECTION("a chunk") {
    flip(store->layer_path(layer), 5000);
    want = "does not match its checksum";
  }
  SECTION("a layer's header") {
    flip(store->layer_path(layer), 3);
    want = "branch \"child\": layer " + layer.hex();
  }
  SECTION("a layer that is gone") {
    fs::remove(store->layer_path(layer));
    want = "element " + layer.hex() + " of its stack is missing";
  }
  SECTION("a journal") {
    flip(store->delta_dir(delta) + "/journal", 80);
    want = delta.hex();
  }
  SECTION("a data file that is gone") {
    for (const auto& item : fs::directory_iterator(store->delta_dir(delta) + "/f")) fs::remove(item.path());
    want = "data file is missing";
  }
  SECTION("a manifest") {
    flip(store->branch_dir("child") + "/manifest", 100);
    want = "branch \"child\": ";
  }
  store.reopen();
  auto report = must(verify_store(**store));
  INFO(lines(report));
  CHECK(report.problems > 0);
  CHECK(report.problems == report.lines.size());
  CHECK(lines(report).find(want) != std::string::npos);
  auto one = must(verify_branch(**store, "child"));
  CHECK(one.problems > 0);
}

TEST_CASE("verify finds a tree that does not hang together") {
  ScratchStore store;
  store.make_root("main");
  { make_file(*store.open("main"), kRootIno, "f", "text"); }
  ObjectId id = must(store->read_manifest("main")).delta;
  Edit edit;
  InodeItem item;
  item.attr = root_attr();
  item.attr.ino = Ino{50};
  item.attr.mode = S_IFREG | 0600;
  item.attr.nlink = 2;
  std::string want;
  SECTION("a wrong link count") {
    edit.inodes.push_back(item);
    edit.names.push_back({kRootIno, "one", Ino{50}, DT_REG});
    want = "inode 50 has 1 names and a link count of 2";
  }
  SECTION("an inode without a name") {
    edit.inodes.push_back(item);
    want = "inode 50 has no name";
  }
  SECTION("a name without an inode") {
    edit.names.push_back({kRootIno, "one", Ino{51}, DT_REG});
    want = "a name leads to inode 51, which does not exist";
  }
  SECTION("a name of another type") {
    item.attr.nlink = 1;
    edit.inodes.push_back(item);
    edit.names.push_back({kRootIno, "one", Ino{50}, DT_LNK});
    want = "inode 50 has another type than its name";
  }
  {
    auto delta = must(
        Delta::open(posix_env(), store->delta_dir(id), id, true, [](const Edit&, Told) { return Status{}; }));
    must(delta->journal().sync(delta->append(edit)));
  }
  auto report = must(verify_branch(**store, "main"));
  CHECK(lines(report) == "branch \"main\": " + want + "\n");
}

TEST_CASE("dump shows every kind of file, and refuses others") {
  ScratchStore store;
  fs::path source = store.dir() + "/source";
  make_source(source);
  ObjectId layer = import_dir(store, source, "main").stack.at(0);
  {
    auto branch = store.open("main");
    make_file(*branch, kRootIno, "a\nb", "text");
  }
  ObjectId delta = must(store->read_manifest("main")).delta;
  Env& env = posix_env();
  auto shows = [&](const std::string& path, const std::string& part) {
    std::string text = must(dump(env, path));
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
    CHECK(text == must(dump(env, path)));
  };
  shows(store->layer_path(layer), "-> \"../PG_VERSION\"");
  shows(store->layer_path(layer), "chunk 0 at 4096 size ");
  shows(store->delta_dir(delta) + "/journal", "\"a\\x0ab\"");
  shows(store->branch_dir("main") + "/manifest", delta.hex());
  shows(store.path() + "/store", store->id().hex());
  CHECK_FALSE(dump(env, store.path() + "/lock").ok());
  CHECK_FALSE(dump(env, store.path()).ok());
  CHECK_FALSE(dump(env, (source / "fifo").string()).ok());
}

}  // namespace branchfs::test
