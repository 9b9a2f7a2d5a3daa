// How commands find a branch by the name a user typed, and how they show it.
//
// The JSON of a branch is the same wherever it appears (create, list, show, start, status):
//   {"name","id","parent": NAME|null,"origin","created": UTC,"expires": UTC|null,"protected": bool,
//    "state": "offline|mounted|running|crashed|stale|busy" or the manifest's state when it is not "ready",
//    "mountpoint": PATH|null,"own_bytes": N,"port": N|null}
// Fields are added, never renamed. Plain functions, any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "layers/store/branches.h"
#include "tools/lifecycle/lifecycle.h"

namespace branchfs {

// The branch, or not_found with the name that was probably meant.
Result<BranchInfo> find_branch(const Store& store, const std::string& name);
// The one root branch of the store: where `create` and `run` start from unless told otherwise. usage when there is none
// or a choice.
Result<std::string> default_parent(const Store& store);

// Host bytes of the branch's open delta: what it costs by itself.
std::uint64_t own_bytes(const Store& store, const Manifest& manifest);

struct BranchView {
  BranchInfo branch;
  std::string parent;  // its present name, "" for a root
  std::string state;
  std::string mountpoint;
  std::uint64_t own = 0;
};
// `parents` maps branch ids to names; without it a branch's parent is looked up by id.
Result<BranchView> view_branch(const Store& store, const BranchInfo& branch,
                               const std::map<ObjectId, std::string>* parents = nullptr);
nlohmann::json to_json(const BranchView& view);

}  // namespace branchfs
