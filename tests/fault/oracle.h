// What a store may hold after a power cut or the death of its process, and what it must.
//
// Bytes are written in sectors of 512 that all repeat one tag, a number used once. For every sector, size and name the oracle keeps
// what a program may read now, what may be there once the process was killed, and what after a power cut: a change adds to all three
// before it is made; a flush leaves the first alone for kills, a sync that was acknowledged also for power cuts. A change that failed
// may have happened. Plain values.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace branchfs::test {

inline constexpr std::size_t kSector = 512;
using Tag = std::uint32_t;  // 0: zeros

enum class When : std::uint8_t { now, after_kill, after_cut };

template <class T>
struct Possible {
  std::set<T> now{T{}};
  std::set<T> after_kill{T{}};
  std::set<T> after_cut{T{}};

  static Possible certain(T value) { return {{value}, {value}, {value}}; }
  [[nodiscard]] const std::set<T>& at(When when) const {
    return when == When::now ? now : when == When::after_kill ? after_kill : after_cut;
  }
  void begin(T value) {
    now.insert(value);
    after_kill.insert(value);
    after_cut.insert(value);
  }
  void done(T value) { now = {value}; }
  void flush() { after_kill = now; }
  void settle() { after_cut = after_kill = now; }
  // Opened again after a failure: what was only in memory may be gone.
  void reopen() { now = after_kill = after_cut; }
  // A new process has looked. After a kill the disk may still hold something else.
  void observe(T value, When when) {
    now = after_kill = {value};
    if (when == When::after_cut) after_cut.clear();
    after_cut.insert(value);
  }
};

struct FileOracle {
  std::vector<Possible<Tag>> sectors;  // behind them: zeros
  Possible<std::uint64_t> size;
  void flush() {
    for (auto& sector : sectors) sector.flush();
    size.flush();
  }
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
  void flush() {
    for (auto& [name, file] : names) file.flush();
    for (auto& [id, file] : files) file.flush();
  }
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
  std::vector<std::pair<std::string, std::string>> renaming;  // a branch has one of both names
  Tag next_tag = 1;
  FileId next_file = 1;
};

}  // namespace branchfs::test
