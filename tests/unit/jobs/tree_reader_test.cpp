// What a job sees of a branch without opening it: names, where the blocks lie, the bytes.
#include "layers/jobs/tree_reader.h"

#include <dirent.h>
#include <linux/falloc.h>

#include "tests/unit/jobs/support.h"

namespace branchfs::test {
namespace {

std::string runs_of(TreeReader& reader, Ino ino, const std::map<ObjectId, std::string>& names) {
  std::string out;
  must(reader.runs(ino, [&](const TreeReader::Stored& run) -> Status {
    auto it = names.find(run.element);
    const std::string name = it == names.end() ? "?" : it->second;
    // A layer's runs end with its chunks; what is asked here is which blocks come from where.
    for (std::uint64_t i = 0; i < run.blocks.count; ++i) out += name + std::to_string(run.blocks.first.v + i) + " ";
    return {};
  }));
  return out;
}

std::string data_of(TreeReader& reader, Ino ino, std::uint64_t from, std::uint64_t to) {
  std::string out;
  must(reader.data(ino, from, to, [&](std::uint64_t begin, std::uint64_t end) -> Status {
    out += std::to_string(begin) + "-" + std::to_string(end) + " ";
    return {};
  }));
  return out;
}

}  // namespace

TEST_CASE("a tree reader tells which element holds which block, and where there is data") {
  ScratchStore store;
  fs::path source = store.dir() + "/source";
  fs::create_directories(source / "base");
  std::ofstream(source / "base/f") << text(1, 6 * kBlockSize);
  const Manifest main = import_dir(store, source, "main");
  must(create_branch(**store, "child", "main", {}));
  auto branch = store.open("child");
  const Ino base = must(branch->lookup(kRootIno, "base")).ino;
  const Ino ino = must(branch->lookup(base, "f")).ino;
  write(*branch, ino, 2 * kBlockSize, text(2, kBlockSize));
  must(branch->allocate(ino, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4 * kBlockSize, kBlockSize));
  const Ino sparse = make_file(*branch, base, "sparse", "");
  write(*branch, sparse, 100 * kBlockSize, text(3, kBlockSize));
  must(branch->link(ino, kRootIno, "g"));
  must(branch->sync_all());

  auto reader = must(TreeReader::open(*store, "child"));
  std::set<std::string> paths;
  must(reader->entries([&](const TreeReader::Entry& entry) -> Status {
    paths.insert(entry.path);
    return {};
  }));
  CHECK(paths == std::set<std::string>{"", "base", "base/f", "base/sparse", "g"});
  const std::map<ObjectId, std::string> names{{main.stack.front(), "m"}, {reader->manifest().delta, "c"}};
  CHECK(runs_of(*reader, ino, names) == "m0 m1 c2 m3 m5 ");
  CHECK(data_of(*reader, ino, 0, UINT64_MAX) == "0-32768 40960-49152 ");
  CHECK(data_of(*reader, ino, 1000, 40'961) == "1000-32768 40960-40961 ");
  CHECK(data_of(*reader, ino, 32'768, 40'960).empty());
  CHECK(data_of(*reader, sparse, 0, UINT64_MAX) == "819200-827392 ");
  std::string read(kBlockSize, '\0');
  must(reader->read(ino, 2 * kBlockSize, std::as_writable_bytes(std::span(read))));
  CHECK(read == text(2, kBlockSize));
}

TEST_CASE("a tree reader ends on directories that name each other") {
  ScratchStore store;
  store.make_root("loop");
  const ObjectId id = must(store->read_manifest("loop")).stack.front();
  {
    auto delta = must(Delta::open(posix_env(), store->delta_dir(id), id, true, [](const Edit&, Told) { return Status{}; }));
    Edit edit;
    InodeItem dir;
    dir.attr.ino = Ino{2};
    dir.attr.mode = S_IFDIR | 0700;
    dir.attr.nlink = 2;
    edit.inodes.push_back(dir);
    edit.names.push_back({kRootIno, "below", Ino{2}, DT_DIR});
    edit.names.push_back({Ino{2}, "above", kRootIno, DT_DIR});
    must(delta->journal().sync(delta->append(edit)));
  }
  auto reader = must(TreeReader::open(*store, "loop"));
  const Status listed = reader->entries([](const TreeReader::Entry&) { return Status{}; });
  REQUIRE_FALSE(listed);
  CHECK(listed.error().kind == Kind::damaged);
}

TEST_CASE("a tree reader opens a branch in any state, and only one that is there") {
  ScratchStore store;
  store.make_root("sealed");
  Manifest manifest = must(store->read_manifest("sealed"));
  manifest.state = "masking";
  must(store->write_manifest(must(store->lock()), "sealed", manifest));
  CHECK(TreeReader::open(*store, "sealed"));
  CHECK(TreeReader::open(*store, "other").error().kind == Kind::not_found);
}

}  // namespace branchfs::test
