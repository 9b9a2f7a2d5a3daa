// What can be done to branches as a whole: create, rename, delete, reset. Each is one short transaction under the store
// lock; each leaves the store valid at every point of a crash (P8, P10). O(1): cost does not depend on data (P5).
//
// A live parent (someone holds its lock) is frozen by the process that has it mounted, through its
// control socket; an offline parent is frozen here. Threads: any; processes: any number.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "layers/store/store.h"

namespace branchfs {

struct CreateOptions {
  std::int64_t expires = 0;
  bool is_protected = false;
  std::string state = "ready";
  nlohmann::json postgres = nlohmann::json::object();  // merged over what is inherited by the caller beforehand
  nlohmann::json masking = nlohmann::json::object();
};

// Kind::exists, not_found (parent), refused (the parent is not ready), busy (the parent is held by a process that
// does not answer).
Result<Manifest> create_branch(Store& store, const std::string& name, const std::string& parent,
                               const CreateOptions& options);
// A root branch whose tree is in `stack` (import). `lock` spans the publication of the stack's newest element.
Result<Manifest> create_root(Store& store, const StoreLock& lock, const std::string& name, Manifest manifest);
Status rename_branch(Store& store, const std::string& from, const std::string& to);
// refused: protected or has children (named in the error); busy: open. Its data is moved to trash; nothing another
// branch can reach is (P10).
Status delete_branch(Store& store, const std::string& name, bool ignore_protection = false);
// Several in one transaction, children before their parents: the cost of one, for each a little. All or, where one is refused, none.
Status delete_branches(Store& store, std::span<const std::string> names, bool ignore_protection = false);
// The branch (not open) restarts from its parent's head. refused for a root.
Result<Manifest> reset_branch(Store& store, const std::string& name);
struct Head {
  std::vector<ObjectId> stack;  // newest first
  Ino next_ino;
};
// Whether `stack` stands, with further elements or none above it.
bool ends_with(const std::vector<ObjectId>& whole, const std::vector<ObjectId>& stack);
// The open delta of a branch (not open) joins its stack: what it shows becomes immutable, for others to start from.
// `change` alters the manifest in the same write. busy: open.
Result<Manifest> settle_branch(Store& store, const std::string& name, const std::function<Status(Manifest&)>& change);
// The branch (not open) shows another head from now on; what it had before is freed unless somebody else reaches it.
// `choose` picks a head among those of all branches, under the store lock, so that it stays reachable (P10); nullopt: nothing
// happens and the manifest comes back as it is. `change` alters the manifest in the same write.
Result<Manifest> replace_head(Store& store, const std::string& name,
                              const std::function<std::optional<Head>(const std::vector<BranchInfo>&)>& choose,
                              const std::function<Status(Manifest&)>& change);
// Changes fields of a manifest under the store lock.
Status update_manifest(Store& store, const std::string& name, const std::function<Status(Manifest&)>& change);
std::vector<std::string> children_of(const std::vector<BranchInfo>& all, ObjectId id);

}  // namespace branchfs
