// Making a branch, as `create` and `run` do it: the checkpoint before, the ttl's entry after.
//
// Plain functions; any thread. Cost: one manifest read and what create_branch() costs; nothing here grows with the number
// of branches (P5).
#pragma once

#include <memory>
#include <string>

#include "layers/store/branches.h"
#include "tools/context.h"

namespace branchfs {

struct NewBranch {
  std::string name;
  std::string parent;  // may be empty with if_not_exists, when the branch exists
  std::int64_t ttl = 0;  // seconds; 0: for ever
  bool is_protected = false;
  bool if_not_exists = false;
  std::string anonymized;      // a rule file; empty: as its parent is
  bool checkpoint = true;  // ask a running parent for one, so that the child's recovery is short
};

// True when it was made, false when it existed (if_not_exists). exists: also when the existing one has another parent or other
// rules. With rules it returns when the branch is masked and proven.
Result<bool> make_branch(Context& context, const std::shared_ptr<Store>& store, const NewBranch& wanted);

}  // namespace branchfs
