#include "tools/lifecycle/server.h"

#include <signal.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "tools/interrupt.h"
#include "tools/pg/credentials.h"
#include "tools/pg/tablespaces.h"
#include "tools/pg/text.h"

namespace branchfs {

namespace {

using namespace std::chrono_literals;

constexpr const char* kRunAs = "run_as";
// Crash recovery of a large, busy parent's copy may replay gigabytes of WAL.
constexpr auto kStartPatience = 10min;

// Whatever else is in the object stays: it may be a newer version's.
void keep_facts(Manifest& manifest, const pg::Facts& facts) {
  if (!manifest.postgres.is_object()) manifest.postgres = nlohmann::json::object();
  manifest.postgres.update(pg::to_json(facts));
}

std::string password_file(const Store& store, const std::string& name) { return store.branch_dir(name) + "/password"; }

Result<std::string> ensure_password(const Store& store, const std::string& name, bool& made) {
  made = false;
  const std::string path = password_file(store, name);
  BFS_ASSIGN(const bool has_one, store.env().is_there(path));
  if (has_one) return pg::load_secret(path);
  BFS_ASSIGN(std::string password, pg::generate_password());
  BFS_TRY(pg::store_secret(path, password));
  made = true;
  return password;
}

// The branch's port, chosen and reserved now if it has none, or if another one is asked for.
Result<int> reserve_port(Store& store, const std::string& name, int asked) {
  BFS_ASSIGN(const StoreLock lock, store.lock());
  BFS_ASSIGN(Manifest manifest, store.read_manifest(name));
  pg::Facts facts = facts_of(manifest);
  if (facts.port != 0 && (asked == 0 || asked == facts.port)) return facts.port;
  BFS_ASSIGN(const std::vector<BranchInfo> all, store.list());
  std::set<int> taken;
  for (const BranchInfo& branch : all) {
    const int port = facts_of(branch.manifest).port;
    if (port == 0 || branch.manifest.id == manifest.id) continue;
    if (port == asked) {
      return make_error(Kind::busy, fmt::format("port {} belongs to branch \"{}\"", port, branch.name));
    }
    taken.insert(port);
  }
  facts.port = asked;
  if (asked == 0) {
    BFS_ASSIGN(facts.port, pg::choose_port(taken, store.id().hex() + name));
  }
  keep_facts(manifest, facts);
  BFS_TRY(store.write_manifest(lock, name, manifest));
  return facts.port;
}

Result<pg::Identity> server_user(const std::string& mountpoint, const std::string& asked) {
  if (asked.empty()) return pg::owner_identity(mountpoint);
  BFS_ASSIGN(pg::Identity wanted, pg::identity_named(asked));
  if (::geteuid() != 0 && wanted.uid != ::geteuid()) {
    return make_error(Kind::refused, "only root can start a server as another user");
  }
  struct ::stat st {};
  if (::stat(mountpoint.c_str(), &st) != 0) return sys_error(mountpoint);
  if (st.st_uid != wanted.uid) {
    return make_error(Kind::busy, fmt::format("it is mounted for uid {}, not for {}", st.st_uid, asked),
                      "unmount it first");
  }
  return wanted;
}

std::vector<std::pair<std::string, std::string>> throw_away_settings() {
  return {{"fsync", "off"}, {"synchronous_commit", "off"}, {"full_page_writes", "off"}};
}

Status start_first(Store& store, const BranchInfo& branch, const pg::ServerSpec& spec, const std::string& password,
                   const StartRequest& request, const Warn& warn) {
  pg::FirstStart first;
  first.server = spec;
  first.password = password;
  first.neutralize.branch = branch.name;
  BFS_ASSIGN(first.neutralize.tls, pg::ensure_certificate(store.dir() + "/tls"));
  pg::Facts known = facts_of(branch.manifest);
  first.role = known.role;
  BFS_ASSIGN(const pg::FirstStartResult result, pg::first_start(std::move(first), std::move(known)));
  for (const std::string& warning : result.warnings) warn(warning);
  return update_manifest(store, branch.name, [&](Manifest& manifest) -> Status {
    keep_facts(manifest, result.facts);
    if (!request.user.empty()) manifest.postgres[kRunAs] = request.user;
    return {};
  });
}

struct SocketLock {
  pid_t pid = 0;
  std::string data_dir;
};

// "DIR/.s.PGSQL.PORT.lock": pid and data directory of the postmaster that made the socket.
std::optional<SocketLock> read_socket_lock(const pg::Facts& facts) {
  if (facts.runtime_dir.empty() || facts.port == 0) return std::nullopt;
  auto text = pg::read_file(fmt::format("{}/.s.PGSQL.{}.lock", facts.runtime_dir, facts.port), 4096);
  if (!text) return std::nullopt;
  const auto lines = pg::split(*text, '\n');
  if (lines.size() < 2) return std::nullopt;
  SocketLock lock;
  lock.pid = static_cast<pid_t>(std::strtol(lines[0].c_str(), nullptr, 10));
  lock.data_dir = lines[1];
  if (lock.pid <= 1 || lock.data_dir.empty()) return std::nullopt;
  return lock;
}

// The number may be somebody else's by now: only a postgres that was started on that directory counts.
bool is_postmaster_of(pid_t pid, const std::string& data_dir) {
  auto text = pg::read_file(fmt::format("/proc/{}/cmdline", pid), 65536);
  if (!text) return false;
  const auto words = pg::split(*text, '\0');
  return words.size() > 2 && words[0].ends_with("/postgres") && words[1] == "-D" && words[2] == data_dir;
}

// A killed postmaster leaves its socket; where nobody reaps it, Postgres takes the zombie for alive and refuses.
void clear_dead_socket(const pg::ServerSpec& spec) {
  pg::Facts place;
  place.runtime_dir = spec.runtime_dir;
  place.port = spec.port;
  const auto lock = read_socket_lock(place);
  if (!lock || is_postmaster_of(lock->pid, lock->data_dir)) return;
  const std::string socket = fmt::format("{}/.s.PGSQL.{}", spec.runtime_dir, spec.port);
  ::unlink((socket + ".lock").c_str());
  ::unlink(socket.c_str());
}

bool ends_within(pid_t pid, const std::string& data_dir, std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (is_postmaster_of(pid, data_dir)) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(10ms);
  }
  return true;
}

}  // namespace

pg::Facts facts_of(const Manifest& manifest) { return pg::facts_from_json(manifest.postgres); }

nlohmann::json inherited_facts(const Manifest& parent) {
  nlohmann::json json = parent.postgres.is_object() ? parent.postgres : nlohmann::json::object();
  pg::Facts facts = facts_of(parent);
  facts.port = 0;
  facts.runtime_dir.clear();
  facts.configured = false;
  facts.prepared = false;
  json.update(pg::to_json(facts));
  return json;
}

Status forget_preparation(Store& store, const std::string& name) {
  return update_manifest(store, name, [](Manifest& manifest) -> Status {
    pg::Facts facts = facts_of(manifest);
    facts.configured = false;
    facts.prepared = false;
    keep_facts(manifest, facts);
    return {};
  });
}

std::string recorded_user(const Manifest& manifest) {
  if (!manifest.postgres.is_object()) return "";
  const auto found = manifest.postgres.find(kRunAs);
  return found != manifest.postgres.end() && found->is_string() ? found->get<std::string>() : "";
}

Result<pg::Access> access_of(const Store& store, const BranchInfo& branch) {
  const pg::Facts facts = facts_of(branch.manifest);
  const std::string path = password_file(store, branch.name);
  if (facts.port == 0 || facts.role.empty() || !store.env().exists(path)) {
    return make_error(Kind::failed, "it was never started", fmt::format("branchfs start {}", branch.name));
  }
  pg::Access access;
  access.port = facts.port;
  access.user = facts.role;
  BFS_ASSIGN(access.password, pg::load_secret(path));
  access.database = facts.database.empty() ? "postgres" : facts.database;
  return access;
}

Result<pg::ServerSpec> server_spec(Store& store, const BranchInfo& branch, const std::string& mountpoint,
                                   const StartRequest& request) {
  pg::ServerSpec spec;
  BFS_ASSIGN(const int major, pg::read_major(mountpoint));
  BFS_ASSIGN(spec.installation, pg::installation_for(major));
  const std::string user = request.user.empty() ? recorded_user(branch.manifest) : request.user;
  BFS_ASSIGN(spec.user, server_user(mountpoint, user));
  spec.data_dir = mountpoint;
  BFS_ASSIGN(spec.runtime_dir,
             pg::prepare_runtime_dir(store.dir() + "/run/" + branch.manifest.id.hex().substr(0, 12), spec.user));
  BFS_ASSIGN(spec.port, reserve_port(store, branch.name, request.port));
  if (request.throw_away) spec.settings = throw_away_settings();
  spec.timeout = kStartPatience;
  spec.cancelled = Interrupt::requested;
  return spec;
}

Status configure_on(Store& store, const BranchInfo& branch, const std::string& mountpoint, const Warn& warn) {
  pg::Facts facts = facts_of(branch.manifest);
  struct ::statvfs fs {};
  if (::statvfs(mountpoint.c_str(), &fs) != 0) return sys_error(mountpoint);
  const bool read_only = (fs.f_flag & ST_RDONLY) != 0;
  if (facts.configured || facts.prepared || read_only || !pg::path_exists(mountpoint + "/PG_VERSION")) return {};
  BFS_ASSIGN(const pg::ServerSpec spec, server_spec(store, branch, mountpoint, {}));
  pg::NeutralizeOptions options;
  options.branch = branch.name;
  options.port = spec.port;
  options.socket_dir = spec.runtime_dir;
  options.installation = spec.installation;
  BFS_TRY(pg::settle_tablespaces(mountpoint, spec.user, true));
  BFS_ASSIGN(options.tls, pg::ensure_certificate(store.dir() + "/tls"));
  BFS_ASSIGN(const pg::NeutralizePlan plan, pg::neutralize(mountpoint, std::move(options)));
  for (const std::string& warning : plan.warnings) warn(warning);
  facts.add_neutralized(plan.done);
  facts.port = spec.port;
  facts.runtime_dir = spec.runtime_dir;
  facts.configured = true;
  return update_manifest(store, branch.name, [&](Manifest& manifest) -> Status {
    keep_facts(manifest, facts);
    return {};
  });
}

Result<pg::Access> start_on(Store& store, const BranchInfo& branch, const std::string& mountpoint,
                            const StartRequest& request, const Warn& warn) {
  BFS_ASSIGN(const pg::ServerSpec spec, server_spec(store, branch, mountpoint, request));
  bool new_password = false;
  BFS_ASSIGN(const std::string password, ensure_password(store, branch.name, new_password));
  clear_dead_socket(spec);
  const pg::Facts facts = facts_of(branch.manifest);
  BFS_TRY(pg::settle_tablespaces(mountpoint, spec.user, !facts.configured && !facts.prepared));
  if (facts.prepared && !new_password) {
    BFS_TRY(pg::start_server(spec));
  } else {
    BFS_TRY(start_first(store, branch, spec, password, request, warn));
  }
  BFS_ASSIGN(Manifest manifest, store.read_manifest(branch.name));
  return access_of(store, {branch.name, std::move(manifest)});
}

Result<bool> wait_until_answers(const std::string& mountpoint) {
  const auto deadline = std::chrono::steady_clock::now() + kStartPatience;
  for (auto pause = 2ms;; pause = std::min(pause * 2, 50ms)) {
    const pg::ServerStatus status = pg::server_status(mountpoint);
    if (status.state != pg::ServerState::running && status.state != pg::ServerState::starting) return false;
    // One that has no socket yet rejects nothing either.
    const bool ready = status.state == pg::ServerState::running;
    if (ready && !pg::rejects_connections(status.socket_dir, status.port)) return true;
    BFS_TRY(Interrupt::check());
    if (std::chrono::steady_clock::now() > deadline) {
      return make_error(Kind::failed, fmt::format("its server, process {}, takes no connections", status.pid), "see its log: branchfs logs");
    }
    std::this_thread::sleep_for(pause);
  }
}

Result<pg::Session> session_on(const BranchInfo& branch, const std::string& mountpoint) {
  const pg::ServerStatus status = pg::server_status(mountpoint);
  const pg::Facts facts = facts_of(branch.manifest);
  const pg::SessionTarget target{status.socket_dir, status.port, {}, {}, facts.major};
  return pg::open_superuser(target, {facts.role});
}

bool is_started_by_branchfs(pid_t pid, const std::string& data_dir) {
  if (!is_postmaster_of(pid, data_dir)) return false;
  auto text = pg::read_file(fmt::format("/proc/{}/cmdline", pid), 65536);
  if (!text) return false;
  const auto words = pg::split(*text, '\0');
  return words.size() > 4 && words[3] == "-c" && words[4].starts_with("port=");
}

std::optional<pid_t> orphaned_server(const Manifest& manifest) {
  const auto lock = read_socket_lock(facts_of(manifest));
  if (!lock || !is_postmaster_of(lock->pid, lock->data_dir)) return std::nullopt;
  return lock->pid;
}

Status end_orphaned_server(const Manifest& manifest) {
  const auto lock = read_socket_lock(facts_of(manifest));
  if (!lock || !is_postmaster_of(lock->pid, lock->data_dir)) return {};
  // QUIT: a clean shutdown would write to a filesystem that is gone.
  for (const int number : {SIGQUIT, SIGKILL}) {
    if (::kill(lock->pid, number) != 0 && errno != ESRCH) return sys_error(fmt::format("end server {}", lock->pid));
    if (ends_within(lock->pid, lock->data_dir, 8s)) return {};
  }
  return make_error(Kind::busy, fmt::format("its old server, process {}, does not end", lock->pid));
}

void end_stranded_servers(const std::string& mountpoint) {
  const auto processes = posix_env().list("/proc");
  if (!processes) return;
  for (const DirItem& item : *processes) {
    const pid_t pid = static_cast<pid_t>(std::strtol(item.name.c_str(), nullptr, 10));
    if (pid <= 1) continue;
    std::error_code gone;
    const std::string cwd = std::filesystem::read_symlink(fmt::format("/proc/{}/cwd", pid), gone);
    if (gone || cwd != mountpoint) continue;
    const auto name = pg::read_file(fmt::format("/proc/{}/comm", pid), 4096);
    if (name && pg::trim(*name) == "postgres") ::kill(pid, SIGKILL);
  }
}

void remove_runtime_files(Store& store, const Manifest& manifest) {
  const std::string dir = facts_of(manifest).runtime_dir;
  // Only what prepare_runtime_dir() can have made: the manifest is data, not an order to delete any path.
  const std::string name = dir.substr(dir.rfind('/') + 1);
  const bool ours = dir == store.dir() + "/run/" + manifest.id.hex().substr(0, 12) ||
                    (name.size() == 16 && dir.find("/branchfs") != std::string::npos);
  if (!dir.empty() && ours) ignore(store.env().remove_tree(dir));  // what is left is an old log
}

std::string server_log(const Manifest& manifest) {
  const pg::Facts facts = facts_of(manifest);
  return facts.runtime_dir.empty() ? "" : pg::log_path(facts.runtime_dir);
}

}  // namespace branchfs
