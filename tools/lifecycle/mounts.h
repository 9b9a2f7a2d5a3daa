// The mount helper, dead mounts, and where branches are mounted by default.
//
// Plain functions around system calls; any thread. Errors: failed with the reason of whoever refused, busy for
// files that are open, refused for directories of others.
#pragma once

#include <string>

#include "layers/store/store.h"

namespace branchfs {

// Whether the daemon behind a mount point is gone (ENOTCONN).
bool is_dead_mount(const std::string& mountpoint);
bool is_mountpoint(const std::string& dir);

// The helper next to this executable, in ../fs of a build tree, in /usr/sbin or /sbin, or in PATH.
Result<std::string> find_mount_helper();

// One that the server's user can reach: STORE/mnt/NAME; for root, whose store is closed to others,
// /run/branchfs/mnt/STORE-ID/NAME. A '/' in the name is written %2F, so that no mount point lies inside another branch.
std::string default_mountpoint(const Store& store, const std::string& name);
bool is_default_mountpoint(const Store& store, const std::string& dir);
// Makes a default mount point (and the directories above, 0700; for root 0755); refused when somebody else owns what is
// there. One that the user has `chosen` is made if missing, and is the user's affair.
Status make_mountpoint(const std::string& dir, bool chosen);
// Removes an empty default mount point after use; leaves any other directory alone.
void remove_default_mountpoint(const Store& store, const std::string& dir);

// umount; `lazy` detaches it even when files are open or its daemon is dead.
// Makes the kernel hand over what it keeps of every file below a mount, as it does at each close.
Status hand_over_writes(const std::string& mountpoint);

Status unmount(const std::string& mountpoint, bool lazy);

}  // namespace branchfs
