// Which blocks of a branch are its parent's.
#include "tests/unit/jobs/support.h"
#include "tools/mask/proof/proof.h"

namespace branchfs::mask::test {
namespace {

using namespace branchfs::test;

const FileFacts& file(const std::vector<FileFacts>& facts, const std::string& path) {
  for (const FileFacts& f : facts) {
    if (f.path == path) return f;
  }
  FAIL("no file " << path);
  throw std::logic_error(path);
}

std::string counts(const FileFacts& f) { return std::to_string(f.blocks) + "/" + std::to_string(f.shared_blocks); }

}  // namespace

TEST_CASE("blocks shared with the parent are counted, whatever form the parent's data has") {
  ScratchStore store;
  fs::path source = store.dir() + "/source";
  make_source(source);
  import_dir(store, source, "main");
  {
    auto main = store.open("main");
    write(*main, must(main->lookup(must(main->lookup(must(main->lookup(kRootIno, "base")).ino, "1")).ino, "100")).ino, 0,
          text(7, 2 * kBlockSize));
    must(main->sync_all());
  }
  must(create_branch(**store, "staging", "main", {}));
  const std::vector<ObjectId> parent_stack = must(store->read_manifest("staging")).stack;
  {
    auto branch = store.open("staging");
    const Ino base = must(branch->lookup(kRootIno, "base")).ino;
    const Ino one = must(branch->lookup(base, "1")).ino;
    write(*branch, must(branch->lookup(one, "100")).ino, 10 * kBlockSize, text(8, 5 * kBlockSize));
    make_file(*branch, one, "rewritten", text(9, 40 * kBlockSize));
    SetAttr cut;
    cut.size = 0;
    const Ino odd = must(branch->lookup(one, "odd")).ino;
    must(branch->setattr(odd, cut));
    cut.size = 3 * kBlockSize;
    must(branch->setattr(odd, cut));
    must(branch->sync_all());
  }
  auto look = [&] {
    const auto facts = must(list_sharing(*store, "staging", parent_stack));
    CHECK(counts(file(facts, "base/1/100")) == "100/95");
    CHECK(counts(file(facts, "base/1/rewritten")) == "40/0");
    CHECK(file(facts, "base/1/odd").shared_blocks == 0);
    CHECK(file(facts, "base/odd-too").shared_blocks == 0);
    CHECK(counts(file(facts, "base/1/nothing")) == "0/0");
    CHECK(counts(file(facts, "PG_VERSION")) == "1/1");
    CHECK(file(facts, "base/1/100").size == 100 * kBlockSize);
  };
  look();
  must(create_branch(**store, "child", "staging", {}));  // its data is frozen
  must(pack(**store, ""));
  look();
  // The same seen with no parent: only the layers that the branch's own depend on are not its own.
  const auto facts = must(list_sharing(*store, "staging", {}));
  CHECK(counts(file(facts, "base/1/100")) == "100/0");
}

TEST_CASE("a branch that is not there is not found") {
  ScratchStore store;
  CHECK(list_sharing(*store, "staging", {}).error().kind == Kind::not_found);
}

}  // namespace branchfs::mask::test
