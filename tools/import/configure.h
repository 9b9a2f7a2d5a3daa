// What happens to a cluster's configuration on its way into a branch, and the facts that the manifest keeps.
//
// tools/pg plans what neutralization changes from the files as they are (or as they came in a base backup);
// here the plan meets a TreeBuilder. Threads: one. Errors: those of tools/pg/neutralize.h and of the tree.
#pragma once

#include <string>
#include <vector>

#include "layers/jobs/import.h"
#include "tools/import/tar_import.h"
#include "tools/pg/neutralize.h"

namespace branchfs {

struct ClusterFacts {
  int major = 0;
  pg::ControlFile control;
  std::string source;  // where it came from, for people; no secrets
  std::string role;    // bootstrap superuser, when known
};

struct ConfigureRequest {
  std::string branch;
  pg::Certificate tls;  // the store's
  std::string config_dir;
  bool tablespaces = false;  // in pg_tblspc, as directories
  bool keep_private_keys = false;
};

Result<pg::NeutralizePlan> plan_configuration(pg::ConfSource& source, const ClusterFacts& facts,
                                              const ConfigureRequest& request);
// `like` gives owner, group and times of new files.
Status apply_plan(TreeBuilder& builder, const pg::NeutralizePlan& plan, const Attr& like);
nlohmann::json manifest_facts(const ClusterFacts& facts, const pg::NeutralizePlan& plan);

// The configuration files of a base backup. Absolute paths are the server's, so they lead nowhere here.
class BackupConfSource final : public pg::ConfSource {
 public:
  explicit BackupConfSource(const ConfigFiles& files) : files_(files) {}
  Result<std::optional<std::string>> read(const std::string& path) override;
  Result<std::optional<std::vector<std::string>>> list(const std::string& path) override;

 private:
  const ConfigFiles& files_;
};

}  // namespace branchfs
