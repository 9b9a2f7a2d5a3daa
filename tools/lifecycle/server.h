// The server of a branch: its facts in the manifest, how to reach it, what it leaves outside of the mount.
//
// The port and the password belong to the branch for life (reset keeps them); a child gets its own. A port is unique among
// the branches of a store: it is reserved by writing it into the manifest under the store lock. Files:
// branches/NAME/password (0600); STORE/run/ID with the socket and the server's log (somewhere below /run/branchfs
// when the server's user cannot reach the store, which is so for root's); STORE/tls with the certificate.
// The manifest's `postgres` object holds pg::Facts (tools/pg/first_start.h) and "run_as", the --user of root.
// Threads: any. Errors: see tools/lifecycle/lifecycle.h.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

#include "layers/store/branches.h"
#include "tools/pg/first_start.h"
#include "tools/pg/url.h"

namespace branchfs {

using Warn = std::function<void(const std::string&)>;

struct StartRequest {
  bool throw_away = false;  // fsync off: nobody wants the data after a crash
  int port = 0;             // 0: the branch's own, chosen at its first start
  std::string user;         // empty: the owner of the data directory
};

pg::Facts facts_of(const Manifest& manifest);
// For a child: the parent's facts without what belongs to the parent alone.
nlohmann::json inherited_facts(const Manifest& parent);
// After a reset the data is the parent's again: the next start prepares it anew. Port and password stay.
Status forget_preparation(Store& store, const std::string& name);
// The user that root's --user named at an earlier start, or "".
std::string recorded_user(const Manifest& manifest);

// refused when the branch was never started: it has no port yet.
Result<pg::Access> access_of(const Store& store, const BranchInfo& branch);

// Its own port and sockets, and nothing of the parent's server, written into a mounted branch that was never prepared,
// so that a plain `pg_ctl -D MOUNT start` is safe. Nothing to do on a read-only mount or for what is no cluster.
Status configure_on(Store& store, const BranchInfo& branch, const std::string& mountpoint, const Warn& warn);

// How the branch's server is started: its user, directories, and the port that is reserved for it now if it has none.
Result<pg::ServerSpec> server_spec(Store& store, const BranchInfo& branch, const std::string& mountpoint,
                                   const StartRequest& request);

// Starts the server on the mounted branch; prepares it when this is its first start since create or reset.
Result<pg::Access> start_on(Store& store, const BranchInfo& branch, const std::string& mountpoint,
                            const StartRequest& request, const Warn& warn);

// Waits while the server on `mountpoint` recovers from a crash of one of its processes, which postmaster.pid does not tell. False when it
// has ended, or ends.
Result<bool> wait_until_answers(const std::string& mountpoint);

// Through the private socket of the server that runs on `mountpoint`.
Result<pg::Session> session_on(const BranchInfo& branch, const std::string& mountpoint);

// Whether process `pid` is a server on that directory which branchfs started, not somebody by hand.
bool is_started_by_branchfs(pid_t pid, const std::string& data_dir);

// A postmaster that outlived the mount below it: found by its socket's lock file.
std::optional<pid_t> orphaned_server(const Manifest& manifest);
Status end_orphaned_server(const Manifest& manifest);
// Server processes that stand on a dead mount, once the postmaster is gone: one that waits for a lock which another left when it died
// waits, and keeps its client waiting, for ever.
void end_stranded_servers(const std::string& mountpoint);
// The directory of socket and log.
void remove_runtime_files(Store& store, const Manifest& manifest);

// The server's log; empty when it was never started.
std::string server_log(const Manifest& manifest);

}  // namespace branchfs
