#include "tools/commands/creation.h"

#include <optional>

#include <fmt/format.h>

#include "tools/commands/branch_view.h"
#include "tools/interrupt.h"
#include "tools/lifecycle/auto_pack.h"
#include "tools/lifecycle/reap.h"
#include "tools/mask/engine/run.h"

namespace branchfs {

namespace {

Result<bool> has_rules(const Manifest& existing, const mask::Rules& rules) {
  if (existing.masking.value("rules_hash", "") != rules.set.hash) return false;
  BFS_ASSIGN(const mask::Key key, mask::Key::load(rules.set.key, rules.directory));
  if (key.ephemeral()) return existing.masking.value("key", "") == key.spec();
  return existing.masking.value("key_id", "") == key.id();
}

Status check_same_rules(const NewBranch& wanted, const Manifest& existing, const mask::Rules* rules) {
  // A child of a masked branch is masked without rules of its own.
  const std::string hash = mask::is_masked_root(existing) ? existing.masking.value("rules_hash", "") : "";
  if (rules == nullptr && hash.empty()) return {};
  if (rules != nullptr && !hash.empty()) {
    BFS_ASSIGN(const bool same, has_rules(existing, *rules));
    if (same) return {};
  }
  const char* why = rules == nullptr ? "it exists and is anonymized by rules"
                    : hash.empty()   ? "it exists and is not anonymized by these rules"
                                     : "it exists with other rules or another key";
  return make_error(Kind::exists, why, fmt::format("choose another name, or branchfs delete {}", wanted.name));
}

Status check_same(const Store& store, const NewBranch& wanted, const mask::Rules* rules) {
  BFS_ASSIGN(const BranchInfo existing, find_branch(store, wanted.name));
  BFS_TRY(check_same_rules(wanted, existing.manifest, rules));
  if (existing.manifest.state != "ready") {
    return make_error(Kind::busy, fmt::format("it is {}: another command is making it", existing.manifest.state), "wait for it");
  }
  if (wanted.parent.empty()) return {};
  BFS_ASSIGN(const BranchInfo parent, find_branch(store, wanted.parent));
  if (existing.manifest.parent == parent.manifest.id) return {};
  const std::string& actual = existing.manifest.parent_name;
  return make_error(Kind::exists,
                    actual.empty() ? std::string("it exists and has no parent")
                                   : fmt::format("it exists with another parent, \"{}\"", actual),
                    "choose another name, or delete it first");
}

Result<Manifest> make_masked(Context& context, const std::shared_ptr<Store>& store, const NewBranch& wanted,
                             const BranchInfo& parent, const CreateOptions& options, const mask::Rules& rules) {
  ProgressReporter progress(context.progress_style());
  const mask::Surroundings around{store, progress, context.warner()};
  // Its time begins when it is ready.
  CreateOptions later = options;
  later.expires = 0;
  auto made = mask::anonymize(around, wanted.name, parent.name, later, rules);
  progress.finish();
  if (!made) return std::move(made).error();
  Manifest manifest = *std::move(made);
  if (wanted.ttl == 0) return manifest;
  manifest.expires = store->env().now().tv_sec + wanted.ttl;
  BFS_TRY(update_manifest(*store, wanted.name, [&](Manifest& present) -> Status {
    present.expires = manifest.expires;
    return {};
  }));
  return manifest;
}

}  // namespace

Result<bool> make_branch(Context& context, const std::shared_ptr<Store>& shared, const NewBranch& wanted) {
  Store& store = *shared;
  std::optional<mask::Rules> rules;
  if (!wanted.anonymized.empty()) {
    BFS_ASSIGN(rules, mask::load_rules(wanted.anonymized));
  }
  const mask::Rules* rules_or_none = rules ? &*rules : nullptr;
  if (store.has_branch(wanted.name)) {
    if (!wanted.if_not_exists) {
      return make_error(Kind::exists, "it exists already", "--if-not-exists accepts that");
    }
    BFS_TRY(check_same(store, wanted, rules_or_none));
    return false;
  }
  BFS_ASSIGN(const BranchInfo parent, find_branch(store, wanted.parent));
  BFS_TRY(prepare_parent(store, parent, wanted.checkpoint, context.warner()));
  BFS_TRY(Interrupt::check());
  CreateOptions options;
  options.is_protected = wanted.is_protected;
  options.postgres = inherited_facts(parent.manifest);
  if (wanted.ttl > 0) options.expires = store.env().now().tv_sec + wanted.ttl;
  auto made = rules ? make_masked(context, shared, wanted, parent, options, *rules)
                    : create_branch(store, wanted.name, parent.name, options);
  if (!made) {
    // Somebody else was faster by a moment.
    if (made.error().kind != Kind::exists || !wanted.if_not_exists) return std::move(made).error();
    BFS_TRY(check_same(store, wanted, rules_or_none));
    return false;
  }
  if (made->expires != 0) {
    auto scheduled = schedule_expiry(store, wanted.name, *made);
    if (!scheduled) context.warn("it will expire only after the next gc: " + scheduled.error().what);
  }
  pack_when_deep(store, parent.name, made->stack);
  return true;
}

}  // namespace branchfs
