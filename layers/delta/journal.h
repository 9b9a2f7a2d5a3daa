// The append-only journal of a delta (layers/FORMAT.md §4.2): checksummed records, replayed up to the last valid one.
//
// Owner: Delta. Threads: append, flush and sync from any thread; concurrent syncs share one fdatasync (group
// commit). Durability: append() keeps the record in memory, flush() hands it to the host's kernel (survives SIGKILL), sync() makes
// it durable. A record that was durable and does not replay is damage; an incomplete tail that never was durable is cut off.
// A failed flush or sync is final: every later call returns the error.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "layers/io/env.h"

namespace branchfs {

enum class RecordType : std::uint16_t {
  edit = 1,      // an Edit
  unsynced = 2,  // u64 hash of the boot id, u64 inode, an Edit that holds only if its data is known to have survived
  confirm = 3,   // u64 inode, u64 hash of the boot id: its unsynced records of that boot hold (file "confirm" only)
  sealed = 4,    // u64 journal size, u64 hash of the boot id: likewise those of all inodes (file "sealed" only)
  sums = 5,      // see sums.h (file "sums" only)
};

// The end of an appended record in the journal; sync(position) makes everything before it durable.
using JournalPosition = std::uint64_t;

// One valid record as it stands in the file.
struct JournalRecord {
  RecordType type{};
  std::uint64_t synced = 0;  // bytes of the journal that were durable when it was made
  std::span<const std::byte> payload;
  std::size_t total = 0;     // bytes with header, padding and checksum
};

struct JournalScan {
  std::uint64_t valid_size = 0;   // bytes up to the end of the last valid record
  std::uint64_t file_size = 0;
  std::uint64_t records = 0;
};

class Journal {
 public:
  using Visitor = std::function<Status(RecordType, std::span<const std::byte> payload)>;

  // Makes an empty journal at `path`, synced (the directory is the caller's).
  static Status create(Env& env, const std::string& path, ObjectId id);
  // Opens and replays. Damage: header wrong, or a record that had been durable is invalid.
  // For writing, an incomplete tail is cut off. Takes a shared flock on the file.
  static Result<std::unique_ptr<Journal>> open(Env& env, const std::string& path, ObjectId id, bool writable,
                                               const Visitor& visitor);
  // Replays without keeping it open or changing it.
  static Result<JournalScan> scan(Env& env, const std::string& path, ObjectId id, const Visitor& visitor);
  static constexpr std::size_t kRecordHeader = 16;  // u32 size, u16 type, u16 zero, u64 synced
  static constexpr std::size_t kRecordTail = 8;     // checksum
  // The record at `offset` of a journal's bytes, or of those from `begin` on, if there is a valid one.
  static std::optional<JournalRecord> record_at(std::span<const std::byte> journal, std::uint64_t offset, ObjectId id,
                                                std::uint64_t begin = 0);
  // Visits the valid records from the first one on; the offset behind the last of them.
  static Result<std::uint64_t> for_each_record(std::span<const std::byte> journal, ObjectId id, const Visitor& visitor);
  // Whether a valid record behind `from` testifies that the journal had been durable beyond `from`: then an invalid
  // record at `from` is damage and not the tail of an interrupted write.
  static bool was_durable(std::span<const std::byte> journal, std::uint64_t from, ObjectId id);
  // One self-contained record as a file that several processes may append to ("confirm", "sealed").
  static std::vector<std::byte> header_bytes(ObjectId id);
  static std::vector<std::byte> record_bytes(ObjectId id, std::uint64_t offset, RecordType type,
                                             std::span<const std::byte> payload, std::uint64_t synced);

  JournalPosition append(RecordType type, std::span<const std::byte> payload);
  // While held, records stay in memory: the host's kernel must not make them durable before those of the delta below.
  void hold();
  void release();
  // Takes room on the disk for this many bytes of records, where the host can. ENOSPC and the like change nothing.
  Status reserve(std::uint64_t bytes);
  Status flush();
  Status sync(JournalPosition position);
  [[nodiscard]] JournalPosition end() const;
  [[nodiscard]] JournalPosition synced_end() const;
  [[nodiscard]] bool empty() const;  // no record at all

 private:
  Journal(std::unique_ptr<File> file, ObjectId id, std::uint64_t size);
  Status flush_locked();

  mutable std::mutex mutex_;
  std::condition_variable idle_;
  std::unique_ptr<File> file_;
  ObjectId id_;
  std::vector<std::byte> buffer_;    // appended, not yet written; its first byte has the offset written_
  std::uint64_t written_ = 0;
  std::uint64_t synced_ = 0;
  bool held_ = false;
  bool busy_ = false;                // a thread is in fdatasync, without the mutex
  std::optional<Error> failed_;
};

}  // namespace branchfs
