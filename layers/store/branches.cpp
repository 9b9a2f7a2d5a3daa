#include "layers/store/branches.h"

#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "layers/delta/delta.h"
#include "layers/store/control.h"

namespace branchfs {
namespace {

using namespace std::chrono_literals;

constexpr auto kFreezeTimeout = 30s;      // of one freeze request
constexpr auto kHolderPatience = 5s;      // for a holder that does not answer yet (starting) or any more (ending)

Status require_ready(const std::string& name, const Manifest& manifest) {
  if (manifest.state == "ready") return {};
  return make_error(Kind::refused, fmt::format("branch \"{}\" is {}, not ready", name, manifest.state));
}

// Its open delta joins its stack; false when there is nothing in it.
Result<bool> push_open_delta(const Store& store, Manifest& manifest) {
  if (!manifest.delta.valid()) return false;
  BFS_ASSIGN(const bool empty, Delta::is_empty(store.env(), store.delta_dir(manifest.delta), manifest.delta));
  if (empty) return false;
  manifest.stack.insert(manifest.stack.begin(), manifest.delta);
  manifest.delta = {};
  return true;
}

// Nobody has the parent open for writing (we hold its lock). The manifest is the instant.
Result<Head> freeze_offline(Store& store, const StoreLock& lock, const std::string& name, Manifest manifest) {
  BFS_ASSIGN(const bool pushed, push_open_delta(store, manifest));
  if (pushed) BFS_TRY(store.write_manifest(lock, name, manifest));
  return Head{std::move(manifest.stack), manifest.next_ino};
}

Error error_from(const nlohmann::json& answer) {
  Error error;
  int kind = answer.value("kind", 1);
  error.kind = kind >= 1 && kind <= 7 ? static_cast<Kind>(kind) : Kind::failed;
  error.sys = answer.value("errno", 0);
  error.what = answer.value("error", std::string("the mount process answered with an error"));
  error.hint = answer.value("hint", std::string());
  return error;
}

Result<Head> freeze_live(Store& store, const std::string& name) {
  BFS_ASSIGN(nlohmann::json answer,
             control_call(store.branch_dir(name), {{"op", "freeze"}, {"name", name}}, kFreezeTimeout));
  try {
    if (!answer.value("ok", false)) return error_from(answer);
    Head head;
    for (const auto& element : answer.at("stack")) {
      BFS_ASSIGN(ObjectId id, ObjectId::parse(element.get<std::string>()));
      head.stack.push_back(id);
    }
    head.next_ino.v = answer.at("next_ino").get<std::uint64_t>();
    return head;
  } catch (const nlohmann::json::exception& e) {
    return make_error(Kind::failed, fmt::format("the mount process of \"{}\" answered nonsense: {}", name, e.what()));
  }
}

// The immutable head of a branch, and its manifest. Called with the store lock held.
Result<std::pair<Head, Manifest>> freeze(Store& store, const StoreLock& lock, const std::string& name) {
  BFS_ASSIGN(Manifest manifest, store.read_manifest(name));
  BFS_TRY(require_ready(name, manifest));
  // Shared: whoever only reads it may go on, since frozen or not its open delta stays as it is.
  auto held = store.lock_branch(name, LockMode::shared);
  if (held) {
    BFS_ASSIGN(Head head, freeze_offline(store, lock, name, manifest));
    return std::pair(std::move(head), std::move(manifest));
  }
  if (held.error().kind != Kind::busy) return std::move(held).error();
  BFS_ASSIGN(Head head, freeze_live(store, name));
  return std::pair(std::move(head), std::move(manifest));
}

bool may_pass(const Error& error) {
  return error.kind == Kind::busy && (error.sys == ECONNREFUSED || error.sys == ENOENT || error.sys == ECONNRESET);
}

// Runs `transaction` under the store lock; while the holder of a branch is just starting or ending (it may itself
// wait for the store lock) lets go of the lock and tries again.
template <class Transaction>
auto with_patience(Store& store, Transaction transaction) -> decltype(transaction(std::declval<const StoreLock&>())) {
  auto deadline = std::chrono::steady_clock::now() + kHolderPatience;
  for (;;) {
    {
      BFS_ASSIGN(StoreLock lock, store.lock());
      auto result = transaction(lock);
      if (result || !may_pass(result.error()) || std::chrono::steady_clock::now() >= deadline) return result;
    }
    std::this_thread::sleep_for(20ms);
  }
}

Status make_branch_dir(Store& store, const std::string& name) {
  Status made = store.env().make_dir(store.branch_dir(name), 0700);
  // A directory without a manifest is what a crashed create left: it is taken over.
  if (!made && made.error().sys != EEXIST) return made;
  return {};
}

Status publish(Store& store, const StoreLock& lock, const std::string& name, const Manifest& manifest) {
  BFS_TRY(make_branch_dir(store, name));
  // Made now: deleting the branch takes this lock, and must work where there is no room for a new file.
  auto made = store.env().open(store.branch_dir(name) + "/lock", O_RDWR | O_CREAT, 0600);
  Status written = made ? store.change(lock,
                                       [&]() -> Status {
                                         BFS_TRY(store.write_manifest(lock, name, manifest));
                                         return store.env().sync_dir(store.branches_dir());
                                       })
                        : Status(std::move(made).error());
  if (!written) ignore(store.remove_in_place(store.branch_dir(name)));  // the first error is the one to report
  return written;
}

Status require_free(Store& store, const std::string& name) {
  BFS_TRY(check_branch_name(name));
  BFS_ASSIGN(const bool taken, store.env().is_there(store.branch_dir(name) + "/manifest"));
  if (!taken) return {};
  return make_error(Kind::exists, fmt::format("branch \"{}\" exists already", name));
}

struct Listing {
  std::vector<BranchInfo> branches;
  bool is_complete = true;  // every branch could be read
};

Result<Listing> list_branches(const Store& store) {
  Listing listing;
  BFS_ASSIGN(listing.branches, store.list([&](const std::string&, const Error&) { listing.is_complete = false; }));
  return listing;
}

// Deltas of `manifest`, whose branch is gone or shows something else by now, that no other branch names go to trash. Its layers stay for
// gc, which knows dependencies. What is listed is durable.
Status trash_exclusive_deltas(Store& store, const Manifest& manifest, const Listing& listing) {
  if (!listing.is_complete) return {};  // nobody can say what the damaged branch needs
  auto is_shared = [&](ObjectId id) {
    return std::any_of(listing.branches.begin(), listing.branches.end(), [&](const BranchInfo& other) {
      const auto& stack = other.manifest.stack;
      return other.manifest.id != manifest.id && std::find(stack.begin(), stack.end(), id) != stack.end();
    });
  };
  if (manifest.delta.valid()) BFS_TRY(store.trash(store.delta_dir(manifest.delta)));
  for (ObjectId id : manifest.stack) {
    if (store.env().exists(store.delta_dir(id)) && !is_shared(id)) BFS_TRY(store.trash(store.delta_dir(id)));
  }
  return {};
}

}  // namespace

Result<Manifest> create_branch(Store& store, const std::string& name, const std::string& parent,
                               const CreateOptions& options) {
  BFS_TRY(check_branch_name(name));
  return with_patience(store, [&](const StoreLock& lock) -> Result<Manifest> {
    BFS_TRY(require_free(store, name));
    BFS_ASSIGN(auto frozen, freeze(store, lock, parent));
    auto& [head, parent_manifest] = frozen;
    Manifest child;
    child.id = store.env().new_id();
    child.parent = parent_manifest.id;
    child.parent_name = parent;
    child.stack = std::move(head.stack);
    child.next_ino = head.next_ino;
    child.created = store.env().now().tv_sec;
    child.expires = options.expires;
    child.is_protected = options.is_protected;
    child.state = options.state;
    child.origin = "branch";
    child.postgres = options.postgres;
    child.masking = options.masking.empty() ? parent_manifest.masking : options.masking;
    BFS_TRY(publish(store, lock, name, child));
    return child;
  });
}

Result<Manifest> create_root(Store& store, const StoreLock& lock, const std::string& name, Manifest manifest) {
  BFS_TRY(require_free(store, name));
  if (!manifest.id.valid()) manifest.id = store.env().new_id();
  if (manifest.created == 0) manifest.created = store.env().now().tv_sec;
  BFS_TRY(publish(store, lock, name, manifest));
  return manifest;
}

Status rename_branch(Store& store, const std::string& from, const std::string& to) {
  BFS_TRY(check_branch_name(from));
  BFS_ASSIGN(StoreLock lock, store.lock());
  BFS_ASSIGN(Manifest manifest, store.read_manifest(from));
  BFS_TRY(require_ready(from, manifest));
  BFS_TRY(require_free(store, to));
  BFS_ASSIGN(const bool left, store.env().is_there(store.branch_dir(to)));
  if (left) BFS_TRY(store.trash(store.branch_dir(to)));  // by a crashed create
  return store.change(lock, [&]() -> Status {
    // In between both names hold.
    BFS_TRY(store.write_manifest(lock, to, manifest, from));
    BFS_TRY(store.env().rename(store.branch_dir(from), store.branch_dir(to), 1U /* RENAME_NOREPLACE */));
    BFS_TRY(store.env().sync_dir(store.branches_dir()));
    return store.write_manifest(lock, to, manifest);
  });
}

std::vector<std::string> children_of(const std::vector<BranchInfo>& all, ObjectId id) {
  std::vector<std::string> names;
  for (const BranchInfo& info : all) {
    if (info.manifest.parent == id) names.push_back(info.name);
  }
  return names;
}

Status delete_branches(Store& store, std::span<const std::string> names, bool ignore_protection) {
  for (const std::string& name : names) BFS_TRY(check_branch_name(name));
  {
    BFS_ASSIGN(StoreLock lock, store.lock());
    BFS_ASSIGN(Listing others, list_branches(store));
    std::vector<Manifest> going;
    std::vector<BranchLock> held;
    for (const std::string& name : names) {
      BFS_ASSIGN(Manifest manifest, store.read_manifest(name));
      if (manifest.is_protected && !ignore_protection) {
        return make_error(Kind::refused, fmt::format("branch \"{}\" is protected", name),
                          fmt::format("branchfs protect --off {}", name));
      }
      std::erase_if(others.branches, [&](const BranchInfo& other) { return other.manifest.id == manifest.id; });
      if (auto children = children_of(others.branches, manifest.id); !children.empty()) {
        return make_error(Kind::refused, fmt::format("branch \"{}\" has children: {}", name, fmt::join(children, ", ")),
                          "delete them first, or use --recursive");
      }
      BFS_ASSIGN(BranchLock locked, store.lock_branch(name, LockMode::exclusive));
      held.push_back(std::move(locked));
      going.push_back(std::move(manifest));
    }
    const Status gone = store.change(lock, [&]() -> Status {
      for (const std::string& name : names) BFS_TRY(store.trash(store.branch_dir(name)));
      return store.env().sync_dir(store.branches_dir());
    });
    BFS_TRY(gone);
    BFS_TRY(store.settle(lock));
    for (const Manifest& manifest : going) BFS_TRY(trash_exclusive_deltas(store, manifest, others));
  }
  return store.empty_trash();
}

Status delete_branch(Store& store, const std::string& name, bool ignore_protection) {
  return delete_branches(store, std::span(&name, 1), ignore_protection);
}

namespace {

// `manifest` with its new head is published; what `before` alone could reach is freed.
Status move_head(Store& store, const StoreLock& lock, const std::string& name, Manifest before, const Manifest& manifest) {
  BFS_TRY(store.write_manifest(lock, name, manifest));
  // What the branch had before is unreachable now, unless it is in the new stack too.
  std::erase_if(before.stack, [&](ObjectId id) {
    return std::find(manifest.stack.begin(), manifest.stack.end(), id) != manifest.stack.end();
  });
  BFS_TRY(store.settle(lock));
  BFS_ASSIGN(const Listing all, list_branches(store));
  return trash_exclusive_deltas(store, before, all);
}

}  // namespace

bool ends_with(const std::vector<ObjectId>& whole, const std::vector<ObjectId>& stack) {
  return whole.size() >= stack.size() && std::equal(stack.rbegin(), stack.rend(), whole.rbegin());
}

Result<Manifest> settle_branch(Store& store, const std::string& name, const std::function<Status(Manifest&)>& change) {
  BFS_ASSIGN(const StoreLock lock, store.lock());
  BFS_ASSIGN(Manifest manifest, store.read_manifest(name));
  BFS_ASSIGN(const BranchLock held, store.lock_branch(name, LockMode::exclusive));
  BFS_TRY(push_open_delta(store, manifest));
  BFS_TRY(change(manifest));
  BFS_TRY(store.write_manifest(lock, name, manifest));
  return manifest;
}

Result<Manifest> replace_head(Store& store, const std::string& name,
                              const std::function<std::optional<Head>(const std::vector<BranchInfo>&)>& choose,
                              const std::function<Status(Manifest&)>& change) {
  Manifest manifest;
  {
    BFS_ASSIGN(const StoreLock lock, store.lock());
    BFS_ASSIGN(manifest, store.read_manifest(name));
    BFS_ASSIGN(const auto all, store.list());
    std::optional<Head> head = choose(all);
    if (!head) return manifest;
    BFS_ASSIGN(const BranchLock held, store.lock_branch(name, LockMode::exclusive));
    Manifest before = manifest;
    manifest.stack = std::move(head->stack);
    manifest.next_ino = head->next_ino;
    manifest.delta = {};
    BFS_TRY(change(manifest));
    BFS_TRY(move_head(store, lock, name, std::move(before), manifest));
  }
  BFS_TRY(store.empty_trash());
  return manifest;
}

Result<Manifest> reset_branch(Store& store, const std::string& name) {
  BFS_TRY(check_branch_name(name));
  auto result = with_patience(store, [&](const StoreLock& lock) -> Result<Manifest> {
    BFS_ASSIGN(Manifest manifest, store.read_manifest(name));
    if (!manifest.parent.valid()) {
      return make_error(Kind::refused, fmt::format("branch \"{}\" has no parent to go back to", name));
    }
    BFS_ASSIGN(auto all, store.list());
    auto parent = std::find_if(all.begin(), all.end(), [&](const BranchInfo& b) { return b.manifest.id == manifest.parent; });
    if (parent == all.end()) {
      return make_error(Kind::refused,
                        fmt::format("the parent of \"{}\", \"{}\", does not exist any more", name, manifest.parent_name));
    }
    if (manifest.state != kSalvaged) BFS_TRY(require_ready(name, manifest));
    // What is masked goes back to masked data only: its name has promised that.
    if (!manifest.masking.empty() && parent->manifest.masking.empty()) {
      return make_error(Kind::refused, fmt::format("branch \"{}\" is anonymized and its parent \"{}\" is not", name, parent->name));
    }
    BFS_ASSIGN(BranchLock held, store.lock_branch(name, LockMode::exclusive));
    BFS_ASSIGN(auto frozen, freeze(store, lock, parent->name));
    Manifest before = manifest;
    manifest.stack = std::move(frozen.first.stack);
    manifest.next_ino = frozen.first.next_ino;
    manifest.delta = {};
    manifest.state = "ready";
    manifest.parent_name = parent->name;
    // The parent may have been masked anew since: the child says what it shows.
    manifest.masking = frozen.second.masking;
    BFS_TRY(move_head(store, lock, name, std::move(before), manifest));
    return manifest;
  });
  if (result) BFS_TRY(store.empty_trash());
  return result;
}

Status update_manifest(Store& store, const std::string& name, const std::function<Status(Manifest&)>& change) {
  BFS_ASSIGN(StoreLock lock, store.lock());
  BFS_ASSIGN(Manifest manifest, store.read_manifest(name));
  BFS_TRY(change(manifest));
  return store.write_manifest(lock, name, manifest);
}

}  // namespace branchfs
