#include "tools/import/source_edits.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "layers/io/env.h"
#include "tests/catch.h"

namespace branchfs::test {
namespace {

namespace fs = std::filesystem;

class Fake {
 public:
  Fake() {
    REQUIRE(::mkdtemp(top_.data()) != nullptr);
    fs::create_directories(root() + "/pg_replslot/s1");
    fs::create_directories(top_ + "/wal");
    std::ofstream(root() + "/postgresql.conf") << "port = 1\n";
    std::ofstream(root() + "/pg_replslot/s1/state") << "s";
    std::ofstream(top_ + "/wal/0001") << "w";
    fs::create_symlink(top_ + "/wal", root() + "/pg_wal");
  }
  ~Fake() { ignore(posix_env().remove_tree(top_)); }
  Fake(const Fake&) = delete;
  Fake& operator=(const Fake&) = delete;
  [[nodiscard]] std::string root() const { return top_ + "/data"; }
  [[nodiscard]] std::string wal() const { return top_ + "/wal"; }

  // Every path below, with what it holds.
  [[nodiscard]] std::map<std::string, std::string> all() const {
    std::map<std::string, std::string> found;
    for (const auto& item : fs::recursive_directory_iterator(top_)) {
      auto& text = found[item.path()];
      if (item.is_symlink()) {
        text = "-> " + fs::read_symlink(item.path()).string();
      } else if (item.is_regular_file()) {
        text = *posix_env().read_file(item.path());
      }
    }
    return found;
  }

  Status change(SourceEdits& edits) const {
    BFS_TRY(edits.begin());
    BFS_TRY(edits.take_contents(wal(), "pg_wal"));
    BFS_TRY(edits.write("postgresql.conf", "port = 2\n", 0600));
    BFS_TRY(edits.write("conf.d/new.conf", "x = 1\n", 0600));
    BFS_TRY(edits.remove("pg_replslot/s1"));
    BFS_TRY(edits.remove("standby.signal"));
    return edits.make_link("pg_stat", "pg_wal");
  }

 private:
  std::string top_ = "/tmp/branchfs-edits.XXXXXX";
};

}  // namespace

TEST_CASE("edits of a source that are not committed are all taken back") {
  const Fake fake;
  const auto before = fake.all();
  {
    SourceEdits edits(fake.root(), *pg::current_identity());
    REQUIRE(fake.change(edits).ok());
    CHECK(fs::is_regular_file(fake.root() + "/pg_wal/0001"));
    CHECK_FALSE(fs::is_symlink(fake.root() + "/pg_wal"));
    CHECK(fs::is_empty(fake.wal()));
  }
  CHECK(fake.all() == before);
}

TEST_CASE("committed edits stay and leave no undo directory") {
  const Fake fake;
  {
    SourceEdits edits(fake.root(), *pg::current_identity());
    REQUIRE(fake.change(edits).ok());
    edits.commit();
  }
  const auto after = fake.all();
  CHECK(after.at(fake.root() + "/postgresql.conf") == "port = 2\n");
  CHECK(after.at(fake.root() + "/conf.d/new.conf") == "x = 1\n");
  CHECK(after.at(fake.root() + "/pg_wal/0001") == "w");
  CHECK(after.count(fake.root() + "/pg_replslot/s1") == 0);
  CHECK(after.count(fake.root() + "/" + kUndoDirectory) == 0);
}

TEST_CASE("what a killed import set aside is never overwritten") {
  const Fake fake;
  fs::create_directory(fake.root() + "/" + kUndoDirectory);
  const auto before = fake.all();
  {
    SourceEdits edits(fake.root(), *pg::current_identity());
    const auto status = edits.begin();
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().kind == Kind::refused);
  }
  CHECK(fake.all() == before);
}

}  // namespace branchfs::test
