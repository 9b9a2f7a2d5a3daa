// One libpq connection over a branch's private socket, for the tool's own statements.
//
// Settings that production may have (read-only transactions, timeouts, statement logging) are switched off
// for the session, so that nothing of it lands in a log and nothing of it is refused. One thread at a time.
// Errors: failed with the server's message; for a session with private_errors without anything that could be a value:
// no DETAIL, HINT or CONTEXT, and for errors that quote data (SQLSTATE classes 21, 22, 23, P0 …) the condition's code and the names of what it
// concerns.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "layers/base/result.h"

struct pg_conn;
struct pg_result;

namespace branchfs::pg {

struct SessionTarget {
  std::string socket_dir;
  int port = 0;
  std::string role;
  std::string database;
  int major = 0;
  bool private_errors = false;  // error texts may be shown to people who may not see the data
};

class Session {
 public:
  using Row = std::vector<std::string>;  // NULL is an empty string

  static Result<Session> open(const SessionTarget& target);
  Result<std::vector<Row>> query(const std::string& sql);
  Status execute(const std::string& sql);
  // With $1 … as text; the values appear in no statement, so in no log and no view of the server's.
  Result<std::vector<Row>> query(const std::string& sql, const std::vector<std::string>& parameters);
  // With $1 as bytes (bytea).
  Status execute_with_bytes(const std::string& sql, std::string_view bytes);
  [[nodiscard]] std::string quote_name(std::string_view name) const;
  [[nodiscard]] std::string quote_text(std::string_view text) const;
  [[nodiscard]] const SessionTarget& target() const { return target_; }

 private:
  Result<std::vector<Row>> rows_of(pg_result* raw);
  struct Closer {
    void operator()(pg_conn* connection) const;
  };
  std::unique_ptr<pg_conn, Closer> connection_;
  SessionTarget target_;
};

// Whether a server says there that it takes no connections now: it starts, recovers or stops.
bool rejects_connections(const std::string& socket_dir, int port);

// For main(), before threads: libpq lets these variables win over a socket given as host.
void forget_redirections();

}  // namespace branchfs::pg
