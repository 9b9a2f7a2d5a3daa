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
#include "tests/fault/memory_env.h"
#include "tests/fault/oracle.h"

namespace branchfs::test {

struct CrashPoint {
  DiskImage image;
  StoreOracle oracle;
  std::string call;  // that was about to be made
};

class CrashLab {
 public:
  CrashLab();
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
  Status create_live(const std::string& child);                                // from the open branch
  Status create_offline(const std::string& child, const std::string& parent);
  Status reset(const std::string& branch, const std::string& parent);
  Status remove(const std::string& branch);
  Status rename_branch(const std::string& from, const std::string& to);
  Status settle(const std::string& branch);  // what sealing a masked branch does
  Status pack(const std::string& branch);
  Status compact(const std::string& branch);
  Status collect();

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
  using Lock = std::lock_guard<std::mutex>;
  BranchOracle& mine() { return oracle_.branches.at(name_).any_of.front(); }
  FileOracle& file(const std::string& name);
  Status tell(const DiskCall& call);

  MemoryDisk disk_;
  MemoryEnv env_;
  std::shared_ptr<Store> store_;
  std::unique_ptr<Branch> branch_;
  std::string name_;
  mutable std::mutex mutex_;  // oracle, points, failing
  StoreOracle oracle_;
  Tag next_tag_ = 1;
  FileId next_file_ = 1;
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

// The store after the power was cut at `point`: "" or what is wrong with it. `again` cuts the power a second time during the first opening,
// at a call chosen by the seed, and looks at that as well.
std::string check_after_cut(const CrashPoint& point, Cut cut, std::uint64_t seed, bool again = true);

// The process ends at `point` and the machine goes on: same boot, nothing lost.
std::string check_after_kill(const CrashPoint& point);

}  // namespace branchfs::test
