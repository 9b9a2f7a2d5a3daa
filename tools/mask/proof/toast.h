// Values that PostgreSQL cut into chunks (TOAST tables, pg_largeobject), put together again from the pages as they come.
//
// A value of a relation is looked at when its last chunk has come, what never got complete in finish(). Chunks are taken from wherever a
// page has something that looks like their row, whether a line pointer leads there or not: dead rows count. Owner: scan_branch(). Threads: add_page()
// from any number; finish() after all pages. Memory: the chunks of incomplete values up to kMostHeld bytes, of more only where they are.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "layers/base/types.h"
#include "tools/mask/proof/findings.h"

namespace branchfs::mask {

// A file of a relation, as long as the scan.
struct ToastFile {
  const std::string* path = nullptr;
  Ino ino;
};

class ToastRelation {
 public:
  static constexpr std::uint64_t kMostHeld = 64U << 20U;
  using Read = std::function<Status(Ino ino, std::uint64_t offset, std::span<std::byte> out)>;

  ToastRelation(Findings& findings, Read read, std::uint64_t most_held = kMostHeld)
      : findings_(findings), read_(std::move(read)), most_held_(most_held) {}
  // The page at `offset` of `file`.
  Status add_page(const ToastFile& file, std::uint64_t offset, std::span<const std::byte> page);
  Status finish();

 private:
  struct Chunk {
    const ToastFile* file = nullptr;
    std::uint64_t offset = 0;  // of its bytes in the file
    std::uint32_t size = 0;
    bool compressed = false;   // by itself, as rows of pg_largeobject may be
    bool held = false;
    std::vector<std::byte> bytes;
  };
  // By sequence number; several of one number are of different values with one id (a dead one's was used again).
  using Value = std::multimap<std::uint32_t, Chunk>;
  struct Row {
    std::uint32_t id = 0, sequence = 0;
    Chunk chunk;
  };

  static std::vector<Row> rows_of(const ToastFile& file, std::uint64_t offset, std::span<const std::byte> page);
  static bool is_complete(const Value& value);
  void insert(Row row, std::vector<Value>& complete);
  Status look_at(Value& value);
  Status look_at_run(const std::vector<Chunk*>& run, bool from_first);
  Status append(Chunk& chunk, std::vector<std::byte>& joined);

  Findings& findings_;
  Read read_;
  const std::uint64_t most_held_;
  std::mutex mutex_;
  std::unordered_map<std::uint32_t, Value> values_;
  std::uint64_t held_ = 0;
};

}  // namespace branchfs::mask
