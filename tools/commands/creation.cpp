#include "tools/commands/creation.h"

#include <fmt/format.h>

#include "tools/commands/branch_view.h"
#include "tools/interrupt.h"
#include "tools/lifecycle/auto_pack.h"
#include "tools/lifecycle/reap.h"

namespace branchfs {

namespace {

Status check_same_parent(const Store& store, const NewBranch& wanted) {
  BFS_ASSIGN(const BranchInfo existing, find_branch(store, wanted.name));
  if (wanted.parent.empty()) return {};
  BFS_ASSIGN(const BranchInfo parent, find_branch(store, wanted.parent));
  if (existing.manifest.parent == parent.manifest.id) return {};
  const std::string& actual = existing.manifest.parent_name;
  return make_error(Kind::exists,
                    actual.empty() ? std::string("it exists and has no parent")
                                   : fmt::format("it exists with another parent, \"{}\"", actual),
                    "choose another name, or delete it first");
}

}  // namespace

Result<bool> make_branch(Store& store, const NewBranch& wanted,
                         const std::function<void(const std::string&)>& warn) {
  if (store.has_branch(wanted.name)) {
    if (!wanted.if_not_exists) {
      return make_error(Kind::exists, "it exists already", "--if-not-exists accepts that");
    }
    BFS_TRY(check_same_parent(store, wanted));
    return false;
  }
  BFS_ASSIGN(const BranchInfo parent, find_branch(store, wanted.parent));
  if (wanted.checkpoint) {
    auto done = checkpoint_branch(store, parent);
    if (!done) {
      warn(fmt::format("no checkpoint in \"{}\", the first start takes longer: {}", parent.name, done.error().what));
    }
  }
  BFS_TRY(Interrupt::check());
  CreateOptions options;
  options.is_protected = wanted.is_protected;
  options.postgres = inherited_facts(parent.manifest);
  if (wanted.ttl > 0) options.expires = store.env().now().tv_sec + wanted.ttl;
  auto made = create_branch(store, wanted.name, parent.name, options);
  if (!made) {
    // Somebody else was faster by a moment.
    if (made.error().kind != Kind::exists || !wanted.if_not_exists) return std::move(made).error();
    BFS_TRY(check_same_parent(store, wanted));
    return false;
  }
  if (made->expires != 0) {
    auto scheduled = schedule_expiry(store, wanted.name, *made);
    if (!scheduled) warn("it will expire only after the next gc: " + scheduled.error().what);
  }
  pack_when_deep(store, parent.name, made->stack);
  return true;
}

}  // namespace branchfs
