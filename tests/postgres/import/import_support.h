// Stores for import tests, and branches read back out of them through the storage engine alone.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "layers/branch/branch.h"
#include "tests/postgres/import/test_cluster.h"
#include "tools/import/import.h"

namespace branchfs::test {

namespace fs = std::filesystem;

class TestStore {
 public:
  TestStore() : TestStore("") {}
  // In `parent`, which stays the caller's; empty: in a directory of its own.
  explicit TestStore(const std::string& parent) : path_((parent.empty() ? dir_.path() : parent) + "/store") {
    must(Store::init(posix_env(), path_));
    store_ = must(Store::open(posix_env(), path_));
  }
  [[nodiscard]] const std::shared_ptr<Store>& store() const { return store_; }
  [[nodiscard]] const std::string& path() const { return path_; }

  Result<ImportResult> import(const ImportRequest& request) const {
    ProgressReporter quiet(ProgressReporter::Style::none);
    return run_import(store_, request, quiet);
  }
  // Whether a layer is being written; from any thread.
  [[nodiscard]] bool busy() const {
    std::error_code gone;
    return !fs::is_empty(path_ + "/layers", gone);
  }
  // Every path in the store, to compare before and after.
  [[nodiscard]] std::set<std::string> files() const {
    std::set<std::string> found;
    for (const auto& item : fs::recursive_directory_iterator(path_)) found.insert(item.path());
    return found;
  }

 private:
  TestDir dir_;
  std::string path_;
  std::shared_ptr<Store> store_;
};

inline ImportRequest from_pgdata(const std::string& dir) {
  ImportRequest request;
  request.name = "prod";
  request.pgdata = dir;
  return request;
}
inline ImportRequest from_url(const std::string& url) {
  ImportRequest request;
  request.name = "prod";
  request.url = url;
  return request;
}

inline void export_directory(Branch& branch, Ino dir, const std::string& to) {
  std::vector<std::byte> buffer(1U << 20U);
  for (const auto& entry : must(branch.list(dir))) {
    const std::string path = to + "/" + entry.name;
    const Attr attr = must(branch.getattr(entry.ino));
    if (S_ISDIR(attr.mode)) {
      REQUIRE(::mkdir(path.c_str(), attr.mode & 07777U) == 0);
      export_directory(branch, entry.ino, path);
    } else if (S_ISLNK(attr.mode)) {
      REQUIRE(::symlink(must(branch.readlink(entry.ino)).c_str(), path.c_str()) == 0);
    } else {
      const auto file = must(posix_env().open(path, O_RDWR | O_CREAT | O_EXCL, attr.mode & 07777U));
      for (std::uint64_t offset = 0;;) {
        const std::size_t n = must(branch.read(entry.ino, offset, buffer));
        if (n == 0) break;
        must(file->write_at(std::span(buffer).first(n), offset));
        offset += n;
      }
      must(file->truncate(attr.size));
    }
    if (::geteuid() == 0) REQUIRE(::lchown(path.c_str(), attr.uid, attr.gid) == 0);
  }
}

// The branch as a plain directory that a server can run on.
class ExportedBranch {
 public:
  explicit ExportedBranch(const TestStore& store, const std::string& name = "prod") {
    BranchOptions options;
    options.mode = OpenMode::read_only;
    const auto branch = must(Branch::open(store.store(), name, options));
    REQUIRE(::mkdir(data().c_str(), 0700) == 0);
    const Attr root = branch->root_attr();
    if (::geteuid() == 0) REQUIRE(::chown(data().c_str(), root.uid, root.gid) == 0);
    export_directory(*branch, kRootIno, data());
  }
  [[nodiscard]] std::string data() const { return dir_ / "data"; }
  [[nodiscard]] bool has(const std::string& path) const {
    return fs::exists(fs::symlink_status(data() + "/" + path));
  }
  [[nodiscard]] std::string text(const std::string& path) const {
    return must(posix_env().read_file(data() + "/" + path));
  }

 private:
  TestDir dir_;
};

// Relation files, control file and WAL of two directories must be equal byte for byte; only names in the
// second one matter.
inline void check_same_bytes(const std::string& source, const std::string& branch) {
  std::size_t compared = 0;
  for (const auto& item : fs::recursive_directory_iterator(branch)) {
    if (!item.is_regular_file()) continue;
    const std::string path = fs::relative(item.path(), branch);
    if (path.ends_with(".conf") || path.starts_with("branchfs.")) continue;
    INFO(path);
    const auto expected = posix_env().read_file(source + "/" + path, 1U << 30U);
    REQUIRE(expected.ok());
    CHECK((must(posix_env().read_file(item.path(), 1U << 30U)) == *expected));
    ++compared;
  }
  CHECK(compared > 500);
}

}  // namespace branchfs::test
