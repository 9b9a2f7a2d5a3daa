// import --pgdata: a stopped cluster's directory is copied into a layer.
#include <fmt/format.h>
#include <sys/stat.h>

#include "tools/import/source.h"
#include "tools/import/tree_copy.h"
#include "tools/interrupt.h"

namespace branchfs {
namespace {

// A server that was started meanwhile, even if it is stopped again, has written.
Status check_untouched(const pg::Cluster& before) {
  BFS_ASSIGN(const auto life, pg::read_cluster(before.dir));
  const bool same = life.control.checkpoint == before.control.checkpoint &&
                    life.control.state == before.control.state &&
                    life.control.changed == before.control.changed;
  if (same && life.life != pg::Life::running) return {};
  return make_error(Kind::busy, "a server was started on it during the import", "stop it and import again");
}

}  // namespace

Status import_directory(ImportJob& job, const DirectorySourceInfo& source) {
  BFS_ASSIGN(const pg::Cluster cluster, pg::read_cluster(source.dir));
  BFS_TRY(pg::check_importable(cluster));
  BFS_ASSIGN(const pg::Identity owner, pg::owner_identity(cluster.dir));
  BFS_ASSIGN(const SourceScan scan, scan_source(cluster, owner));
  job.result.warnings = scan.warnings;
  BFS_TRY(job.space.check_before(scan.bytes));

  BFS_ASSIGN(const struct ::stat root, posix_env().stat(scan.root));
  const Attr attr = attr_from(root);
  BFS_ASSIGN(const auto builder, TreeBuilder::create(*job.store, attr));
  job.progress.begin("copying");
  BFS_TRY(copy_tree(*builder, scan, [&](std::uint64_t done) { return job.advance(done, scan.length); }));

  const ClusterFacts facts{cluster.major, cluster.control, source.label, source.role};
  BFS_ASSIGN(ConfigureRequest request, job.configure_request());
  request.config_dir = job.request.config_dir;
  request.tablespaces = !scan.tablespaces.empty();
  pg::DirectorySource files(scan.root, owner, !request.config_dir.empty());
  BFS_ASSIGN(const auto plan, plan_configuration(files, facts, request));
  BFS_TRY(apply_plan(*builder, plan, attr));
  BFS_TRY(check_untouched(cluster));
  job.progress.begin("finishing");
  return job.publish(*builder, source.origin, facts, plan);
}

}  // namespace branchfs
