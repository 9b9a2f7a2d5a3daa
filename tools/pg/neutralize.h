// A branch never reaches out: makes a copy of production safe to start, even by a plain `pg_ctl -D DIR
// start`.
//
// What a DBA finds in the data directory afterwards:
//   postgresql.conf       the source's text, includes written out in place; every line that a branch must not
//                         have is kept as a comment "#branchfs: ..." (values that may be secrets withheld);
//                         the last line includes branchfs.conf, so that it wins
//   branchfs.conf         what a branch enforces, with reasons; generated, rewritten by each call
//   postgresql.auto.conf  without the settings that branchfs.conf owns (it is read last and would override
//                         them); a later ALTER SYSTEM in the branch is its user's own wish and works
//   pg_hba.conf           our rules; the source's rules below them as comments
//   branchfs.crt/.key     the store's certificate (mode 0600)
// Gone: standby.signal, recovery.signal, recovery.conf, replication slots, postmaster.pid and .opts, and the
// source's own TLS key. A standby's copy thereby becomes an ordinary primary: it replays the WAL it has
// and goes on on its timeline; backup_label stays, because a base backup needs it to recover.
//
// plan_neutralize() only reads, through a ConfSource whose relative paths are those of the data directory, so
// it also works on an archive in flight. neutralize() plans and applies on a directory: idempotent (a second
// call writes nothing), each file replaced atomically, durable when it returns. As root it acts with the
// rights of the directory's owner. Any thread. Errors: busy when a server runs there, failed otherwise.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tools/pg/binaries.h"
#include "tools/pg/conf_file.h"
#include "tools/pg/control_file.h"
#include "tools/pg/identity.h"
#include "tools/pg/tls.h"

namespace branchfs::pg {

// Postgres's own default. Pages a branch does not keep there are in the kernel's cache, shared by all
// branches.
inline constexpr std::uint64_t kSharedBuffersLimit = 128ULL << 20U;

struct NeutralizeOptions {
  std::string branch;      // becomes cluster_name
  std::string config_dir;  // Debian's /etc/postgresql/N/NAME: brought along instead of DIR/postgresql.conf
  int major = 0;           // 0: read from PG_VERSION
  std::optional<ControlFile> control;        // minima of max_connections and the like; WAL segment size
  std::optional<Installation> installation;  // unset: preload libraries are not checked
  std::optional<Certificate> tls;            // unset: TLS off
  int port = 0;                              // 0: Postgres's default until the first start
  std::string socket_dir;                    // private (0700); empty: no socket
  std::uint64_t shared_buffers_limit = kSharedBuffersLimit;
  bool keep_schedulers = false;    // pg_cron and its like run
  bool keep_private_keys = false;  // the source's TLS key stays (unused): for --move
  std::vector<std::pair<std::string, std::string>> settings;  // the user's own, they win over all others
};

struct NeutralizePlan {
  struct Write {
    std::string path;  // relative to the data directory
    std::string content;
    mode_t mode = 0600;
  };
  std::vector<Write> writes;
  std::vector<std::string> removals;  // relative; directories with all they hold; may be absent
  std::vector<std::string> done;      // "archive_mode: off (a branch does not archive)", for the manifest
  std::vector<std::string> warnings;  // "preload library pg_x is not installed for PostgreSQL 16: dropped"
};

Result<NeutralizePlan> plan_neutralize(ConfSource& source, const NeutralizeOptions& options);
// `done` names only what this call changed: append it to what earlier calls returned.
Result<NeutralizePlan> neutralize(const std::string& dir, NeutralizeOptions options);

// Files of a data directory; relative paths are read with its owner's rights, absolute ones with the
// caller's.
class DirectorySource : public ConfSource {
 public:
  DirectorySource(std::string dir, Identity owner, bool trust_absolute)
      : dir_(std::move(dir)), owner_(std::move(owner)), trust_absolute_(trust_absolute) {}
  Result<std::optional<std::string>> read(const std::string& path) override;
  Result<std::optional<std::vector<std::string>>> list(const std::string& path) override;

 private:
  std::string dir_;
  Identity owner_;
  bool trust_absolute_;
};

}  // namespace branchfs::pg
