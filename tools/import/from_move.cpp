// import --pgdata --move: a stopped cluster's files are taken over without copying them.
//
// First the directory itself is made a safe, self-contained cluster (links replaced by what they lead to,
// configuration neutralized), reversibly; then its files are renamed into the store. An error at any point
// puts everything back.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/import/paths.h"
#include "tools/import/source.h"
#include "tools/import/source_edits.h"
#include "tools/import/source_scan.h"
#include "tools/interrupt.h"

namespace branchfs {
namespace {

Status check_same_filesystem(const Store& store, const SourceScan& scan) {
  BFS_ASSIGN(const struct ::stat home, store.env().stat(store.dir()));
  std::vector<std::string> dirs = {scan.root};
  for (const auto& graft : scan.grafts) {
    if (graft.directory && !graft.target.empty()) dirs.push_back(graft.target);
  }
  for (const auto& dir : dirs) {
    BFS_ASSIGN(const struct ::stat st, posix_env().stat(dir));
    if (st.st_dev == home.st_dev) continue;
    return Error{Kind::refused, EXDEV,
                 fmt::format("{} is on another filesystem than the store {}", dir, store.dir()),
                 "import without --move copies it; or use a store on the same filesystem"};
  }
  return {};
}

Status replace_links(SourceEdits& edits, const SourceScan& scan) {
  for (const auto& tablespace : scan.tablespaces)
    BFS_TRY(edits.make_directory("pg_tblspc/" + tablespace.oid));
  for (const auto& graft : scan.grafts) {
    if (!graft.directory) {
      // Linked files are shared with others (/etc): a copy is taken, they stay.
      BFS_ASSIGN(const std::string content, posix_env().read_file(graft.target));
      BFS_TRY(edits.write(graft.path, content, 0600));
    } else if (graft.target.empty()) {
      BFS_TRY(edits.make_directory(graft.path));
    } else {
      BFS_TRY(edits.take_contents(graft.target, graft.path));
    }
  }
  for (const auto& [path, target] : scan.relinks) BFS_TRY(edits.make_link(path, target));
  return {};
}

Status apply_in_place(SourceEdits& edits, const pg::NeutralizePlan& plan) {
  for (const auto& path : plan.removals) BFS_TRY(edits.remove(path));
  for (const auto& write : plan.writes) BFS_TRY(edits.write(write.path, write.content, write.mode));
  return {};
}

// Deletes what the move left: directories, links and what the branch does not want. A regular file that is
// none of these would be data, and stays.
void remove_shell(const std::string& dir, const std::string& path,
                  const std::function<bool(const std::string&)>& unwanted) {
  const auto items = posix_env().list(dir);
  if (!items) return;
  for (const auto& item : *items) {
    const std::string below = path.empty() ? item.name : path + "/" + item.name;
    const std::string real = dir + "/" + item.name;
    struct ::stat st {};
    if (::lstat(real.c_str(), &st) != 0) continue;
    if (S_ISDIR(st.st_mode)) {
      if (below == "lost+found") continue;
      remove_shell(real, below, unwanted);
      static_cast<void>(::rmdir(real.c_str()));
    } else if (!S_ISREG(st.st_mode) || unwanted(below)) {
      static_cast<void>(::unlink(real.c_str()));
    }
  }
}

}  // namespace

Status import_by_move(ImportJob& job, const DirectorySourceInfo& source) {
  BFS_ASSIGN(const pg::Cluster cluster, pg::read_cluster(source.dir));
  BFS_TRY(pg::check_importable(cluster));
  BFS_ASSIGN(const pg::Identity owner, pg::owner_identity(cluster.dir));
  BFS_ASSIGN(SourceScan scan, scan_source(cluster, owner));
  scan.first_wal.clear();  // moving old WAL costs nothing, and leaving it behind would only be litter
  BFS_TRY(check_same_filesystem(*job.store, scan));
  job.result.warnings = scan.warnings;

  const ClusterFacts facts{cluster.major, cluster.control, source.label, source.role};
  BFS_ASSIGN(ConfigureRequest request, job.configure_request());
  request.config_dir = job.request.config_dir;
  request.tablespaces = !scan.tablespaces.empty();
  request.keep_private_keys = true;
  pg::DirectorySource files(scan.root, owner, !request.config_dir.empty());
  BFS_ASSIGN(const auto plan, plan_configuration(files, facts, request));

  job.progress.begin("moving");
  SourceEdits edits(scan.root, owner);
  BFS_TRY(edits.begin());
  BFS_TRY(replace_links(edits, scan));
  BFS_TRY(apply_in_place(edits, plan));
  for (const auto& graft : scan.grafts) scan.replaced.erase(graft.path);
  for (const auto& tablespace : scan.tablespaces) scan.replaced.erase("pg_tblspc/" + tablespace.oid);
  for (const auto& [path, target] : scan.relinks) scan.replaced.erase(path);
  const auto skip = [&](const std::string& path) { return path == kUndoDirectory || scan.skips(path); };

  Manifest manifest;
  manifest.origin = source.origin;
  manifest.postgres = manifest_facts(facts, plan);
  BFS_TRY(Interrupt::check());
  BFS_ASSIGN(job.result.manifest,
             import_move(*job.store, job.request.name, scan.root, std::move(manifest), {skip}));
  edits.commit();
  {
    const pg::ActAs rights(owner);
    remove_shell(scan.root, "", skip);
  }
  // A directory that cannot go (a mount point, somebody else's parent) stays, empty.
  static_cast<void>(::rmdir(scan.root.c_str()));
  job.result.logical_bytes = scan.length;
  job.result.stored_bytes = scan.bytes;
  job.result.warnings.insert(job.result.warnings.end(), plan.warnings.begin(), plan.warnings.end());
  return {};
}

}  // namespace branchfs
