// Whether a server recovers from a power cut. PostgreSQL promises that with fsync and full_page_writes alone: then whatever was written
// and not synced may be missing, or be there in part.
//
// A branch may keep writes in the kernel's cache only for such a server, because a child of it sees what a power cut would have left
// (design: P1, fs/README.md). Any thread. Errors: as reading the configuration, or asking the server, reports them.
#pragma once

#include <string>

#include "layers/base/result.h"

namespace branchfs::pg {

class ConfSource;
class Session;

// What the configuration files in a data directory say; a value that PostgreSQL would not read counts as off.
Result<bool> survives_power_cut(ConfSource& source);
Result<bool> survives_power_cut(const std::string& data_dir);

// What holds in a running server.
struct CrashSafety {
  bool survives_power_cut = false;
  bool reloaded = false;      // it read its configuration again since it started: one of the two may have been off meanwhile
  bool checkpointed = false;  // its last checkpoint began after that
};
Result<CrashSafety> crash_safety_of(Session& session);

}  // namespace branchfs::pg
