// One libpq connection over a branch's private socket, for the tool's own statements.
//
// Settings that production may have (read-only transactions, timeouts, statement logging) are switched off
// for the session, so that nothing of it lands in a log and nothing of it is refused. One thread at a time.
// Errors: failed with the server's message.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "layers/base/result.h"

struct pg_conn;

namespace branchfs::pg {

struct SessionTarget {
  std::string socket_dir;
  int port = 0;
  std::string role;
  std::string database;
  int major = 0;
};

class Session {
 public:
  using Row = std::vector<std::string>;  // NULL is an empty string

  static Result<Session> open(const SessionTarget& target);
  Result<std::vector<Row>> query(const std::string& sql);
  Status execute(const std::string& sql);
  [[nodiscard]] std::string quote_name(std::string_view name) const;
  [[nodiscard]] std::string quote_text(std::string_view text) const;
  [[nodiscard]] const SessionTarget& target() const { return target_; }

 private:
  struct Closer {
    void operator()(pg_conn* connection) const;
  };
  std::unique_ptr<pg_conn, Closer> connection_;
  SessionTarget target_;
};

// For main(), before threads: libpq lets these variables win over a socket given as host.
void forget_redirections();

}  // namespace branchfs::pg
