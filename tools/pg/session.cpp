#include "tools/pg/session.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <array>
#include <cstdlib>

#include "tools/pg/text.h"

namespace branchfs::pg {
namespace {

struct ResultCloser {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Answer = std::unique_ptr<PGresult, ResultCloser>;

// -c in the startup packet wins over ALTER ROLE and ALTER DATABASE ... SET.
constexpr const char* kQuiet =
    "-c default_transaction_read_only=off -c statement_timeout=0 -c lock_timeout=0 "
    "-c idle_in_transaction_session_timeout=0 -c log_statement=none -c log_min_duration_statement=-1 "
    "-c log_min_error_statement=panic -c session_preload_libraries= -c local_preload_libraries= -c "
    "search_path=pg_catalog -c client_min_messages=error";

std::string field(const PGresult* answer, int code) {
  const char* text = PQresultErrorField(answer, code);
  return text == nullptr ? "" : text;
}

// Messages of these classes are made by the server's own code from names and syntax; all others may quote data.
bool quotes_no_data(std::string_view state) {
  for (const std::string_view safe : {"08", "0A", "25", "28", "2B", "3D", "3F", "40", "42", "53", "54", "55", "57", "58"}) {
    // "invalid input syntax" of a literal in a rule belongs to class 22, like that of a row's value.
    if (state.starts_with(safe)) return true;
  }
  return false;
}

std::string discreet_message(const PGresult* answer, const PGconn* connection) {
  const std::string state = field(answer, PG_DIAG_SQLSTATE);
  if (state.empty()) return PQstatus(connection) == CONNECTION_OK ? "the server said nothing" : "the server is gone";
  if (quotes_no_data(state)) return field(answer, PG_DIAG_MESSAGE_PRIMARY);
  std::string text = fmt::format("error {} (its text is withheld: it may quote data)", state);
  if (const auto constraint = field(answer, PG_DIAG_CONSTRAINT_NAME); !constraint.empty()) text += ", constraint " + constraint;
  if (const auto column = field(answer, PG_DIAG_COLUMN_NAME); !column.empty()) text += ", column " + column;
  if (const auto table = field(answer, PG_DIAG_TABLE_NAME); !table.empty()) text += ", table " + table;
  return text;
}

std::string one_line(const char* message) { return last_lines(message == nullptr ? "" : message, 4); }

}  // namespace

void forget_redirections() {
  for (const char* name : {"PGHOSTADDR", "PGSERVICE"}) unsetenv(name);
}

void Session::Closer::operator()(pg_conn* connection) const { PQfinish(connection); }

Result<Session> Session::open(const SessionTarget& target) {
  const std::string port = std::to_string(target.port);
  std::string options = kQuiet;
  if (target.major >= 17) options += " -c event_triggers=off";  // a login trigger may refuse us
  const std::array<const char*, 10> names = {"host",
                                             "port",
                                             "user",
                                             "dbname",
                                             "options",
                                             "application_name",
                                             "connect_timeout",
                                             "client_encoding",
                                             "gssencmode",
                                             nullptr};
  const std::array<const char*, 10> values = {target.socket_dir.c_str(),
                                              port.c_str(),
                                              target.role.c_str(),
                                              target.database.c_str(),
                                              options.c_str(),
                                              "branchfs",
                                              "30",
                                              "UTF8",
                                              "disable",
                                              nullptr};
  Session session;
  session.target_ = target;
  session.connection_.reset(PQconnectdbParams(names.data(), values.data(), 0));
  if (PQstatus(session.connection_.get()) != CONNECTION_OK) {
    return make_error(Kind::failed, fmt::format("connect as {} to {}: {}", target.role, target.database,
                                                one_line(PQerrorMessage(session.connection_.get()))));
  }
  // libpq prints what nobody takes, INFO whatever client_min_messages says: values (private_errors), or a second line beside our own.
  PQsetNoticeReceiver(session.connection_.get(), [](void*, const PGresult*) {}, nullptr);
  return session;
}

bool rejects_connections(const std::string& socket_dir, int port) {
  if (socket_dir.empty()) return false;
  const std::string number = std::to_string(port);
  // Without a user libpq looks for the caller's, who need not have one. No role is asked for: the answer comes before.
  const std::array<const char*, 6> names = {"host", "port", "user", "dbname", "connect_timeout", nullptr};
  const std::array<const char*, 6> values = {socket_dir.c_str(), number.c_str(), "postgres", "postgres", "5", nullptr};
  return PQpingParams(names.data(), values.data(), 0) == PQPING_REJECT;
}

Result<std::vector<Session::Row>> Session::rows_of(pg_result* raw) {
  const Answer answer(raw);
  const ExecStatusType status = PQresultStatus(answer.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    // The statement itself may hold a secret: only the server's message is quoted.
    return make_error(Kind::failed, target_.private_errors ? discreet_message(answer.get(), connection_.get())
                                                           : one_line(PQerrorMessage(connection_.get())));
  }
  std::vector<Row> rows;
  for (int row = 0; row < PQntuples(answer.get()); ++row) {
    Row& fields = rows.emplace_back();
    for (int column = 0; column < PQnfields(answer.get()); ++column) {
      fields.emplace_back(PQgetvalue(answer.get(), row, column),
                          static_cast<std::size_t>(PQgetlength(answer.get(), row, column)));
    }
  }
  return rows;
}

Result<std::vector<Session::Row>> Session::query(const std::string& sql) {
  return rows_of(PQexec(connection_.get(), sql.c_str()));
}

Result<std::vector<Session::Row>> Session::query(const std::string& sql, const std::vector<std::string>& parameters) {
  std::vector<const char*> values;
  for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
  return rows_of(PQexecParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(),
                              nullptr, nullptr, 0));
}

Status Session::execute_with_bytes(const std::string& sql, std::string_view bytes) {
  const char* value = bytes.data();
  const int length = static_cast<int>(bytes.size());
  const int binary = 1;
  auto rows = rows_of(PQexecParams(connection_.get(), sql.c_str(), 1, nullptr, &value, &length, &binary, 0));
  if (!rows) return std::move(rows).error();
  return {};
}

Status Session::execute(const std::string& sql) {
  auto rows = query(sql);
  if (!rows) return std::move(rows).error();
  return {};
}

std::string Session::quote_name(std::string_view name) const {
  char* quoted = PQescapeIdentifier(connection_.get(), name.data(), name.size());
  std::string result = quoted == nullptr ? "\"\"" : quoted;
  PQfreemem(quoted);
  return result;
}

std::string Session::quote_text(std::string_view text) const {
  char* quoted = PQescapeLiteral(connection_.get(), text.data(), text.size());
  std::string result = quoted == nullptr ? "''" : quoted;
  PQfreemem(quoted);
  return result;
}

}  // namespace branchfs::pg
