// Starts, stops and observes a PostgreSQL server on a data directory.
//
// States:  stopped → starting → running → stopping → stopped;  running or starting → crashed (its
// postmaster.pid is there, its process is not) → starting. The truth is in postmaster.pid and /proc, nothing
// is remembered here, so any process may ask. `postgres` is started directly (not through pg_ctl): its pid is
// exact, and there is one process less to wait for. It gets a session of its own, no descriptors of ours, and
// survives the tool; as root it runs as the given user. Port, socket directory and data directory are passed
// on its command line, which wins over every file; everything else is configuration (neutralize.h). Outside
// of the data directory it uses the private runtime directory (0700, the server's user): socket and log.
// Threads: any; callers serialise start and stop of one branch (the branch lock).
// Errors: busy (already running, port taken), refused (may not run as root, somebody else's server), failed,
// which quotes what the server's log says.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/pg/binaries.h"
#include "tools/pg/cluster.h"
#include "tools/pg/identity.h"

namespace branchfs::pg {

// "DIR/.s.PGSQL.65535" must fit into sockaddr_un (107 bytes and a zero).
inline constexpr std::size_t kLongestSocketDir = 107 - 15;

struct ServerSpec {
  Installation installation;
  std::string data_dir;
  std::string runtime_dir;  // from prepare_runtime_dir()
  int port = 0;
  Identity user;                                                   // from owner_identity()
  std::vector<std::pair<std::string, std::string>> settings = {};  // -c name=value
  std::chrono::milliseconds timeout{300'000};                      // until ready, crash recovery included
  std::function<bool()> cancelled = {};  // asked while it starts; true ends it again
};

enum class ServerState : std::uint8_t { stopped, starting, running, stopping, crashed, unclear };
std::string_view to_string(ServerState state);

struct ServerStatus {
  ServerState state = ServerState::stopped;
  pid_t pid = 0;
  int port = 0;
  std::string socket_dir;
  std::int64_t started = 0;  // seconds since 1970
};

ServerStatus server_status(const std::string& data_dir);

// Returns when it accepts connections; its pid. On a timeout (a long crash recovery) the server goes on
// starting. ECANCELED when it was cancelled: then it has ended.
Result<pid_t> start_server(const ServerSpec& spec);

enum class StopMode : std::uint8_t {
  fast,       // a clean shutdown with a checkpoint
  immediate,  // no checkpoint: for branches that are about to be deleted
};
// Fast, after `patience` immediate, then KILL. Nothing to stop is success.
Status stop_server(const std::string& data_dir, StopMode mode = StopMode::fast,
                   std::chrono::milliseconds patience = std::chrono::seconds(60));
Result<pid_t> restart_server(const ServerSpec& spec);

// Creates a private directory for socket and log, owned by `user`, and returns its path: `preferred`, or,
// when that is too long for a socket or shuts the user out, a short one that depends on `preferred` alone,
// below /run/branchfs (root), /run/user/UID or /tmp/branchfs-UID. Record the result.
Result<std::string> prepare_runtime_dir(const std::string& preferred, const Identity& user);
std::string log_path(const std::string& runtime_dir);

// A loopback port that nobody listens on and that is not in `taken` (the ports of the store's other
// branches). The same `seed` (store and branch) leads to the same port while it is free. Below the range of
// outgoing connections.
Result<int> choose_port(const std::set<int>& taken, std::string_view seed);
bool port_is_free(int port);

// The lines of a server log that say why it ended.
std::string relevant_lines(std::string_view log);

}  // namespace branchfs::pg
