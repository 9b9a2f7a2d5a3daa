// What `create_branch` does with a parent that is open in another process, for a parent open in this one.
#pragma once

#include <string>

#include "layers/branch/branch.h"
#include "layers/store/branches.h"

namespace branchfs::test {

inline Status fork_live(Store& store, Branch& parent, const std::string& parent_name, const std::string& child) {
  BFS_ASSIGN(StoreLock lock, store.lock());
  BFS_ASSIGN(const Frozen frozen, parent.freeze(lock, parent_name));
  BFS_ASSIGN(const Manifest of_parent, store.read_manifest(parent_name));
  Manifest manifest;
  manifest.parent = of_parent.id;
  manifest.parent_name = parent_name;
  manifest.stack = frozen.stack;
  manifest.next_ino = frozen.next_ino;
  manifest.origin = "branch";
  BFS_TRY(create_root(store, lock, child, manifest));
  return {};
}

}  // namespace branchfs::test
