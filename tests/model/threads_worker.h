// One thread of the model test with threads: it owns a part of a branch's names, changes them at random, and keeps what they must hold
// and each change with the moments before and after it, so that a child taken meanwhile can be checked for being one instant.
//
// Its part: what is below "wN/", and names that begin with "wN-" in "shared", a directory that all threads of a branch change. Threads:
// run() in one; started() and completed() from any; the rest when it is not running. Errors: Finding is thrown (Catch2 asserts are for
// one thread).
#pragma once

#include <atomic>
#include <deque>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "layers/branch/branch.h"
#include "tests/model/tree_model.h"

namespace branchfs::test {

struct Finding : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class T>
T want(Result<T> result, const std::string& what) {
  if (!result) throw Finding(what + ": " + result.error().what);
  return *std::move(result);
}
inline void want(Status status, const std::string& what) {
  if (!status) throw Finding(what + ": " + status.error().what);
}

// One counter for all threads: what has the smaller number came first.
using Clock = std::atomic<std::uint64_t>;

// A change that the branch makes as one, or not at all.
struct Change {
  enum class Kind : std::uint8_t { create, mkdir, write, truncate, punch, zero, copy, rename, link, remove, rmdir };
  Kind kind = Kind::create;
  std::string path{};
  std::string to{};        // rename, link; where copy reads
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  // truncate: the size
  std::uint64_t from = 0;    // copy: offset in `to`
  bool keep_size = true;
  std::string data{};
  std::uint64_t before = 0, after = UINT64_MAX;  // by the Clock

  void apply(TreeModel& model) const;
  [[nodiscard]] std::string text() const;
};

// What a branch holds: read through its interface.
struct Tree {
  struct Entry {
    Ino ino;
    std::string bytes;
  };
  std::map<std::string, Entry> files;
  std::set<std::string> dirs;
};
Tree read_tree(Branch& branch);
// Empty, or the first difference in the part of worker `index`.
std::string difference(const TreeModel& want, const Tree& got, unsigned index);

class Worker {
 public:
  Worker(unsigned index, std::uint64_t seed, TreeModel model, Clock& clock);

  void run(Branch& branch, unsigned steps);
  [[nodiscard]] std::uint64_t started() const { return started_.load(); }
  [[nodiscard]] std::uint64_t completed() const { return completed_.load(); }
  [[nodiscard]] const TreeModel& model() const { return model_; }
  [[nodiscard]] const TreeModel& first() const { return first_; }
  [[nodiscard]] const std::deque<Change>& changes() const { return changes_; }
  [[nodiscard]] unsigned index() const { return index_; }

 private:
  std::uint64_t pick(std::uint64_t below) { return std::uniform_int_distribution<std::uint64_t>(0, below - 1)(random_); }
  std::uint64_t odd_size(std::uint64_t most);
  std::string random_bytes(std::size_t size);
  std::string some_file();
  std::string some_dir();
  std::string new_path();
  bool taken(const std::string& path) const { return model_.files.contains(path) || model_.dirs.contains(path); }

  template <class Action>
  void make(Change change, Action action);
  void step();
  void create();
  void make_dir();
  void write();
  void truncate();
  void clear();
  void copy();
  void rename();
  void link();
  void remove();
  void remove_dir();
  void use_removed();
  void check_some();
  void look_at_others();

  unsigned index_;
  std::mt19937_64 random_;
  TreeModel model_, first_;
  Clock& clock_;
  std::deque<Change> changes_;
  std::atomic<std::uint64_t> started_{0}, completed_{0};
  Branch* branch_ = nullptr;
};

}  // namespace branchfs::test
