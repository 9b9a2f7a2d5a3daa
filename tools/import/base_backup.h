// A base backup of a running server, as a stream: the client side of the replication protocol's BASE_BACKUP.
//
// Spoken directly because pg_basebackup can write several tablespaces only to files, never to a pipe, and
// because the major of its binary would have to fit the server's. Speaks the stream of 14 (one COPY per tar
// archive) and of 15 and later (one COPY of typed messages). WAL from the backup's start to its end comes at
// the end of the last archive, kept on the server meanwhile by a temporary slot of this connection (without
// one if the server has none free). Passwords come from the URL, PGPASSWORD or the password file, through
// libpq. Threads: one. Every wait ends on a signal (tools/interrupt.h). Dropped at any point, the server ends
// the backup. Errors: failed, with the server's reason in one line and a hint.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "layers/base/result.h"

namespace branchfs {

struct ServerFacts {
  unsigned major = 0;
  std::string superuser;  // the bootstrap superuser; empty when plain SQL is not allowed to us
  std::string address;    // "db1.example:5432", without credentials
  // Settings that came from the server's configuration file, as lines of a postgresql.conf: for servers whose
  // file lies outside the data directory. Only what the user may see.
  std::string settings;
  unsigned directory_mode = 0700;
};

class BaseBackup {
 public:
  struct Archive {
    std::string oid;       // of the tablespace; empty: the data directory
    std::string location;  // where the server has it
  };

  // Connects, asks for a fast checkpoint and starts the backup.
  static Result<std::unique_ptr<BaseBackup>> start(const std::string& url);
  virtual ~BaseBackup() = default;

  [[nodiscard]] virtual const ServerFacts& server() const = 0;
  [[nodiscard]] virtual const std::vector<Archive>& archives() const = 0;
  [[nodiscard]] virtual std::uint64_t estimated_bytes() const = 0;  // without WAL

  // The next tar archive, in the order of archives() (the data directory last); nothing after the last one.
  virtual Result<std::optional<Archive>> next_archive() = 0;
  // The archive's next bytes, valid until the next call; empty at its end.
  virtual Result<std::span<const std::byte>> read() = 0;
  // After the last archive: the server's confirmation that the backup is whole, and that no tablespace was
  // created meanwhile (replaying its creation would reach for the server's own path).
  virtual Status finish() = 0;
};

// One line and a hint for what a server says when it refuses (its text may be in any language: then without
// hint).
Error explain_server_error(const std::string& message);

}  // namespace branchfs
