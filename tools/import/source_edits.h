// Changes to a data directory that can be taken back: what --move does to the source before its files are
// taken over.
//
// Every change is a rename or a creation. What is replaced or removed goes to `.branchfs-undo` inside the
// directory, so that even after a SIGKILL the original is there to be put back by hand. Destroyed without
// commit(), everything is put back, newest change first. Acts with the rights of the directory's owner.
// Threads: one. Errors: failed (the change did not happen, earlier ones stand until undone), refused (an
// earlier undo directory is there).
#pragma once

#include <string>
#include <vector>

#include "layers/base/result.h"
#include "tools/pg/identity.h"

namespace branchfs {

inline constexpr const char* kUndoDirectory = ".branchfs-undo";

class SourceEdits {
 public:
  SourceEdits(std::string root, pg::Identity owner) : root_(std::move(root)), owner_(std::move(owner)) {}
  ~SourceEdits();
  SourceEdits(const SourceEdits&) = delete;
  SourceEdits& operator=(const SourceEdits&) = delete;

  Status begin();
  // Paths are relative to the directory; parents are made as needed.
  Status write(const std::string& path, const std::string& content, unsigned mode);
  Status remove(const std::string& path);          // whatever it is; fine when it is not there
  Status make_directory(const std::string& path);  // in place of a link; fine when it is a directory already
  Status make_link(const std::string& path, const std::string& target);
  // Everything in the directory `from` (absolute) moves into `path`; `from` itself stays, empty.
  Status take_contents(const std::string& from, const std::string& path);
  // The changes stay; what they replaced is deleted.
  void commit();

 private:
  struct Step {
    std::string created;   // absolute; or, when empty, a rename
    std::string from, to;  // absolute
  };
  Status set_aside(const std::string& path);
  Status make_parents(const std::string& path);
  Status move(const std::string& from, const std::string& to);
  void undo();

  const std::string root_;
  const pg::Identity owner_;
  std::vector<Step> steps_;
  unsigned aside_ = 0;
};

}  // namespace branchfs
