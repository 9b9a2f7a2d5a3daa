// A store on a disk in memory, the operations that tests make on it, and what must be there after the power is cut at any moment.
//
// Every operation tells the oracle first. At each call that changes the disk the lab takes an image of it; check() then cuts the power at
// that image in several ways, opens the store again as a program of the next boot would, and compares. Owner: a test. Threads: the
// operations are called from one; the engine's own threads may write meanwhile.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "layers/branch/branch.h"
#include "layers/store/branches.h"
#include "tests/fault/crash_check.h"

namespace branchfs::test {

class CrashLab {
 public:
  CrashLab();  // an empty store
  // A new process after the one of `point` was killed, or after the power was cut there.
  explicit CrashLab(const CrashPoint& point);
  CrashLab(const CrashPoint& point, Cut cut, std::uint64_t seed);
  ~CrashLab();
  CrashLab(const CrashLab&) = delete;
  CrashLab& operator=(const CrashLab&) = delete;

  // --- operations: all return the engine's answer; the oracle follows it.
  Status import(const std::string& branch, const std::map<std::string, std::size_t>& files);  // sizes in sectors
  Status open(const std::string& branch);
  void close();
  Status create(const std::string& file);
  Status write(const std::string& file, std::size_t sector, std::size_t count);
  Status resize(const std::string& file, std::size_t sectors);
  Status sync(const std::string& file, bool data_only);
  Status sync_dir();
  Status sync_all();
  Status flush();
  Status unlink(const std::string& file);
  Status rename(const std::string& from, const std::string& to);
  Status chmod(const std::string& file, std::uint32_t mode);
  Status link(const std::string& file, const std::string& name);
  Status zero(const std::string& file, std::size_t sector, std::size_t count);  // as a hole
  Status copy(const std::string& from, std::size_t from_sector, const std::string& to, std::size_t to_sector, std::size_t count);
  Status create_live(const std::string& child);                                // from the open branch
  Status create_offline(const std::string& child, const std::string& parent);
  Status reset(const std::string& branch, const std::string& parent);
  Status remove(const std::string& branch);
  Status rename_branch(const std::string& from, const std::string& to);
  Status settle(const std::string& branch);  // what sealing a masked branch does
  Status pack(const std::string& branch);
  Status compact(const std::string& branch);
  Status collect();

  [[nodiscard]] std::vector<std::string> branches() const;                      // that a new process finds
  [[nodiscard]] std::vector<std::string> files() const;                         // of the open branch, now
  [[nodiscard]] std::string parent_of(const std::string& branch) const;         // "" when it has none
  [[nodiscard]] std::size_t sectors_of(const std::string& file);
  [[nodiscard]] bool is_same(const std::string& a, const std::string& b) { return &file(a) == &file(b); }

  // What the open branch reads, against the oracle's "now": a failure of the test otherwise.
  void check_now();

  // Fails `call` number n (counted from now, among those `matches` accepts) with this errno, once.
  void fail_call(std::function<bool(const DiskCall&)> matches, std::size_t n, int error);
  void stop_failing() { fail_call({}, 0, 0); }
  [[nodiscard]] bool has_failed() const { return has_failed_; }

  // Calls to the disk since the last time this was asked; not those of the engine's own threads, which nobody waits for.
  struct Calls {
    std::size_t changes = 0, reads = 0;  // reads: and opens
  };
  Calls take_calls();

  // From here on an image is taken at every call that changes the disk.
  void record();
  void stop_recording();
  [[nodiscard]] const std::vector<CrashPoint>& points() const { return points_; }
  [[nodiscard]] CrashPoint here() const;
  [[nodiscard]] MemoryDisk& disk() { return disk_; }
  [[nodiscard]] bool is_open() const { return branch_ != nullptr; }
  [[nodiscard]] const std::string& open_name() const { return name_; }
  [[nodiscard]] const BranchOracle& oracle() const { return oracle_.branches.at(name_).any_of.front(); }

 private:
  CrashLab(DiskImage image, std::uint64_t boot);
  void watch();

  using Lock = std::lock_guard<std::mutex>;
  BranchOracle& mine() { return oracle_.branches.at(name_).any_of.front(); }
  FileOracle& file(const std::string& name);
  Status tell(const DiskCall& call);

  MemoryDisk disk_;
  std::uint64_t boot_;
  MemoryEnv env_;
  std::shared_ptr<Store> store_;
  std::unique_ptr<Branch> branch_;
  std::string name_;
  mutable std::mutex mutex_;  // oracle, points, failing
  StoreOracle oracle_;
  std::set<std::string> unseen_;  // branches that this process has not opened yet
  When unseen_since_ = When::now;
  std::thread::id caller_ = std::this_thread::get_id();
  Calls calls_made_;
  bool recording_ = false;
  std::vector<CrashPoint> points_;
  std::function<bool(const DiskCall&)> failing_;
  std::size_t fail_at_ = 0;
  std::size_t calls_ = 0;
  int fail_with_ = 0;
  bool has_failed_ = false;
};

}  // namespace branchfs::test
