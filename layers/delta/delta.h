// A delta: one directory with a branch's own writes (layers/FORMAT.md §4).
//
//   deltas/ID/journal   edits (see journal.h)
//   deltas/ID/f/INO     data of one inode, same offsets as the file it shadows (INO: 16 hex digits)
//   deltas/ID/confirm   after freezing: inodes whose unsynced records are known to have reached the disk
//   deltas/ID/sealed    after freezing: everything of the delta is durable
//   deltas/ID/sums      once sealed: checksums of its data (see sums.h)
//
// Life: open (one branch writes it) → frozen (several branches read it; only confirm, sealed and sums are still added) → packed (a layer
// of the same id exists) → removed. Owner: Branch, or a job. Threads: any.
// Order that keeps promises: data durable before the record that points at it; a record that removes data durable
// before the data goes (P2, P8).
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_set>

#include "layers/delta/edit.h"
#include "layers/delta/journal.h"
#include "layers/delta/sums.h"

namespace branchfs {

// How an edit that holds came into the journal.
enum class Told : std::uint8_t {
  durable,   // its data was on the disk before it
  unsynced,  // before its data, and it holds because the host did not lose power since: the data is to be synced before anything is
             // acknowledged that depends on it
  vouched,   // before its data, and a mark says that the data has reached the disk
};

class Delta {
 public:
  // Applied for each edit that holds, in order.
  using Apply = std::function<Status(const Edit& edit, Told told)>;

  // Makes an empty delta, durably (also its name in `deltas`).
  static Status create(Env& env, const std::string& dir, ObjectId id);
  static Result<std::unique_ptr<Delta>> open(Env& env, const std::string& dir, ObjectId id, bool writable,
                                             const Apply& apply);
  // True when nothing was ever written into the delta at `dir`. O(1).
  static Result<bool> is_empty(Env& env, const std::string& dir, ObjectId id);

  [[nodiscard]] ObjectId id() const { return id_; }
  [[nodiscard]] Journal& journal() { return *journal_; }
  // Below "f/". The only place where names of data files are made.
  static std::string file_name(Ino ino);
  [[nodiscard]] std::string file_path(Ino ino) const;

  // The inode's data file; null when there is none and `create` is false.
  Result<std::shared_ptr<File>> open_file(Ino ino, bool writable, bool create);
  Status remove_file(Ino ino);
  // Makes the names of data files created so far durable.
  Status sync_names();

  JournalPosition append(const Edit& edit);
  JournalPosition append_unsynced(Ino ino, const Edit& edit);

  // --- frozen deltas ---------------------------------------------------------------------------
  [[nodiscard]] bool sealed() const { return sealed_.load(std::memory_order_acquire); }
  // Makes everything durable and says so. Idempotent; several processes may do it at once. In two steps: only the second needs room.
  Status seal();
  Status make_durable();
  Status mark_sealed();
  // Makes durable what the inode has in this delta. For syncs that depend on a delta not yet sealed.
  Status confirm(Ino ino);
  // Whether a power cut takes nothing that the inode has in this delta.
  [[nodiscard]] bool is_durable(Ino ino);
  // What is known of its data by checksum; null: nothing yet. What was returned stays; another call may know more.
  [[nodiscard]] const Sums* sums() const { return known_sums_.load(std::memory_order_acquire); }
  // Makes the sums that are missing, of a sealed delta, and uses them; see Sums::make. One thread at a time.
  Result<Sums::Made> make_sums(const std::function<bool()>& stop);

 private:
  Delta(Env& env, std::string dir, ObjectId id) : env_(env), dir_(std::move(dir)), id_(id) {}
  Status read_marks();
  void load_sums();
  Status visit(RecordType type, std::span<const std::byte> payload, const Apply& apply);
  Status append_mark(const std::string& name, RecordType type, std::uint64_t value);
  // Whether unsynced records of the inode made under this boot id are known to have reached the disk; mutex_ held.
  [[nodiscard]] bool reached_disk(Ino ino, std::uint64_t boot) const {
    return sealed_boots_.contains(boot) || confirmed_.contains({ino, boot});
  }

  Env& env_;
  std::string dir_;
  ObjectId id_;
  std::unique_ptr<Journal> journal_;
  std::uint64_t boot_ = 0;
  std::atomic<bool> sealed_{false};
  std::atomic<bool> names_durable_{false};    // of a frozen delta: its journal and its files' names
  std::atomic<std::uint64_t> files_created_{1};  // what a process before us created may not be durable either
  std::atomic<std::uint64_t> files_synced_{0};
  std::mutex mutex_;                          // the sets below
  std::unordered_set<Ino> unsynced_;          // inodes with unsynced records
  std::set<std::pair<Ino, std::uint64_t>> confirmed_;  // with the boot ids of the records meant
  std::set<std::uint64_t> sealed_boots_;
  std::uint64_t sealed_size_ = 0;             // of the journal, as the seal says
  std::vector<std::unique_ptr<Sums>> sums_;   // the last one is published in …; others may still be read
  std::atomic<const Sums*> known_sums_{nullptr};
};

}  // namespace branchfs
