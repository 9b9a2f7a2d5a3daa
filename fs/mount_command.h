// What mount.branchfs does, from checked options to the end of the mount. Returns the exit code.
#pragma once

#include "fs/options.h"

namespace branchfs {

int mount_command(const MountOptions& options);

// Why `mountpoint` (canonical) cannot be mounted on, with what to do. `store` is canonical too.
Status check_mountpoint(const std::string& mountpoint, const std::string& store, bool nonempty);

}  // namespace branchfs
