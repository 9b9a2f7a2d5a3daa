// An open directory and what readdir answers from it. Internal to fs/.
//
// The names are a snapshot taken when reading starts (offset 0: opened or rewound), so that removing what was
// read neither skips nor repeats a name. Offsets given to the kernel: 1 after ".", 2 after "..", 3 + i after
// entry i. Owner: the kernel's file handle, from opendir to releasedir. Threads: the kernel may read one
// handle from several threads; a lock guards the snapshot and is held across calls of Branch.
#pragma once

#include <fuse_lowlevel.h>

#include <functional>
#include <mutex>
#include <span>
#include <vector>

#include "layers/branch/branch.h"

namespace branchfs {

class Directory {
 public:
  explicit Directory(Ino ino) : ino_(ino) {}

  // Looks a name up, with its attributes; ENOENT (removed meanwhile) leaves it out.
  using Describe = std::function<Result<::fuse_entry_param>(const NameEntry&)>;

  // Both fill the buffer with the entries from `offset` on, as many as fit, and return the bytes used.
  Result<std::size_t> fill(fuse_req_t req, Branch& branch, ::off_t offset, std::span<char> buffer);
  // `sent` gets the inodes of the buffer's entries; each holds a reference.
  Result<std::size_t> fill_plus(fuse_req_t req, Branch& branch, ::off_t offset, std::span<char> buffer,
                                const Describe& describe, std::vector<Ino>& sent);

 private:
  Status load(Branch& branch, ::off_t offset);
  [[nodiscard]] std::size_t size() const { return entries_.size() + 2; }
  [[nodiscard]] NameEntry at(std::size_t index) const;

  Ino ino_;
  std::mutex mutex_;
  bool loaded_ = false;
  Ino parent_;
  std::vector<NameEntry> entries_;
};

}  // namespace branchfs
