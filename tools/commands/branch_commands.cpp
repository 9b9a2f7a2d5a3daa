// create, rename, delete, protect, expire, reset: branches come, change their fate and go.
#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "tools/command_line.h"
#include "tools/commands/branch_view.h"
#include "tools/commands/commands.h"
#include "tools/commands/creation.h"
#include "tools/interrupt.h"
#include "tools/lifecycle/reap.h"
#include "tools/mask/engine/run.h"
#include "tools/text.h"

namespace branchfs {

namespace {

constexpr const char* kGroup = "Branches";

struct CreateArguments {
  std::string name;
  std::string from;
  std::string ttl;
  bool if_not_exists = false;
  bool is_protected = false;
  bool mount = false;
  bool start = false;
  bool no_checkpoint = false;
  std::string anonymized;
};

// What `create` prints: the name, with --mount where it is, with --start the URL.
Status report_creation(Context& context, Store& store, const CreateArguments& arguments, bool created,
                       const std::string& mountpoint, const pg::Access& access) {
  nlohmann::json json;
  if (context.options.json) {
    BFS_ASSIGN(const BranchInfo branch, find_branch(store, arguments.name));
    BFS_ASSIGN(const BranchView view, view_branch(store, branch));
    json = to_json(view);
    json["new"] = created;
    if (arguments.start) json["url"] = pg::make_url(access);
  }
  context.print([&] { return json; },
                [&] { return arguments.start ? pg::make_url(access) : (arguments.mount ? mountpoint : arguments.name); });
  return {};
}

Result<int> create(Context& context, const CreateArguments& arguments) {
  BFS_TRY(check_branch_name(arguments.name));
  NewBranch wanted;
  wanted.name = arguments.name;
  wanted.checkpoint = !arguments.no_checkpoint;
  wanted.if_not_exists = arguments.if_not_exists;
  wanted.is_protected = arguments.is_protected;
  wanted.anonymized = arguments.anonymized;
  if (!arguments.ttl.empty()) {
    BFS_ASSIGN(wanted.ttl, parse_duration(arguments.ttl));
  }
  BFS_ASSIGN(const auto store, context.open_store());
  wanted.parent = arguments.from;
  if (wanted.parent.empty() && !(wanted.if_not_exists && store->has_branch(wanted.name))) {
    BFS_ASSIGN(wanted.parent, default_parent(*store));
  }
  const Interrupt interrupt;
  BFS_ASSIGN(const bool created, make_branch(context, store, wanted));
  std::string mountpoint;
  pg::Access access;
  auto brought_up = [&]() -> Status {
    if (!arguments.mount && !arguments.start) return {};
    BFS_ASSIGN(const OperationLock lock, OperationLock::acquire(*store, wanted.name));
    if (arguments.start) {
      BFS_ASSIGN(access, ensure_started(*store, lock, {}, context.warner()));
    } else {
      BFS_ASSIGN(mountpoint, ensure_mounted_for_use(*store, lock, {}, context.warner()));
    }
    return Interrupt::check();
  }();
  if (!brought_up) {
    // Nothing half-made: who asked for a started branch has none.
    if (created) {
      auto removed = remove_branch(*store, wanted.name, {.urgent = true, .ignore_protection = true, .only_if = {}});
      if (!removed) context.warn(fmt::format("cannot delete branch \"{}\": {}", wanted.name, removed.error().what));
    }
    return std::move(brought_up).error();
  }
  BFS_TRY(report_creation(context, *store, arguments, created, mountpoint, access));
  return 0;
}

Result<int> rename(Context& context, const std::string& from, const std::string& to) {
  BFS_TRY(check_branch_name(to));
  BFS_ASSIGN(const auto store, context.open_store());
  BFS_ASSIGN(BranchInfo branch, find_branch(*store, from));
  BFS_ASSIGN(const OperationLock lock, OperationLock::acquire(*store, from));
  BFS_ASSIGN(const BranchState state, observe(*store, branch));
  if (state.held()) {
    return make_error(Kind::busy, fmt::format("it is {}", state.word()),
                      fmt::format("branchfs {} {}", state.serving() ? "stop" : "umount", from));
  }
  BFS_TRY(take_down(*store, lock, false));
  BFS_TRY(rename_branch(*store, from, to));
  BFS_TRY(schedule_expiry(*store, to, branch.manifest));
  branch.name = to;
  BFS_ASSIGN(const BranchView view, view_branch(*store, branch));
  context.print([&] { return to_json(view); }, [&] { return to; });
  return 0;
}

// The branch and all that descend from it, children before their parents.
void collect_family(const std::vector<BranchInfo>& all, const BranchInfo& root, std::vector<BranchInfo>& family) {
  for (const BranchInfo& branch : all) {
    if (branch.manifest.parent == root.manifest.id) collect_family(all, branch, family);
  }
  family.push_back(root);
}

// A descendant of `root` that somebody else deletes meanwhile is what was wanted.
Status remove_all(Store& store, std::span<const std::string> names, const std::string& root) {
  Status removed = remove_branches(store, names, {});
  if (removed || removed.error().kind != Kind::not_found) return removed;
  for (const std::string& name : names) {
    removed = remove_branch(store, name, {});
    if (!removed && (removed.error().kind != Kind::not_found || name == root)) return removed;
  }
  return {};
}

Result<int> remove(Context& context, const std::string& name, bool recursive) {
  BFS_ASSIGN(const auto store, context.open_store());
  BFS_ASSIGN(const BranchInfo root, find_branch(*store, name));
  std::vector<BranchInfo> family{root};
  if (recursive) {
    BFS_ASSIGN(const std::vector<BranchInfo> all, store->list());
    family.clear();
    collect_family(all, root, family);
  }
  for (const BranchInfo& branch : family) {
    if (!branch.manifest.is_protected) continue;
    return make_error(Kind::refused, fmt::format("branch \"{}\" is protected", branch.name),
                      fmt::format("branchfs protect {} --off", branch.name));
  }
  const Interrupt interrupt;
  std::vector<std::string> gone;
  for (const BranchInfo& branch : family) gone.push_back(branch.name);
  for (std::span<const std::string> left(gone); !left.empty();) {
    constexpr std::size_t kAtOnce = 16;  // each holds two locks, and is taken down before an interruption counts
    BFS_TRY(Interrupt::check());
    const auto part = left.first(std::min(left.size(), kAtOnce));
    BFS_TRY(remove_all(*store, part, name));
    left = left.subspan(part.size());
  }
  context.print([&] { return nlohmann::json{{"deleted", gone}}; },
                [&] {
                  std::string text;
                  for (const std::string& branch : gone) text += "deleted " + branch + "\n";
                  return text;
                });
  return 0;
}

Result<int> show_changed(Context& context, Store& store, const std::string& name, const std::string& text) {
  if (!context.options.json) {
    context.print({}, [&] { return text; });
    return 0;
  }
  BFS_ASSIGN(const BranchInfo branch, find_branch(store, name));
  BFS_ASSIGN(const BranchView view, view_branch(store, branch));
  context.print([&] { return to_json(view); }, {});
  return 0;
}

Result<int> protect(Context& context, const std::string& name, bool off) {
  BFS_ASSIGN(const auto store, context.open_store());
  BFS_TRY(find_branch(*store, name));
  BFS_TRY(update_manifest(*store, name, [&](Manifest& manifest) -> Status {
    manifest.is_protected = !off;
    return {};
  }));
  return show_changed(context, *store, name, name + (off ? " is no longer protected" : " is protected"));
}

Result<int> expire(Context& context, const std::string& name, const std::string& ttl, bool never) {
  std::int64_t seconds = 0;
  if (!never) {
    BFS_ASSIGN(seconds, parse_duration(ttl));
  }
  BFS_ASSIGN(const auto store, context.open_store());
  BFS_TRY(find_branch(*store, name));
  // Under the operation lock, so that a reaper which has already decided sees the new time.
  BFS_ASSIGN(const OperationLock lock, OperationLock::acquire(*store, name));
  Manifest changed;
  BFS_TRY(update_manifest(*store, name, [&](Manifest& manifest) -> Status {
    manifest.expires = never ? 0 : store->env().now().tv_sec + seconds;
    changed = manifest;
    return {};
  }));
  BFS_TRY(schedule_expiry(*store, name, changed));
  return show_changed(context, *store, name,
                      never ? name + " never expires" : name + " expires " + format_time(changed.expires));
}

Result<BranchInfo> parent_of(const Store& store, const Manifest& manifest) {
  BFS_ASSIGN(const std::string name, store.name_of(manifest.parent));
  return find_branch(store, name);
}

Result<int> reset(Context& context, const std::string& name, bool no_checkpoint) {
  BFS_ASSIGN(const auto store, context.open_store());
  BFS_ASSIGN(const BranchInfo branch, find_branch(*store, name));
  if (!branch.manifest.parent.valid()) {
    return make_error(Kind::refused, "it has no parent to go back to", "import it again under another name");
  }
  if (branch.manifest.is_protected) {
    return make_error(Kind::refused, "it is protected", fmt::format("branchfs protect {} --off", name));
  }
  if (const auto parent = parent_of(*store, branch.manifest)) {  // one that is gone is for reset_branch() to report
    BFS_TRY(prepare_parent(*store, *parent, !no_checkpoint, context.warner()));
  }
  const Interrupt interrupt;
  BFS_ASSIGN(const OperationLock lock, OperationLock::acquire(*store, name));
  // While this waited for the lock it may have been masked, or made anew.
  BFS_ASSIGN(const BranchInfo present, find_branch(*store, name));
  if (present.manifest.id != branch.manifest.id) {
    return make_error(Kind::busy, "another command made it anew meanwhile", "try again");
  }
  BFS_ASSIGN(const BranchState before, observe(*store, present));
  BFS_TRY(take_down(*store, lock, true));
  if (mask::is_masked_root(present.manifest)) {
    ProgressReporter progress(context.progress_style());
    BFS_TRY(mask::mask_again({store, progress, context.warner()}, name));
  } else {
    BFS_TRY(reset_branch(*store, name));
  }
  BFS_TRY(forget_preparation(*store, name));
  // Back to the state it was found in; a dead server or mount counts as what it was meant to be.
  const bool was_running = before.server.pid != 0 || before.server.state == pg::ServerState::crashed;
  if (before.mount != MountState::none) {
    MountRequest request;
    request.dir = before.mountpoint;
    BFS_TRY(ensure_mounted_for_use(*store, lock, request, context.warner()));
  }
  if (was_running) BFS_TRY(ensure_started(*store, lock, {}, context.warner()));
  return show_changed(context, *store, name, name);
}

void add_create(CommandLine& line) {
  auto arguments = std::make_shared<CreateArguments>();
  CLI::App& app = line.add("create", "Branch off", kGroup,
                           "  branchfs create dev1 --from prod --start\n"
                           "  branchfs create staging --from prod --anonymized rules.json\n"
                           "  branchfs create preview/pr-123 --from staging --if-not-exists --ttl 3d --start\n");
  app.add_option("NAME", arguments->name, "The new branch")->required();
  app.add_option("--from", arguments->from, "Its parent (default: the store's only root)")->type_name("PARENT");
  app.add_option("--anonymized", arguments->anonymized, "Mask it by these rules, with proof")->type_name("RULES");
  app.add_flag("--if-not-exists", arguments->if_not_exists, "Fine if it exists with the same parent and rules");
  app.add_option("--ttl", arguments->ttl, "Delete it after: 90s, 2h, 3d")->type_name("TIME");
  app.add_flag("--protected", arguments->is_protected, "Refuse to delete it");
  app.add_flag("--mount", arguments->mount, "Mount it, print where");
  app.add_flag("--start", arguments->start, "Mount it, start its server, print the URL");
  app.add_flag("--no-checkpoint", arguments->no_checkpoint, "No CHECKPOINT in a running parent first");
  line.bind({&app, "create", [arguments] { return fmt::format("branch \"{}\"", arguments->name); },
             [arguments](Context& context) { return create(context, *arguments); }});
}

void add_rename(CommandLine& line) {
  auto from = std::make_shared<std::string>();
  auto to = std::make_shared<std::string>();
  CLI::App& app = line.add("rename", "Give a branch another name", kGroup, "  branchfs rename dev1 dev-old\n");
  app.add_option("NAME", *from, "The branch")->required();
  app.add_option("NEW", *to, "Its new name")->required();
  line.bind({&app, "rename", branch_object(from),
             [from, to](Context& context) { return rename(context, *from, *to); }});
}

void add_delete(CommandLine& line) {
  auto name = std::make_shared<std::string>();
  auto recursive = std::make_shared<bool>(false);
  CLI::App& app = line.add("delete", "Stop, unmount and delete a branch", kGroup,
                           "  branchfs delete dev1\n  branchfs delete staging --recursive\n");
  app.add_option("NAME", *name, "The branch")->required();
  app.add_flag("-r,--recursive", *recursive, "And every branch that descends from it");
  line.bind({&app, "delete", branch_object(name),
             [name, recursive](Context& context) { return remove(context, *name, *recursive); }});
}

void add_protect(CommandLine& line) {
  auto name = std::make_shared<std::string>();
  auto off = std::make_shared<bool>(false);
  CLI::App& app = line.add("protect", "Refuse to delete or reset a branch", kGroup, "  branchfs protect staging\n");
  app.add_option("NAME", *name, "The branch")->required();
  app.add_flag("--off", *off, "Allow it again");
  line.bind({&app, "protect", branch_object(name),
             [name, off](Context& context) { return protect(context, *name, *off); }});
}

void add_expire(CommandLine& line) {
  auto name = std::make_shared<std::string>();
  auto ttl = std::make_shared<std::string>();
  auto never = std::make_shared<bool>(false);
  CLI::App& app = line.add("expire", "Set when a branch is deleted by itself", kGroup,
                           "  branchfs expire preview/pr-123 --ttl 12h\n  branchfs expire dev1 --never\n");
  app.add_option("NAME", *name, "The branch")->required();
  auto* when = app.add_option_group("When", "Exactly one of");
  when->add_option("--ttl", *ttl, "After this time from now: 90s, 2h, 3d")->type_name("TIME");
  when->add_flag("--never", *never, "Not by itself");
  when->require_option(1);
  line.bind({&app, "expire", branch_object(name),
             [name, ttl, never](Context& context) { return expire(context, *name, *ttl, *never); }});
}

void add_reset(CommandLine& line) {
  auto name = std::make_shared<std::string>();
  auto no_checkpoint = std::make_shared<bool>(false);
  CLI::App& app = line.add("reset", "Go back to the parent's present data", kGroup,
                           "  branchfs reset dev1      # same port, password and URL\n");
  app.add_option("NAME", *name, "The branch")->required();
  app.add_flag("--no-checkpoint", *no_checkpoint, "No CHECKPOINT in a running parent first");
  line.bind({&app, "reset", branch_object(name),
             [name, no_checkpoint](Context& context) { return reset(context, *name, *no_checkpoint); }});
}

}  // namespace

void add_branch_commands(CommandLine& line) {
  add_create(line);
  add_rename(line);
  add_delete(line);
  add_protect(line);
  add_expire(line);
  add_reset(line);
}

}  // namespace branchfs
