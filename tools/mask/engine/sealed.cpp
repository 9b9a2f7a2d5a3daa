#include "tools/mask/engine/sealed.h"

#include <sys/resource.h>

#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "tools/mask/engine/steps.h"
#include "tools/pg/catalog.h"
#include "tools/pg/first_start.h"

namespace branchfs::mask {
namespace {

// Memory for sorting while indexes are rebuilt, of each connection.
constexpr const char* kMaintenanceMemory = "256MB";

// Settings of a database or a role win over the command line.
constexpr const char* kDiscreetSession =
    "SET log_min_messages = fatal; SET log_error_verbosity = terse; SET log_duration = off; "
    "SET log_parameter_max_length = 0; SET log_parameter_max_length_on_error = 0; "
    "SET debug_print_parse = off; SET debug_print_rewritten = off; SET debug_print_plan = off";

using Settings = std::vector<std::pair<std::string, std::string>>;

// No value in a log.
void add_discreet_settings(Settings& settings) {
  const Settings discreet = {
      {"logging_collector", "off"},
      {"log_destination", "stderr"},
      {"log_min_messages", "fatal"},
      {"log_min_error_statement", "panic"},
      {"log_error_verbosity", "terse"},
      {"log_statement", "none"},
      {"log_min_duration_statement", "-1"},
      {"log_parameter_max_length", "0"},
      {"log_parameter_max_length_on_error", "0"},
  };
  settings.insert(settings.end(), discreet.begin(), discreet.end());
}

Settings sealed_settings() {
  Settings settings = {
      // A crash destroys a sealed branch, so there is nothing that fsync could save.
      {"fsync", "off"},
      {"synchronous_commit", "off"},
      {"full_page_writes", "off"},
      {"wal_level", "minimal"},
      {"max_wal_senders", "0"},
      {"archive_mode", "off"},
      {"wal_recycle", "off"},
      {"wal_init_zero", "off"},
      {"max_wal_size", "16GB"},
      {"checkpoint_timeout", "1d"},
      {"autovacuum", "off"},
      {"jit", "off"},
      {"max_logical_replication_workers", "0"},
      {"max_parallel_workers_per_gather", "0"},
      {"track_activities", "off"},
      {"track_counts", "off"},
      {"shared_buffers", "256MB"},
      {"maintenance_work_mem", kMaintenanceMemory},
      {"work_mem", "64MB"},
      // Nobody outside: no TCP, no library of production's.
      {"listen_addresses", ""},
      {"shared_preload_libraries", ""},
      {"session_preload_libraries", ""},
      {"local_preload_libraries", ""},
  };
  if (does_step("errors")) add_discreet_settings(settings);
  return settings;
}

}  // namespace

NoCoreFiles::NoCoreFiles() {
  ::getrlimit(RLIMIT_CORE, &before_);
  const struct ::rlimit none {0, before_.rlim_max};
  ::setrlimit(RLIMIT_CORE, &none);
}
NoCoreFiles::~NoCoreFiles() { ::setrlimit(RLIMIT_CORE, &before_); }

Result<std::unique_ptr<SealedBranch>> SealedBranch::create(std::shared_ptr<Store> store, const std::string& name,
                                                           const std::string& parent, CreateOptions options,
                                                           bool of_masked) {
  BFS_ASSIGN(const Manifest parents, store->read_manifest(parent));
  if (!of_masked && !parents.masking.empty()) {
    return make_error(Kind::refused, fmt::format("its parent \"{}\" is anonymized already", parent),
                      "create it without --anonymized: it inherits the masks");
  }
  const std::string run = store->env().new_id().hex();
  // Reading the rules took its time since the caller looked.
  BFS_TRY(prepare_parent(*store, {parent, parents}, false, [](const std::string&) {}));
  BFS_ASSIGN(RunnerTicket ticket, RunnerTicket::issue(*store, name, run));
  std::unique_ptr<SealedBranch> branch(new SealedBranch(store, name, run, std::move(ticket)));
  options.state = "sealed";
  options.masking = {{"run", run}};
  auto made = create_branch(*store, name, parent, options);
  if (!made) {
    ignore(branch->ticket_.withdraw());  // it names a run that made no branch
    return std::move(made).error();
  }
  branch->made_ = true;
  branch->source_ = made->stack;
  BFS_ASSIGN(branch->lock_, OperationLock::acquire(*store, name));
  return branch;
}

SealedBranch::~SealedBranch() {
  if (made_) ignore(destroy());  // what it leaves, the next command destroys
}

Result<BranchInfo> SealedBranch::info() const {
  BFS_ASSIGN(Manifest manifest, store_->read_manifest(name_));
  return BranchInfo{name_, std::move(manifest)};
}

Status SealedBranch::set_state(const std::string& state) {
  return update_manifest(*store_, name_, [&](Manifest& manifest) -> Status {
    manifest.state = state;
    return {};
  });
}

Status SealedBranch::show_head(const std::vector<ObjectId>& stack) {
  bool found = false;
  BFS_ASSIGN(const Manifest manifest, replace_head(
                                          *store_, name_,
                                          [&](const std::vector<BranchInfo>& all) -> std::optional<Head> {
                                            for (const BranchInfo& branch : all) {
                                              if (!ends_with(branch.manifest.stack, stack)) continue;
                                              found = true;
                                              return Head{stack, branch.manifest.next_ino};
                                            }
                                            return std::nullopt;
                                          },
                                          [](Manifest&) -> Status { return {}; }));
  if (!found) return make_error(Kind::refused, "the data it was made from is not in the store any more");
  source_ = manifest.stack;
  return {};
}

Status SealedBranch::start(const Warn& warn) {
  MountRequest mount;
  mount.sealed = run_;
  mount.keep_writes = true;
  BFS_ASSIGN(BranchInfo branch, info());
  BFS_ASSIGN(mount.options, owner_options(recorded_user(branch.manifest)));
  BFS_ASSIGN(const std::string mountpoint, ensure_mounted(*store_, *lock_, mount));
  mounted_ = true;
  BFS_TRY(configure_on(*store_, branch, mountpoint, warn));
  BFS_ASSIGN(branch, info());
  BFS_ASSIGN(spec_, server_spec(*store_, branch, mountpoint, {}));
  spec_.settings = sealed_settings();
  running_ = true;
  BFS_ASSIGN(pg::Session session, pg::start_and_connect(spec_, facts_of(branch.manifest)));
  role_ = session.target().role;
  entrance_ = session.target().database;
  BFS_TRY(pg::quiet_subscriptions(session));
  BFS_TRY(pg::reset_missing_preloads(session, spec_.installation));
  return {};
}

Result<pg::Session> SealedBranch::connect(const std::string& database) const {
  pg::SessionTarget target{spec_.runtime_dir, spec_.port, role_, database, spec_.installation.major};
  target.private_errors = does_step("errors");
  BFS_ASSIGN(pg::Session session, pg::Session::open(target));
  BFS_TRY(session.execute("SET session_replication_role = replica; SET row_security = off; SET check_function_bodies = off; "
                          "SET standard_conforming_strings = on; SET client_min_messages = error; SET jit = off; "
                          "SET max_parallel_maintenance_workers = 0; SET datestyle = ISO; SET intervalstyle = postgres; "
                          "SET bytea_output = hex; SET extra_float_digits = 1; SET lc_monetary = 'C'; "
                          "SET synchronize_seqscans = off"));
  if (does_step("errors")) BFS_TRY(session.execute(kDiscreetSession));
  // Functions of production's find their tables as they do there, but for what the catalogs have of the same name.
  BFS_TRY(session.query(R"(
    SELECT pg_catalog.set_config('search_path', 'pg_catalog, ' || COALESCE(
      (SELECT pg_catalog.substr(c, 13) FROM pg_catalog.pg_db_role_setting s CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c
       JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
       WHERE s.setrole = 0 AND d.datname = pg_catalog.current_database() AND c LIKE 'search_path=%' LIMIT 1),
      '"$user", public'), false))"));
  return session;
}

Status SealedBranch::stop(pg::StopMode mode) {
  if (!running_) return {};
  running_ = false;
  return pg::stop_server(spec_.data_dir, mode, std::chrono::minutes(10));
}

Status SealedBranch::unmount() {
  if (!mounted_) return {};
  BFS_TRY(ensure_unmounted(*store_, *lock_));
  mounted_ = false;
  // The server ran without fsync: until the mount has closed the branch, nothing of it need be on the disk.
  return require_closed(*store_, name_);
}

Result<Manifest> SealedBranch::release(const std::function<Status(Manifest&)>& change) {
  BFS_ASSIGN(Manifest manifest, settle_branch(*store_, name_, change));
  BFS_TRY(forget_ticket());
  return manifest;
}

std::string SealedBranch::scratch_name(const Store& store) {
  return "mask-" + store.env().new_id().hex().substr(0, 12);
}

Status SealedBranch::forget_ticket() {
  made_ = false;
  lock_.reset();
  return ticket_.withdraw();
}

Status SealedBranch::destroy() {
  ignore(stop(pg::StopMode::immediate));  // remove_branch() ends what still runs
  lock_.reset();
  made_ = false;
  auto removed = remove_branch(*store_, name_, {.urgent = true, .ignore_protection = true, .only_if = {}});
  if (!removed && removed.error().kind != Kind::not_found) return removed;
  return ticket_.withdraw();
}

}  // namespace branchfs::mask
