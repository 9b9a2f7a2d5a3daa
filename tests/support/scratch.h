// A store in a temporary directory, for tests; everything is removed when it goes.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "layers/branch/branch.h"
#include "layers/delta/delta.h"
#include "layers/store/branches.h"
#include "tests/catch.h"
#include "tests/support/fork_live.h"
#include "tests/support/must.h"

namespace branchfs::test {

class ScratchStore {
 public:
  explicit ScratchStore(Env& env = posix_env()) : env_(env) {
    const char* tmp = std::getenv("TMPDIR");
    std::string pattern = std::string(tmp != nullptr ? tmp : "/tmp") + "/branchfs-test-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) FAIL("mkdtemp " << pattern);
    dir_ = pattern;
    must(Store::init(env_, path()));
    reopen();
  }
  ~ScratchStore() {
    store_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }
  ScratchStore(const ScratchStore&) = delete;
  ScratchStore& operator=(const ScratchStore&) = delete;

  [[nodiscard]] std::string path() const { return dir_ + "/store"; }
  [[nodiscard]] const std::string& dir() const { return dir_; }
  std::shared_ptr<Store>& operator*() { return store_; }
  Store* operator->() { return store_.get(); }
  void reopen() { store_ = must(Store::open(env_, path())); }

  // A root branch with an empty directory, as a frozen delta.
  void make_root(const std::string& name, std::uint32_t mode = 0755, std::uint32_t uid = ::geteuid(),
                 std::uint32_t gid = ::getegid()) {
    ObjectId id = env_.new_id();
    must(Delta::create(env_, store_->delta_dir(id), id));
    auto delta = must(
        Delta::open(env_, store_->delta_dir(id), id, true, [](const Edit&, Told) { return Status{}; }));
    Edit edit;
    InodeItem root;
    root.attr.ino = kRootIno;
    root.attr.mode = S_IFDIR | mode;
    root.attr.uid = uid;
    root.attr.gid = gid;
    root.attr.nlink = 2;
    root.attr.mtime = root.attr.ctime = root.attr.atime = env_.now();
    edit.inodes.push_back(root);
    must(delta->journal().sync(delta->append(edit)));
    Manifest manifest;
    manifest.stack = {id};
    StoreLock lock = must(store_->lock());
    must(create_root(*store_, lock, name, manifest));
  }

  std::unique_ptr<Branch> open(const std::string& name, OpenMode mode = OpenMode::read_write,
                               unsigned flush_interval = 0) {
    BranchOptions options;
    options.mode = mode;
    options.flush_interval = flush_interval;
    options.sums = false;  // hooks and failures of a test are for what it does itself
    return must(Branch::open(store_, name, options));
  }

  void fork_live(Branch& parent, const std::string& parent_name, const std::string& child) {
    must(test::fork_live(*store_, parent, parent_name, child));
  }

 private:
  Env& env_;
  std::string dir_;
  std::shared_ptr<Store> store_;
};

}  // namespace branchfs::test
