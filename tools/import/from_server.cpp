// import --url: a running server's base backup goes straight into a layer.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/import/base_backup.h"
#include "tools/import/source.h"
#include "tools/interrupt.h"

namespace branchfs {
namespace {

constexpr const char* kControlFile = "global/pg_control";

// Whose files they become: the importing user's, or for root those of the user who will run the server.
Result<pg::Identity> future_owner(const ImportRequest& request) {
  if (::geteuid() != 0) return pg::current_identity();
  auto who = pg::identity_named(request.user.empty() ? "postgres" : request.user);
  if (!who) return std::move(who).error().with_hint("name the user who is to run the server with --user");
  return who;
}

Attr directory_attr(const Store& store, const pg::Identity& owner, unsigned mode) {
  Attr attr;
  attr.mode = S_IFDIR | mode;
  attr.uid = owner.uid;
  attr.gid = owner.gid;
  attr.atime = attr.mtime = attr.ctime = store.env().now();
  return attr;
}

Status receive(ImportJob& job, BaseBackup& backup, TreeBuilder& builder, const Attr& dir,
               ConfigFiles& config) {
  std::uint64_t done = 0;
  TarOptions options;
  options.uid = dir.uid;
  options.gid = dir.gid;
  options.config = &config;
  options.on_bytes = [&](std::uint64_t bytes) {
    return job.advance(done += bytes, backup.estimated_bytes());
  };
  // Tablespaces come before the data directory that they are part of here.
  BFS_ASSIGN([[maybe_unused]] const Ino spaces, builder.add("pg_tblspc", dir));
  while (true) {
    BFS_ASSIGN(const auto archive, backup.next_archive());
    if (!archive) return backup.finish();
    options.into.clear();
    if (!archive->oid.empty()) {
      options.into = "pg_tblspc/" + archive->oid;
      BFS_ASSIGN([[maybe_unused]] const Ino space, builder.add(options.into, dir));
    }
    BFS_TRY(import_tar(
        builder, [&] { return backup.read(); }, options));
  }
}

// A server whose configuration lies outside its data directory (Debian's) sends none of it.
void add_missing_configuration(ConfigFiles& config, const ServerFacts& server, const Attr& dir,
                               std::vector<std::string>& warnings) {
  if (config.count("postgresql.conf") != 0 || server.settings.empty()) return;
  Attr attr = dir;
  attr.mode = S_IFREG | 0600;
  config["postgresql.conf"] = {
      attr, "# Settings as the server told them; its own file was not in the backup.\n" + server.settings};
  warnings.emplace_back(
      "the server keeps its configuration outside the data directory: settings were asked for by SQL");
}

}  // namespace

Status import_server(ImportJob& job) {
  BFS_ASSIGN(const pg::Identity owner, future_owner(job.request));
  job.progress.begin("waiting for the server's checkpoint");
  BFS_ASSIGN(const auto backup, BaseBackup::start(job.request.url));
  BFS_TRY(job.space.check_before(backup->estimated_bytes()));
  const Attr dir = directory_attr(*job.store, owner, backup->server().directory_mode);
  BFS_ASSIGN(const auto builder, TreeBuilder::create(*job.store, dir));

  job.progress.begin("receiving");
  ConfigFiles config;
  BFS_TRY(receive(job, *backup, *builder, dir, config));
  const auto control = config.find(kControlFile);
  if (control == config.end()) return make_error(Kind::failed, "the server's backup has no pg_control");

  ClusterFacts facts;
  facts.major = static_cast<int>(backup->server().major);
  BFS_ASSIGN(facts.control, pg::parse_control_file(control->second.content));
  facts.source = backup->server().address;
  facts.role = backup->server().superuser;
  add_missing_configuration(config, backup->server(), dir, job.result.warnings);
  BackupConfSource source(config);
  BFS_ASSIGN(ConfigureRequest request, job.configure_request());
  request.tablespaces = backup->archives().size() > 1;
  BFS_ASSIGN(const auto plan, plan_configuration(source, facts, request));
  BFS_TRY(apply_plan(*builder, plan, dir));
  job.progress.begin("finishing");
  return job.publish(*builder, "url", facts, plan);
}

}  // namespace branchfs
