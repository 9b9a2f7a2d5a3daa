// Deleting branches whose time is over or whose runner died, without a daemon: every command does what is due.
//
// STORE/reap holds one small file per candidate: for a branch with a ttl, named by its id; for a `run` branch a ticket
// that the runner holds by flock from before the branch exists until after it is gone, so that a free lock
// means a dead runner. The files are an index: the manifest's `expires` decides, and gc rebuilds what a crash
// left out. A branch that cannot go yet (protected, children, a server that does not stop) is tried again
// a minute later. Threads: any; processes: any number.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "layers/store/store.h"

namespace branchfs {

// Makes reap/ say what the manifest says: `expires` 0 removes the entry.
Status schedule_expiry(const Store& store, const std::string& name, const Manifest& manifest);

// Deletes what is due. Cheap when nothing is: one readdir, and one small read per candidate. Returns a line for every
// branch that should have gone and could not.
std::vector<std::string> reap_due(Store& store);

// Entries for branches that have a ttl and no entry, no entries for branches that are gone. For gc: reads every manifest.
Status rebuild_reap_index(const Store& store);

// As long as it lives, the branch `name` is somebody's; then it is anybody's to delete.
class RunnerTicket {
 public:
  // With `run`: of a masking run; what goes is a branch of that name which is not ready and names the run.
  static Result<RunnerTicket> issue(const Store& store, const std::string& name, const std::string& run = {});
  // The branch is gone, or is to stay: nothing is left to reap.
  Status withdraw();

 private:
  RunnerTicket(Env& env, std::string path, std::unique_ptr<File> file)
      : env_(env), path_(std::move(path)), file_(std::move(file)) {}
  Env& env_;
  std::string path_;
  std::unique_ptr<File> file_;
};

}  // namespace branchfs
