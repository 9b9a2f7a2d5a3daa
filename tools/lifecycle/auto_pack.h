// Packing without being asked: a parent that many branches were made from while it was open has one frozen delta for
// each of them, and every mount replays them all. Like git's automatic gc, `create` starts a pack in the background
// when there are too many; BRANCHFS_AUTO_PACK=0 in the environment leaves it to who runs `pack`. Plain function; any thread.
#pragma once

#include <string>

#include "layers/store/store.h"

namespace branchfs {

inline constexpr std::size_t kPackAtDepth = 16;  // frozen deltas above the newest layer; docs/performance.md has the figures

// Starts `branchfs pack NAME` as a process of its own when `stack` is that deep and nobody packs it already. Failing to is
// no error: the next create tries again.
void pack_when_deep(const Store& store, const std::string& name, const std::vector<ObjectId>& stack);

}  // namespace branchfs
