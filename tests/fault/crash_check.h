// Whether a store holds what an oracle allows. Used by tests; any thread. "" means that nothing is wrong.
#pragma once

#include <memory>
#include <string>

#include "layers/branch/branch.h"
#include "tests/fault/memory_env.h"
#include "tests/fault/oracle.h"

namespace branchfs::test {

inline const std::string kStore = "/store";  // on the disk in memory

// A moment at which the machine may stop.
struct CrashPoint {
  DiskImage image;
  StoreOracle oracle;
  std::string call;        // that was about to be made
  std::uint64_t boot = 0;  // in which it would have been made
};

std::string sector_of(Tag tag);

// How the open branch differs from what it may be.
std::string compare(Branch& branch, const BranchOracle& oracle, When when);

// The first look of a new process: what it finds is what is there from now on.
std::string observe(Branch& branch, StoreOracle::Entry& entry, When when);

// Opens every branch, compares, verifies, collects garbage, and does it again.
std::string check_machine(MemoryEnv& env, const StoreOracle& oracle, When when);

// The store after the power was cut at `point`. `again` cuts the power a second time during the first opening, at a call chosen by the
// seed, and looks at that as well.
std::string check_after_cut(const CrashPoint& point, Cut cut, std::uint64_t seed, bool again = true);

// The process ends at `point` and the machine goes on: same boot, nothing lost.
std::string check_after_kill(const CrashPoint& point);

// Ids that no other process or boot of this test program has.
std::uint64_t next_process();

}  // namespace branchfs::test
