#include "tools/import/import.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>

#include "tools/import/source.h"
#include "tools/interrupt.h"
#include "tools/pg/initdb.h"
#include "tools/text.h"

namespace branchfs {
namespace {

Status check_request(const Store& store, const ImportRequest& request) {
  BFS_TRY(check_branch_name(request.name));
  const int sources =
      (request.pgdata.empty() ? 0 : 1) + (request.url.empty() ? 0 : 1) + (request.initdb ? 1 : 0);
  if (sources != 1) return make_error(Kind::usage, "give exactly one of --pgdata, --url and --initdb");
  if (request.pgdata.empty() && (request.move || !request.config_dir.empty())) {
    return make_error(Kind::usage, "--move and --config-dir need --pgdata");
  }
  if (!request.initdb && !request.initdb_options.empty()) {
    return make_error(Kind::usage, "options after -- need --initdb");
  }
  if (store.has_branch(request.name)) return make_error(Kind::exists, "a branch of this name exists");
  return {};
}

// Options that would put the cluster, or a part of it, where the import does not look.
Status check_initdb_options(const std::vector<std::string>& options) {
  for (const auto& option : options) {
    for (const std::string_view wrong : {"-D", "--pgdata", "-X", "--waldir", "-V", "--version", "-S",
                                         "--sync-only", "-s", "--show", "-?", "--help"}) {
      const bool short_form = wrong.size() == 2 && option.starts_with(wrong);
      if (short_form || option == wrong || option.starts_with(std::string(wrong) + "=")) {
        return make_error(Kind::usage, fmt::format("initdb's {} makes no sense here", wrong));
      }
    }
  }
  return {};
}

std::string superuser_of(const std::vector<std::string>& options) {
  std::string name = "postgres";
  for (std::size_t i = 0; i < options.size(); ++i) {
    const std::string& option = options[i];
    if ((option == "-U" || option == "--username") && i + 1 < options.size()) {
      name = options[i + 1];
    } else if (option.starts_with("--username=")) {
      name = option.substr(std::string_view("--username=").size());
    } else if (option.starts_with("-U") && option.size() > 2) {
      name = option.substr(2);
    }
  }
  return name;
}

}  // namespace

Status ImportJob::advance(std::uint64_t done, std::uint64_t total) {
  progress.update(done, total);
  BFS_TRY(Interrupt::check());
  return space.check_during(done);
}

Result<ConfigureRequest> ImportJob::configure_request() const {
  ConfigureRequest configure;
  configure.branch = request.name;
  BFS_ASSIGN(configure.tls, pg::ensure_certificate(store->dir() + "/tls"));
  return configure;
}

Status ImportJob::publish(TreeBuilder& builder, const std::string& origin, const ClusterFacts& facts,
                          const pg::NeutralizePlan& plan) {
  Manifest manifest;
  manifest.origin = origin;
  manifest.postgres = manifest_facts(facts, plan);
  BFS_TRY(Interrupt::check());
  BFS_ASSIGN(result.manifest, builder.publish(request.name, std::move(manifest)));
  result.logical_bytes = builder.stats().data_bytes;
  result.stored_bytes = builder.stats().file_bytes;
  result.warnings.insert(result.warnings.end(), plan.warnings.begin(), plan.warnings.end());
  return {};
}

Status import_initdb(ImportJob& job) {
  BFS_TRY(check_initdb_options(job.request.initdb_options));
  BFS_ASSIGN(const auto installation, pg::newest_installation());
  const std::string user = job.request.user.empty() ? "postgres" : job.request.user;
  BFS_ASSIGN(const auto who, ::geteuid() == 0 ? pg::identity_named(user) : pg::current_identity());
  BFS_ASSIGN(const ScratchDir scratch, ScratchDir::create(who));
  job.progress.begin("initdb");
  const std::string dir = scratch.path() + "/data";
  BFS_TRY(pg::run_initdb(installation, dir, who, job.request.initdb_options));
  BFS_TRY(Interrupt::check());
  return import_directory(
      job, {dir, "initdb", "initdb " + installation.version, superuser_of(job.request.initdb_options)});
}

std::string ImportResult::summary(const std::string& name) const {
  std::string ratio;
  if (stored_bytes > 0) {
    ratio = fmt::format(" ({:.1f}x)", static_cast<double>(logical_bytes) / static_cast<double>(stored_bytes));
  }
  return fmt::format("imported {}: {} stored in {}{}, {:.1f} s", name, format_bytes(logical_bytes),
                     format_bytes(stored_bytes), ratio, seconds);
}

nlohmann::json ImportResult::json(const std::string& name) const {
  return {{"event", "result"},
          {"name", name},
          {"id", manifest.id.hex()},
          {"origin", manifest.origin},
          {"logical_bytes", logical_bytes},
          {"stored_bytes", stored_bytes},
          {"seconds", seconds},
          {"postgres", manifest.postgres},
          {"warnings", warnings}};
}

Result<ImportResult> run_import(const std::shared_ptr<Store>& store, const ImportRequest& request,
                                ProgressReporter& progress) {
  BFS_TRY(check_request(*store, request));
  const Interrupt signals;
  const auto started = std::chrono::steady_clock::now();
  ImportJob job{store, request, progress, SpaceWatch(*store), {}};
  if (request.initdb) {
    BFS_TRY(import_initdb(job));
  } else if (!request.url.empty()) {
    BFS_TRY(import_server(job));
  } else if (request.move) {
    BFS_TRY(import_by_move(job, {request.pgdata, "pgdata", request.pgdata, ""}));
  } else {
    BFS_TRY(import_directory(job, {request.pgdata, "pgdata", request.pgdata, ""}));
  }
  progress.finish();
  job.result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return std::move(job.result);
}

}  // namespace branchfs
