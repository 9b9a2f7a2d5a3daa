#include "tools/lifecycle/lifecycle.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <span>
#include <thread>
#include <unordered_set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "layers/jobs/jobs.h"
#include "layers/store/control.h"
#include "tools/interrupt.h"
#include "tools/pg/crash_safety.h"
#include "tools/pg/process.h"
#include "tools/pg/text.h"

namespace branchfs {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// The mount's process flushes what it holds before it lets go of the branch.
constexpr auto kReleasePatience = 60s;
constexpr auto kStatusTimeout = 2s;
// A server's processes close their files within this time once the postmaster is gone.
constexpr auto kBusyPatience = 3s;

std::string text_field(const nlohmann::json& object, const char* key) {
  if (!object.is_object()) return "";
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// Two commands that look at a lock at once see each other: only a holder that is alive and has said who it is counts
// as one at once, and what an earlier one wrote is no answer.
Result<nlohmann::json> living_holder(const Store& store, const std::string& name) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    if (attempt > 0) std::this_thread::sleep_for(3ms);
    BFS_ASSIGN(nlohmann::json holder, store.branch_holder(name));
    if (holder.is_null()) return holder;
    const auto pid = holder.find("pid");
    if (pid != holder.end() && pg::path_exists("/proc/" + pid->dump())) return holder;
  }
  return nlohmann::json::object();  // held by somebody who has not said so yet
}

// What the last process that had the branch open wrote into its lock, alive or not.
std::string last_mountpoint(const Store& store, const std::string& name) {
  auto text = store.env().read_file(store.branch_dir(name) + "/lock", 64U << 10U);
  if (!text) return "";
  return text_field(nlohmann::json::parse(*text, nullptr, false), "mountpoint");
}

Status wait_until_released(const Store& store, const std::string& name) {
  const auto deadline = Clock::now() + kReleasePatience;
  for (auto pause = 1ms; Clock::now() < deadline; pause = std::min(pause * 2, 50ms)) {
    BFS_ASSIGN(const nlohmann::json holder, store.branch_holder(name));
    if (holder.is_null()) return {};
    std::this_thread::sleep_for(pause);
  }
  return make_error(Kind::busy, "its mount process does not end", "look for mount.branchfs in the process list");
}

// A mount without its daemon, and a server without its mount, are of no use to anybody.
Status repair(const BranchInfo& branch, const BranchState& state) {
  if (state.mount != MountState::stale) return {};
  BFS_TRY(end_orphaned_server(branch.manifest));
  end_stranded_servers(state.mountpoint);
  return unmount(state.mountpoint, true);
}

Result<BranchInfo> read_branch(const Store& store, const std::string& name) {
  BFS_ASSIGN(Manifest manifest, store.read_manifest(name));
  return BranchInfo{name, std::move(manifest)};
}

Status require_ready(const BranchInfo& branch) {
  if (branch.manifest.state == "ready") return {};
  return make_error(Kind::refused, fmt::format("it is {}, not ready", branch.manifest.state));
}

// The helper's one line without its own "mount.branchfs: cannot mount X: " in front.
Error helper_error(const pg::Output& output) {
  std::string line = pg::last_lines(output.err, 1);
  for (const std::string_view lead : {"mount.branchfs: ", "branchfs: "}) {
    if (line.starts_with(lead)) line.erase(0, lead.size());
  }
  if (line.rfind("cannot mount ", 0) == 0) {
    if (const auto colon = line.find(": "); colon != std::string::npos) line.erase(0, colon + 2);
  }
  if (line.empty()) line = fmt::format("mount.branchfs ended with code {}", output.code);
  const bool known = output.code >= 1 && output.code <= 7 && output.code != static_cast<int>(Kind::usage);
  Error error = make_error(known ? static_cast<Kind>(output.code) : Kind::failed, line);
  if (!line.empty() && line.back() == ')') {
    if (const auto open = line.rfind(" ("); open != std::string::npos) {
      error.hint = line.substr(open + 2, line.size() - open - 3);
      error.what = line.substr(0, open);
    }
  }
  return error;
}

Status run_mount_helper(const Store& store, const std::string& name, const std::string& dir,
                        const MountRequest& request) {
  BFS_ASSIGN(const std::string helper, find_mount_helper());
  std::string options = "branch=" + name;
  if (request.read_only) options += ",ro";
  // Root's mounts are for the server's user, who is not root.
  if (::geteuid() == 0) options += ",allow_other";
  if (!request.options.empty()) options += "," + request.options;
  if (!request.sealed.empty()) options += ",sealed=" + request.sealed;
  if (request.keep_writes) options += ",writeback";
  pg::Command command;
  command.argv = {helper, store.dir(), dir, "-o", options};
  BFS_ASSIGN(const pg::Output output, pg::run(command));
  if (output.code == 0) return {};
  return helper_error(output);
}

// What the process behind the mount says of one thing; `otherwise` when it says nothing.
template <class T>
T mount_says(const Store& store, const std::string& name, const char* key, const T& otherwise) {
  const auto answer = control_call(store.branch_dir(name), {{"op", "status"}}, kStatusTimeout);
  return answer ? answer->value(key, otherwise) : otherwise;
}

// After a failed sync (a full disk) a branch takes no write until it is opened again (P2). One that is mounted read-only on
// purpose has no control socket.
bool turned_read_only(const Store& store, const std::string& name) {
  return mount_says(store, name, "read_only", false);
}

// One that does not answer may.
bool keeps_writes(const Store& store, const std::string& name) {
  return mount_says(store, name, "cache", std::string("writeback")) == "writeback";
}

// What cannot be asked promises nothing.
bool is_true(const Result<bool>& answer) { return answer.ok() && *answer; }

Status unmount_when_quiet(const std::string& mountpoint, bool urgent) {
  const auto deadline = Clock::now() + kBusyPatience;
  while (true) {
    auto done = unmount(mountpoint, false);
    if (done || done.error().kind != Kind::busy) return done;
    if (urgent) return unmount(mountpoint, true);
    if (Clock::now() > deadline) return done;
    std::this_thread::sleep_for(20ms);
  }
}

}  // namespace

Error explain_full_disk(const Store& store, Error said) {
  constexpr std::uint64_t kWalSegment = 16U << 20U;
  const auto space = store.env().space(store.dir());
  const bool is_full = space && space->f_bavail * space->f_frsize < kWalSegment;
  if (!is_full || said.kind != Kind::failed || means_full(said.sys)) return said;
  return Error{Kind::failed, ENOSPC, fmt::format("no space left in {}: {}", store.dir(), said.what), {}};
}

const char* BranchState::word() const {
  if (mount == MountState::stale) return "stale";
  if (mount != MountState::mounted) return held() ? "busy" : "offline";
  switch (server.state) {
    case pg::ServerState::starting: return "starting";
    case pg::ServerState::running: return "running";
    case pg::ServerState::stopping: return "stopping";
    case pg::ServerState::crashed: return "crashed";
    // Somebody else's mount may be closed to us; then there is nothing to say about a server.
    case pg::ServerState::unclear:
    case pg::ServerState::stopped: return "mounted";
  }
  return "mounted";
}

namespace {

// A branch that lost a write of the kernel's reads nothing any more (P8), its server's pid file neither: then it goes by the
// server's socket.
bool pid_file_is_lost(const BranchState& state) {
  return state.mount == MountState::mounted && state.server.state == pg::ServerState::unclear && state.server.started == 0;
}

Status end_server(const BranchInfo& branch, const BranchState& state, pg::StopMode mode) {
  Status ended = pg::stop_server(state.mountpoint, mode);
  if (ended || ended.error().sys != EIO) return ended;
  return end_orphaned_server(branch.manifest);
}

}  // namespace

Result<BranchState> observe(const Store& store, const BranchInfo& branch) {
  BranchState state;
  BFS_ASSIGN(state.holder, living_holder(store, branch.name));
  if (state.held()) {
    state.mountpoint = text_field(state.holder, "mountpoint");
    if (!state.mountpoint.empty()) state.mount = MountState::mounted;
  } else {
    for (const std::string& place : std::vector{last_mountpoint(store, branch.name), default_mountpoint(store, branch.name)}) {
      if (place.empty() || !is_dead_mount(place)) continue;
      state.mount = MountState::stale;
      state.mountpoint = place;
      state.server.pid = orphaned_server(branch.manifest).value_or(0);
      break;
    }
  }
  if (state.mount != MountState::mounted) return state;
  state.server = pg::server_status(state.mountpoint);
  if (pid_file_is_lost(state)) state.server.pid = orphaned_server(branch.manifest).value_or(0);
  return state;
}

namespace {

// The lock names a place where nothing is mounted: its process is on the way in, or out. So it is after a command that was killed
// half-way, or an umount by hand.
bool is_on_the_way(const BranchState& state) {
  if (state.mount != MountState::mounted || is_mountpoint(state.mountpoint)) return false;
  struct ::stat st {};
  return ::lstat(state.mountpoint.c_str(), &st) == 0 || errno == ENOENT;  // else it is closed to us, not away
}

// What the branch is like once that is over.
Result<BranchState> observe_settled(const Store& store, const BranchInfo& branch) {
  const auto deadline = Clock::now() + kReleasePatience;
  for (auto pause = 1ms;; pause = std::min(pause * 2, 50ms)) {
    BFS_ASSIGN(BranchState state, observe(store, branch));
    if (!is_on_the_way(state)) return state;
    if (Clock::now() > deadline) {
      return make_error(Kind::busy, fmt::format("process {} has it open, and nothing is mounted at {}", state.holder.value("pid", 0), state.mountpoint),
                        "end that process, or use the branch where it is mounted: in a container, for example");
    }
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace

Result<std::string> owner_options(const std::string& user) {
  if (user.empty() || ::geteuid() != 0) return std::string();
  BFS_ASSIGN(const pg::Identity identity, pg::identity_named(user));
  return fmt::format("uid={},gid={}", identity.uid, identity.gid);
}

Result<std::string> ensure_mounted(Store& store, const OperationLock& lock, const MountRequest& request) {
  BFS_ASSIGN(const BranchInfo branch, read_branch(store, lock.branch()));
  if (request.sealed.empty()) BFS_TRY(require_ready(branch));
  BFS_ASSIGN(const BranchState state, observe_settled(store, branch));
  BFS_TRY(repair(branch, state));
  if (state.mount == MountState::mounted) {
    if (!request.dir.empty() && request.dir != state.mountpoint) {
      return make_error(Kind::busy, "it is mounted at " + state.mountpoint,
                        fmt::format("branchfs umount {}", branch.name));
    }
    return state.mountpoint;
  }
  const bool chosen = !request.dir.empty();
  std::string dir = chosen ? request.dir : default_mountpoint(store, branch.name);
  if (is_dead_mount(dir)) BFS_TRY(unmount(dir, true));
  // After a rename the place may still be another branch's.
  if (!chosen && is_mountpoint(dir)) dir += "@" + branch.manifest.id.hex().substr(0, 8);
  BFS_TRY(make_mountpoint(dir, chosen));
  auto mounted = run_mount_helper(store, branch.name, dir, request);
  if (!mounted) {
    remove_default_mountpoint(store, dir);
    return std::move(mounted).error();
  }
  return dir;
}

Result<std::string> ensure_mounted_for_use(Store& store, const OperationLock& lock, const MountRequest& request,
                                           const Warn& warn) {
  BFS_ASSIGN(std::string mountpoint, ensure_mounted(store, lock, request));
  BFS_ASSIGN(const BranchInfo branch, read_branch(store, lock.branch()));
  if (auto done = configure_on(store, branch, mountpoint, warn); !done) {
    warn(fmt::format("it is mounted, but not ready for a server started by hand: {}", done.error().what));
  }
  return mountpoint;
}

Status ensure_unmounted(Store& store, const OperationLock& lock, bool urgent) {
  BFS_ASSIGN(const BranchInfo branch, read_branch(store, lock.branch()));
  BFS_ASSIGN(const BranchState state, observe(store, branch));
  BFS_TRY(repair(branch, state));
  if (state.serving() && !urgent) {
    return make_error(Kind::busy, fmt::format("a server runs on it (process {})", state.server.pid),
                      fmt::format("branchfs stop {}", branch.name));
  }
  if (state.mount == MountState::mounted) {
    BFS_TRY(unmount_when_quiet(state.mountpoint, urgent));
    BFS_TRY(wait_until_released(store, branch.name));
  } else if (state.held()) {
    return make_error(Kind::busy, fmt::format("process {} has it open", state.holder.value("pid", 0)),
                      "wait for it to end");
  }
  remove_default_mountpoint(store, state.mountpoint);
  return {};
}

Status require_closed(const Store& store, const std::string& name) {
  BFS_ASSIGN(const bool was_left, store.was_left_open(name));
  if (!was_left) return {};
  return make_error(Kind::failed, fmt::format("the mount process of \"{}\" ended before everything that was written to it was on the disk", name),
                    fmt::format("branchfs logs {} --mount may say why; what programs had synced is safe", name));
}

namespace {

// `reopened`: whatever the branch lost before is behind it.
Result<pg::Access> start_once(Store& store, const OperationLock& lock, const StartRequest& request, const Warn& warn, bool& reopened) {
  BFS_ASSIGN(const BranchInfo branch, read_branch(store, lock.branch()));
  BFS_ASSIGN(BranchState before, observe_settled(store, branch));
  if (before.serving() && turned_read_only(store, branch.name)) {
    BFS_TRY(end_server(branch, before, pg::StopMode::immediate));  // it can save nothing any more
    BFS_ASSIGN(before, observe(store, branch));
  }
  // A first start that was killed half-way: nobody knows the server's password yet, so nobody misses it.
  const bool unfinished = before.serving() && !facts_of(branch.manifest).prepared &&
                          is_started_by_branchfs(before.server.pid, before.mountpoint);
  if (unfinished) BFS_TRY(end_server(branch, before, pg::StopMode::immediate));
  if (before.serving() && !unfinished && before.server.state != pg::ServerState::unclear) {
    BFS_ASSIGN(const bool answers, wait_until_answers(before.mountpoint));
    if (!answers) {
      BFS_TRY(end_server(branch, before, pg::StopMode::fast));  // waits for one that is ending
      BFS_ASSIGN(before, observe(store, branch));
    }
  }
  if (before.serving() && !unfinished) {
    if (request.port != 0 && request.port != before.server.port) {
      return make_error(Kind::busy, fmt::format("it runs on port {}", before.server.port),
                        fmt::format("branchfs stop {}", branch.name));
    }
    if (!facts_of(branch.manifest).prepared) {
      return make_error(Kind::busy, fmt::format("a server started by hand runs on it (process {})", before.server.pid),
                        fmt::format("branchfs stop {}", branch.name));
    }
    BFS_ASSIGN(pg::Access access, access_of(store, branch));
    if (before.server.port != 0) access.port = before.server.port;
    return access;
  }
  MountRequest mount;
  BFS_ASSIGN(mount.options, owner_options(request.user.empty() ? recorded_user(branch.manifest) : request.user));
  const bool failed = before.mount == MountState::mounted && turned_read_only(store, branch.name);
  if (failed) BFS_TRY(ensure_unmounted(store, lock));
  if (failed || before.mount == MountState::stale) mount.dir = before.mountpoint;
  reopened = failed || before.mount != MountState::mounted;
  mount.keep_writes = true;
  BFS_ASSIGN(std::string mountpoint, ensure_mounted(store, lock, mount));
  if (reopened && !request.throw_away && !is_true(pg::survives_power_cut(mountpoint))) {
    // Only the mounted branch tells what its configuration says.
    BFS_TRY(ensure_unmounted(store, lock));
    mount.keep_writes = false;
    BFS_ASSIGN(mountpoint, ensure_mounted(store, lock, mount));
  }
  auto access = start_on(store, branch, mountpoint, request, warn);
  if (!access && turned_read_only(store, branch.name)) {
    access = explain_full_disk(store, Error(access.error()).context("a write could not be stored (branchfs logs --mount says why)"));
  }
  if (!access && before.mount != MountState::mounted) ignore(ensure_unmounted(store, lock, true));
  return access;
}

}  // namespace

Result<pg::Access> ensure_started(Store& store, const OperationLock& lock, const StartRequest& request, const Warn& warn) {
  bool reopened = false;
  auto access = start_once(store, lock, request, warn, reopened);
  // It was mounted, and what the kernel had kept from before could not be stored just now.
  if (!access && !reopened && turned_read_only(store, lock.branch())) access = start_once(store, lock, request, warn, reopened);
  return access;
}

Result<bool> ensure_stopped(Store& store, const OperationLock& lock, bool urgent) {
  BFS_ASSIGN(const BranchInfo branch, read_branch(store, lock.branch()));
  BFS_ASSIGN(const BranchState state, observe(store, branch));
  if (state.mount == MountState::stale) {
    BFS_TRY(end_orphaned_server(branch.manifest));
    return state.server.pid != 0;
  }
  if (!state.serving()) return false;
  BFS_TRY(end_server(branch, state, urgent ? pg::StopMode::immediate : pg::StopMode::fast));
  return true;
}

namespace {

// The parent's kernel keeps writes, and a server has its files open.
Status require_power_cut_safe(const Store& store, const BranchInfo& parent, const BranchState& state, Result<pg::Session>& session,
                              pg::CrashSafety& answer) {
  const auto safety = session ? pg::crash_safety_of(*session) : Result<pg::CrashSafety>(session.error());
  if (!safety) {
    return make_error(Kind::busy, fmt::format("the server of \"{}\" cannot be asked whether fsync is on: {}", parent.name, safety.error().what),
                      "try again, or stop it first");
  }
  answer = *safety;
  if (answer.survives_power_cut) return {};
  // `stop` unmounts the places that branchfs chose.
  const std::string umount = is_default_mountpoint(store, state.mountpoint) ? "" : fmt::format("branchfs umount {}, ", parent.name);
  return make_error(Kind::busy,
                    fmt::format("the server of \"{}\" runs without fsync or full_page_writes, and the kernel may still keep its writes",
                                parent.name),
                    fmt::format("branchfs stop {0}, {1}branchfs start {0}: then the kernel keeps none", parent.name, umount));
}

}  // namespace

Status prepare_parent(const Store& store, const BranchInfo& parent, bool checkpoint, const Warn& warn) {
  BFS_ASSIGN(BranchState state, observe(store, parent));
  const auto idle = [&state] {
    // Without a server nobody has files open, and at a file's close the kernel hands over what it kept.
    return state.mount != MountState::mounted || state.server.state == pg::ServerState::stopped ||
           state.server.state == pg::ServerState::crashed;
  };
  if (idle()) return {};
  const bool keeps = keeps_writes(store, parent.name);
  if (keeps && state.serving()) {
    BFS_ASSIGN(const bool answers, wait_until_answers(state.mountpoint));
    if (!answers) {
      BFS_ASSIGN(state, observe(store, parent));
    }
    if (idle()) return {};
  }
  checkpoint = checkpoint && state.server.state == pg::ServerState::running;
  if (!keeps && !checkpoint) return {};
  auto session = session_on(parent, state.mountpoint);
  pg::CrashSafety safety;
  if (keeps) BFS_TRY(require_power_cut_safe(store, parent, state, session, safety));
  if (checkpoint || (safety.reloaded && !safety.checkpointed)) {
    const Status done = session ? session->execute("CHECKPOINT") : Status(session.error());
    if (!done) warn(fmt::format("no checkpoint in \"{}\", the first start takes longer: {}", parent.name, done.error().what));
  }
  // While fsync was off a checkpoint did not sync what it relies on, and pages that the log does not hold whole may be there in part.
  if (safety.reloaded) BFS_TRY(hand_over_writes(state.mountpoint));
  return {};
}

Status take_down(Store& store, const OperationLock& lock, bool urgent) {
  BFS_TRY(ensure_stopped(store, lock, urgent));
  return ensure_unmounted(store, lock, urgent);
}

namespace {

bool leaves_layers(const Store& store, const std::vector<BranchInfo>& gone, const std::vector<BranchInfo>& others) {
  std::unordered_set<ObjectId> of_others;
  for (const BranchInfo& other : others) of_others.insert(other.manifest.stack.begin(), other.manifest.stack.end());
  return std::any_of(gone.begin(), gone.end(), [&](const BranchInfo& branch) {
    return std::any_of(branch.manifest.stack.begin(), branch.manifest.stack.end(),
                       [&](ObjectId id) { return !of_others.contains(id) && store.env().exists(store.layer_path(id)); });
  });
}

}  // namespace

Status remove_branch(Store& store, const std::string& name, const RemoveOptions& options) {
  return remove_branches(store, std::span(&name, 1), options);
}

Status remove_branches(Store& store, std::span<const std::string> names, const RemoveOptions& options) {
  std::vector<OperationLock> locks;
  std::vector<BranchInfo> going;
  std::vector<std::string> wanted;
  for (const std::string& name : names) {
    BFS_ASSIGN(OperationLock lock, OperationLock::acquire(store, name));
    BFS_ASSIGN(BranchInfo branch, read_branch(store, name));
    if (options.only_if && !options.only_if(branch.manifest)) continue;
    if (branch.manifest.is_protected && !options.ignore_protection) {
      return make_error(Kind::refused, "it is protected", fmt::format("branchfs protect {} --off", name));
    }
    locks.push_back(std::move(lock));
    going.push_back(std::move(branch));
    wanted.push_back(name);
  }
  if (going.empty()) return {};
  BFS_ASSIGN(std::vector<BranchInfo> others, store.list());
  for (const BranchInfo& branch : going) {
    std::erase_if(others, [&](const BranchInfo& other) { return other.manifest.id == branch.manifest.id; });
    if (const auto children = children_of(others, branch.manifest.id); !children.empty()) {
      return make_error(Kind::refused, fmt::format("it has children: {}", fmt::join(children, ", ")),
                        "delete them first, or use --recursive");
    }
  }
  for (const OperationLock& lock : locks) BFS_TRY(take_down(store, lock, options.urgent));
  BFS_TRY(delete_branches(store, wanted, options.ignore_protection));
  for (const BranchInfo& branch : going) {
    remove_runtime_files(store, branch.manifest);
    const std::string entry = store.reap_dir() + "/" + branch.manifest.id.hex();
    if (branch.manifest.expires != 0) ignore(store.env().unlink(entry));  // else reaped later
  }
  // Layers are freed by gc alone, which knows what depends on them; it is worth its time only when some may be free now. Where it
  // refuses (another branch is damaged) the branches are deleted all the same, and `branchfs gc` says why.
  if (leaves_layers(store, going, others)) ignore(collect_garbage(store));
  return {};
}

}  // namespace branchfs
