// A small store with every kind of file in it, what its branches show, and one damaged copy of it at a time.
//
// Owner: the test. Everything is below one temporary directory. Threads: one; cases run in children.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "layers/jobs/jobs.h"
#include "tests/damage/damage.h"
#include "tests/support/hook_env.h"
#include "tests/support/scratch.h"

namespace branchfs::test {

// What one name of a branch shows: attributes, and for each block its bytes' checksum or an error.
struct Shown {
  std::string attr;
  std::string symlink;
  std::vector<std::string> blocks;
  std::string error;  // of looking it up; then nothing else is known
  std::uint64_t ino = 0;
};
struct Picture {
  std::string error;                    // the branch cannot be opened
  std::map<std::string, Shown> names;   // by path
  std::map<std::string, std::string> unlisted;  // directories that cannot be listed
};
using Pictures = std::map<std::string, Picture>;

// What is wrong with `seen`, where `right` is known: one line each. Errors are not wrong; they are counted in `errors` with their
// text. `untold`: inodes of which the host's word is taken. `gone`: those whose data file is not there; nobody knows their times, and
// where no record told their size they are empty. `times`: of their times alone the host's word is taken.
struct Difference {
  std::vector<std::string> wrong;
  std::vector<std::string> errors;
};
Difference compare(const Picture& right, const Picture& seen, const std::set<std::uint64_t>& untold = {},
                   const std::set<std::uint64_t>& gone = {}, const std::set<std::uint64_t>& times = {});

enum class Sort : std::uint8_t { store, lock, branch_lock, manifest, layer, journal, mark, sums, data };

struct StoreFile {
  std::string path;    // relative
  Sort sort{};
  ObjectId object;     // of layers and deltas
  std::string branch;  // of manifests and locks
  std::string other;   // of the same sort, relative; "" when there is none
};

class DamageLab {
 public:
  DamageLab();
  ~DamageLab();
  DamageLab(const DamageLab&) = delete;
  DamageLab& operator=(const DamageLab&) = delete;

  [[nodiscard]] const std::vector<StoreFile>& files() const { return files_; }
  [[nodiscard]] const std::vector<std::string>& branches() const { return branches_; }
  // Whether the branch can notice what happens to the file.
  [[nodiscard]] bool uses(const std::string& branch, const StoreFile& file) const;
  [[nodiscard]] const Pictures& right(const std::string& boot) const { return right_.at(boot); }
  // A copy whose files are those of the original (hard links), but for those named, which are its own. Replaces the copy before.
  std::string copy(const std::string& name, const std::vector<std::string>& own) const;
  // Of the store at `dir`; a store that does not open gives every branch that error.
  [[nodiscard]] Pictures look(const std::string& dir, const std::string& boot) const;
  // The sealed size of a delta of the original, 0 when it is not sealed.
  [[nodiscard]] std::uint64_t sealed_size(ObjectId delta) const;
  // Whether all data of a delta of the original has checksums.
  [[nodiscard]] bool has_sums(ObjectId delta) const;
  [[nodiscard]] std::string original() const { return dir_ + "/original"; }
  [[nodiscard]] const std::string& dir() const { return dir_; }

 private:
  void build(const std::string& store_dir);
  void list_files();

  std::string dir_;
  std::vector<StoreFile> files_;
  std::vector<std::string> branches_;
  std::map<std::string, std::set<ObjectId>> reach_;
  std::map<std::string, Pictures> right_;
};

}  // namespace branchfs::test
