// What a branch shows and where in the store it lies: for jobs that look at all of a branch that nobody changes meanwhile.
//
// Opened without the branch's lock and in any state, as `verify` does. Owner: one job. Threads: runs(), data() and read() from any number at
// once, entries() from one. Errors: not_found when there is no such branch, damaged when a name or a block leads nowhere.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "layers/branch/view.h"

namespace branchfs {

class TreeReader {
 public:
  static Result<std::unique_ptr<TreeReader>> open(std::shared_ptr<Store> store, const std::string& branch);
  [[nodiscard]] const Manifest& manifest() const { return manifest_; }

  struct Entry {
    std::string path;  // relative, "" for the root
    Attr attr;
    std::string symlink;
  };
  // Parents before what is in them; a file of several names comes once for each.
  Status entries(const std::function<Status(const Entry&)>& visit);

  // The blocks of a file up to its size that are not zeros by definition, ascending, each stretch with the stack element (or the layer
  // one depends on) that holds it. From the block maps alone.
  struct Stored {
    BlockRange blocks;
    ObjectId element;
  };
  Status runs(Ino ino, const std::function<Status(const Stored&)>& visit);
  // Byte ranges of [from, to) of a file, ascending, outside which it is all zeros; holes of the host's files are left out too.
  Status data(Ino ino, std::uint64_t from, std::uint64_t to, const std::function<Status(std::uint64_t begin, std::uint64_t end)>& visit);
  // Reads up to the size of the file at most: the caller knows it.
  Status read(Ino ino, std::uint64_t offset, std::span<std::byte> out);

 private:
  explicit TreeReader(Manifest manifest) : manifest_(std::move(manifest)) {}
  Result<NodePtr> node(Ino ino);
  Status each_run(Ino ino, std::uint64_t from, std::uint64_t to, const std::function<Status(BlockNo, const Run&)>& visit);

  Manifest manifest_;
  std::unique_ptr<View> view_;
};

}  // namespace branchfs
