// What a store may hold after a power cut, and what it must.
//
// Bytes are written in sectors of 512 that all repeat one tag, a number used once. For every sector, size and name the oracle keeps
// what a program may read now and what may be there after a power cut: a change adds to the second before it is made, a sync that
// was acknowledged leaves the first alone. A change that failed may have happened. Plain values.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace branchfs::test {

inline constexpr std::size_t kSector = 512;
using Tag = std::uint32_t;  // 0: zeros

template <class T>
struct Possible {
  std::set<T> now{T{}};
  std::set<T> after_cut{T{}};
  void begin(T value) {
    now.insert(value);
    after_cut.insert(value);
  }
  void done(T value) { now = {value}; }
  void settle() { after_cut = now; }
  // Opened again after a failure: what was only in memory may be gone.
  void reopen() { now = after_cut; }
};

struct FileOracle {
  std::vector<Possible<Tag>> sectors;  // behind them: zeros
  Possible<std::uint64_t> size;
  void settle() {
    for (auto& sector : sectors) sector.settle();
    size.settle();
  }
};

using FileId = int;  // 0: no file

struct BranchOracle {
  std::map<std::string, Possible<FileId>> names;  // in the root directory
  std::map<FileId, FileOracle> files;
  std::set<FileId> linked;  // were there for sure and nobody removed them: a rename may not lose them
  void settle_names() {
    for (auto& [name, file] : names) {
      file.settle();
      if (file.now.size() == 1 && *file.now.begin() != 0) linked.insert(*file.now.begin());
    }
  }
  void settle() {
    settle_names();
    for (auto& [id, file] : files) file.settle();
  }
  void reopen() {
    for (auto& [name, file] : names) file.reopen();
    for (auto& [id, file] : files) {
      for (auto& sector : file.sectors) sector.reopen();
      file.size.reopen();
    }
  }
};

struct StoreOracle {
  struct Entry {
    Possible<bool> exists;
    std::vector<BranchOracle> any_of;  // one of them holds; more than one while a branch is being reset
  };
  std::map<std::string, Entry> branches;
};

}  // namespace branchfs::test
