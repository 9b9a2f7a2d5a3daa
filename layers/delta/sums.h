// Checksums of the blocks of a frozen delta's data files (layers/FORMAT.md §4.5): deltas/ID/sums.
//
// Made in the background once the delta is sealed, a data file after the other; what has none yet is read
// unchecked, as it was while the delta was open (an open one cannot have them: a page that a power cut tore
// is for PostgreSQL to mend, not for us to refuse). Whole blocks: the last one of a file counts as filled up
// with zeros. The file only grows; two makers exclude each other by its flock. Owner: Delta. Threads: any,
// once opened. Memory: what is small; of a large file the runs alone. Errors: Kind::damaged.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "layers/io/data_ranges.h"
#include "layers/io/env.h"

namespace branchfs {

class Sums {
 public:
  // Those that are there; null when nobody has begun to make them.
  static Result<std::unique_ptr<Sums>> open(Env& env, const std::string& delta_dir, ObjectId id);
  enum class Made : std::uint8_t { all, stopped, by_another };
  // Makes those that are missing, of a delta that is sealed. stopped: `stop` said so between two pieces.
  // by_another: somebody else is at it. An error of one data file does not keep the others from getting
  // theirs.
  static Result<Made> make(Env& env, const std::string& delta_dir, ObjectId id,
                           const std::function<bool()>& stop);

  [[nodiscard]] bool complete() const { return complete_; }
  // Of the inode's data file, which the host may have cut or grown since; nullopt when nothing is known of
  // it.
  [[nodiscard]] std::optional<std::uint64_t> size_of(Ino ino) const;
  // Next at or after `offset` that is known not to be zeros, as next_data() says it of what the host stores.
  [[nodiscard]] DataRange next_data(Ino ino, std::uint64_t offset, std::uint64_t limit) const;
  // Whether `blocks` are what the inode's data file had from block `first` on, as far as that is known; the
  // host gave `got` bytes of them, the others are zeros. What was read from behind the end that the file had
  // becomes zeros. Where the sums themselves cannot be read nothing is known.
  Status check(Ino ino, BlockNo first, std::span<std::byte> blocks, std::size_t got) const;
  // For `verify`: inode, the size of its data file, and how many of its blocks are known.
  void for_each_file(
      const std::function<void(Ino ino, std::uint64_t size, std::uint64_t blocks)>& visit) const;

 private:
  // Blocks from `first` to the next run's; `at`: where their checksums are in the file, 0 when all of them
  // are zeros.
  struct Run {
    std::uint64_t first = 0;
    std::uint64_t at = 0;
  };
  struct Known {
    std::uint64_t size = 0;
    std::uint64_t end = 0;  // blocks known
    std::vector<Run> runs;
  };
  class Maker;

  Sums(ObjectId id, std::string path) : id_(id), path_(std::move(path)) {}
  // Takes over the bytes of a file that is small. `stop` is asked now and then; true: ECANCELED.
  Status parse(File& file, std::uint64_t size, const std::function<bool()>& stop);
  Status add(std::span<const std::byte> payload, std::uint64_t at);
  Status check_run(std::span<const std::byte> blocks, Ino ino, BlockNo first, const Run& run) const;
  [[nodiscard]] bool is_readable(const Run& run) const;
  [[nodiscard]] Error mismatch(Ino ino, BlockNo block) const;

  ObjectId id_;
  std::string path_;
  std::unordered_map<Ino, Known> files_;
  bool complete_ = false;
  std::uint64_t valid_size_ = 0;
  std::vector<std::byte> bytes_;  // the whole file when it is small …
  std::unique_ptr<File> file_;    // … else to be read from here
};

}  // namespace branchfs
