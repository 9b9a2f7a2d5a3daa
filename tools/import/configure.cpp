#include "tools/import/configure.h"

#include <sys/stat.h>

#include <utility>

#include "tools/pg/binaries.h"

namespace branchfs {
namespace {

Status make_parents(TreeBuilder& builder, const std::string& path, const Attr& like) {
  for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string dir = path.substr(0, slash);
    if (builder.find(dir)) continue;
    Attr attr = like;
    attr.mode = S_IFDIR | 0700;
    BFS_ASSIGN([[maybe_unused]] const Ino ino, builder.add(dir, attr));
  }
  return {};
}

}  // namespace

Result<pg::NeutralizePlan> plan_configuration(pg::ConfSource& source, const ClusterFacts& facts,
                                              const ConfigureRequest& request) {
  pg::NeutralizeOptions options;
  options.branch = request.branch;
  options.tls = request.tls;
  options.config_dir = request.config_dir;
  options.major = facts.major;
  options.control = facts.control;
  options.keep_private_keys = request.keep_private_keys;
  // Without the binaries an import still works; preload libraries are then checked at the first start.
  if (auto found = pg::installation_for(facts.major)) options.installation = *std::move(found);
  // Recovery from a backup that is taken of the branch insists on links in pg_tblspc without it.
  if (request.tablespaces) options.settings.emplace_back("allow_in_place_tablespaces", "on");
  BFS_ASSIGN(pg::NeutralizePlan plan, pg::plan_neutralize(source, options));
  if (request.tablespaces) {
    plan.done.emplace_back("tablespaces: inside the branch (a branch does not write where its source does)");
  }
  return plan;
}

Status apply_plan(TreeBuilder& builder, const pg::NeutralizePlan& plan, const Attr& like) {
  for (const auto& path : plan.removals) {
    if (builder.find(path)) BFS_TRY(builder.remove(path));
  }
  for (const auto& write : plan.writes) {
    BFS_TRY(make_parents(builder, write.path, like));
    Attr attr = like;
    attr.mode = S_IFREG | (write.mode & 07777U);
    BFS_ASSIGN(const Ino ino, builder.add(write.path, attr));
    BFS_TRY(builder.write(ino, 0, std::as_bytes(std::span(write.content.data(), write.content.size()))));
    BFS_TRY(builder.set_size(ino, write.content.size()));
  }
  return {};
}

nlohmann::json manifest_facts(const ClusterFacts& facts, const pg::NeutralizePlan& plan) {
  nlohmann::json json = {{"major", facts.major},
                         // 64 bits wide, more than a JSON number keeps in most readers.
                         {"system_identifier", std::to_string(facts.control.system_identifier)},
                         {"data_checksums", facts.control.data_checksums},
                         {"source", facts.source},
                         {"neutralized", plan.done}};
  if (!facts.role.empty()) json["user"] = facts.role;
  return json;
}

Result<std::optional<std::string>> BackupConfSource::read(const std::string& path) {
  const auto found = files_.find(path);
  if (found == files_.end()) return std::optional<std::string>();
  return std::optional(found->second.content);
}

Result<std::optional<std::vector<std::string>>> BackupConfSource::list(const std::string& path) {
  std::vector<std::string> names;
  const std::string prefix = path + "/";
  for (const auto& [file, unused] : files_) {
    if (file.starts_with(prefix) && file.find('/', prefix.size()) == std::string::npos) {
      names.push_back(file.substr(prefix.size()));
    }
  }
  if (names.empty()) return std::optional<std::vector<std::string>>();
  return std::optional(std::move(names));
}

}  // namespace branchfs
