// The ways into a store, one function each; run_import() (import.h) chooses and measures.
//
// Internal to tools/import. Each either publishes the branch or leaves store and source as they were.
// Threads: one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tools/import/configure.h"
#include "tools/import/import.h"
#include "tools/import/scratch.h"
#include "tools/pg/identity.h"

namespace branchfs {

struct ImportJob {
  const std::shared_ptr<Store>& store;
  const ImportRequest& request;
  ProgressReporter& progress;
  SpaceWatch space;
  ImportResult result;

  // For every piece of data: shows it, watches the free space, notices signals.
  Status advance(std::uint64_t done, std::uint64_t total);
  // With the branch's name and the store's certificate.
  [[nodiscard]] Result<ConfigureRequest> configure_request() const;
  // Makes the branch public, the last step of a copying import.
  Status publish(TreeBuilder& builder, const std::string& origin, const ClusterFacts& facts,
                 const pg::NeutralizePlan& plan);
};

struct DirectorySourceInfo {
  std::string dir;
  std::string origin;  // for the manifest
  std::string label;   // Manifest.postgres.source
  std::string role;
};

Status import_directory(ImportJob& job, const DirectorySourceInfo& source);
Status import_by_move(ImportJob& job, const DirectorySourceInfo& source);
Status import_server(ImportJob& job);
Status import_initdb(ImportJob& job);

}  // namespace branchfs
