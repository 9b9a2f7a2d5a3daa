// `branchfs import`: a cluster becomes a root branch.
//
// Three sources: a stopped data directory (copied, or taken over with `move`), a running server (its base
// backup is streamed into the store, no second copy on disk), or a fresh initdb. What arrives is neutralized
// (it must not act as production) and self-contained (tablespaces, pg_wal and other links lead inside the
// branch). Atomic: run_import() returns with the branch published durably, or leaves the store and the source
// as they were, also on SIGINT and SIGTERM, which it handles while it runs. Threads: one call per process at
// a time. Errors: usage (contradicting request, bad name), not_found (no such directory), exists (name
// taken), busy (the cluster is running), refused (not a cluster, crashed, unsupported major), failed (I/O,
// network, full).
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "layers/store/store.h"
#include "tools/progress.h"

namespace branchfs {

struct ImportRequest {
  std::string name;

  // Exactly one of the three sources.
  std::string pgdata;   // --pgdata DIR
  std::string url;      // --url: a libpq URL or conninfo string
  bool initdb = false;  // --initdb

  bool move = false;                        // --move, only with pgdata
  std::string config_dir;                   // --config-dir DIR, only with pgdata
  std::vector<std::string> initdb_options;  // after "--", only with initdb
  std::string user;                         // --user: who runs initdb when root asks for it; "" = postgres
};

struct ImportResult {
  Manifest manifest;
  std::uint64_t logical_bytes = 0;  // data of the branch's files, in whole blocks
  std::uint64_t stored_bytes = 0;   // what the import added to the store
  double seconds = 0;
  std::vector<std::string> warnings;  // one line each, for stderr

  // "prod: 1.2 GiB stored as 410 MiB (2.9x) in 12 s" and the same as JSON.
  [[nodiscard]] std::string summary(const std::string& name) const;
  [[nodiscard]] nlohmann::json json(const std::string& name) const;
};

Result<ImportResult> run_import(const std::shared_ptr<Store>& store, const ImportRequest& request,
                                ProgressReporter& progress);

}  // namespace branchfs
