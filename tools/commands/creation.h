// Making a branch, as `create` and `run` do it: the checkpoint before, the ttl's entry after.
//
// Plain functions; any thread. Cost: one manifest read and what create_branch() costs; nothing here grows with the number
// of branches (P5).
#pragma once

#include <functional>
#include <string>

#include "layers/store/branches.h"

namespace branchfs {

struct NewBranch {
  std::string name;
  std::string parent;  // may be empty with if_not_exists, when the branch exists
  std::int64_t ttl = 0;  // seconds; 0: for ever
  bool is_protected = false;
  bool if_not_exists = false;
  bool checkpoint = true;  // ask a running parent for one, so that the child's recovery is short
};

// True when it was made, false when it existed (if_not_exists). exists: also when the existing one has another parent.
Result<bool> make_branch(Store& store, const NewBranch& wanted,
                         const std::function<void(const std::string&)>& warn);

}  // namespace branchfs
