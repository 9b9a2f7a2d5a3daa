// The data of a frozen delta against its checksums (layers/delta/sums.h): what `verify` finds, and what repairing can mend of it.
// Plain functions; any thread. What has no checksum yet is not looked at; nor is a data file that is gone, which whoever needs it tells.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "layers/delta/sums.h"
#include "layers/jobs/salvage.h"
#include "layers/jobs/set_aside.h"

namespace branchfs {

// One data file that is not what it was.
struct DamagedData {
  Ino ino;
  std::uint64_t size = 0;  // now
  std::uint64_t right_size = 0;
  bool is_known = false;           // all of its blocks have checksums
  std::vector<BlockRange> blocks;  // that do not match
  // "the data of inode 7 does not match its checksums, blocks 3, 8-9"
  [[nodiscard]] std::string text() const;
};
// `read`: bytes that were looked at; false stops (ECANCELED). What the host cannot read counts as what does not match.
Result<std::vector<DamagedData>> check_data(Env& env, const std::string& delta_dir, const Sums& sums,
                                            const std::function<bool(std::uint64_t read)>& read);

// One flipped bit of a block is turned back, and a file of which all is known gets its size back, in a copy that takes
// the file's place. Returns what then still does not match. `dry`: changes nothing.
Result<DamagedData> mend_data(Env& env, const std::string& path, const Sums& sums, const DamagedData& damaged, SetAside& aside,
                              SearchBudget& budget, bool dry);

}  // namespace branchfs
