#include "tools/import/base_backup.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include "layers/io/env.h"
#include "tools/interrupt.h"

namespace branchfs {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kPollMs = 200;  // how late a signal that came between two checks is noticed
constexpr auto kConnectTimeout = std::chrono::seconds(30);
constexpr unsigned kOldestMajor = 14;
constexpr unsigned kTypedMessagesMajor = 15;

struct ConnectionDeleter {
  void operator()(PGconn* connection) const { ::PQfinish(connection); }
};
struct ResultDeleter {
  void operator()(PGresult* result) const { ::PQclear(result); }
};
using Connection = std::unique_ptr<PGconn, ConnectionDeleter>;
using Rows = std::unique_ptr<PGresult, ResultDeleter>;
using Parameters = std::map<std::string, std::string>;

std::string one_line(std::string_view message) {
  std::string line;
  for (const char c : message) {
    if (c != '\n') {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

Result<Parameters> parse_url(const std::string& url) {
  char* message = nullptr;
  PQconninfoOption* options = ::PQconninfoParse(url.c_str(), &message);
  if (options == nullptr) {
    // libpq quotes the whole URL in some of its messages, password and all.
    ::PQfreemem(message);
    return make_error(Kind::usage, "the URL is malformed", "postgres://USER@HOST:PORT/DATABASE");
  }
  Parameters parameters;
  for (const PQconninfoOption* option = options; option->keyword != nullptr; ++option) {
    if (option->val != nullptr) parameters[option->keyword] = option->val;
  }
  ::PQconninfoFree(options);
  return parameters;
}

void drop_notice(void*, const PGresult*) {}

Status wait_for(PGconn* connection, short events) {
  pollfd wait{::PQsocket(connection), events, 0};
  if (wait.fd < 0) return make_error(Kind::failed, "the connection to the server is gone");
  const int ready = ::poll(&wait, 1, kPollMs);
  if (ready < 0 && errno != EINTR) return sys_error("wait for the server");
  return Interrupt::check();
}

Result<Connection> connect(Parameters parameters) {
  parameters.try_emplace("fallback_application_name", "branchfs");
  // A server that vanished without a word is noticed within a minute.
  parameters.try_emplace("keepalives_idle", "30");
  parameters.try_emplace("keepalives_interval", "10");
  parameters.try_emplace("keepalives_count", "3");
  std::vector<const char*> keys;
  std::vector<const char*> values;
  for (const auto& [key, value] : parameters) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  keys.push_back(nullptr);
  values.push_back(nullptr);
  Connection connection(::PQconnectStartParams(keys.data(), values.data(), 0));
  if (!connection) return make_error(Kind::failed, "out of memory");
  const auto deadline = Clock::now() + kConnectTimeout;
  auto state = PGRES_POLLING_WRITING;
  while (::PQstatus(connection.get()) != CONNECTION_BAD && state != PGRES_POLLING_OK &&
         state != PGRES_POLLING_FAILED) {
    pollfd wait{::PQsocket(connection.get()),
                static_cast<short>(state == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
    const int ready = ::poll(&wait, 1, kPollMs);
    BFS_TRY(Interrupt::check());
    if (Clock::now() > deadline) {
      return make_error(Kind::failed, "the server did not answer within 30 s",
                        "check host, port and firewall");
    }
    if (ready > 0) state = ::PQconnectPoll(connection.get());
  }
  // "WAL archiving is not enabled" and the like are no news to who imports.
  ::PQsetNoticeReceiver(connection.get(), drop_notice, nullptr);
  if (::PQstatus(connection.get()) != CONNECTION_OK)
    return explain_server_error(::PQerrorMessage(connection.get()));
  return connection;
}

// The next result of a query that was sent; null when there is none left.
Result<Rows> next_result(PGconn* connection) {
  while (::PQisBusy(connection) != 0) {
    BFS_TRY(wait_for(connection, POLLIN));
    if (::PQconsumeInput(connection) == 0) return explain_server_error(::PQerrorMessage(connection));
  }
  Rows rows(::PQgetResult(connection));
  const auto status = rows ? ::PQresultStatus(rows.get()) : PGRES_COMMAND_OK;
  if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE || status == PGRES_NONFATAL_ERROR) {
    return explain_server_error(::PQresultErrorMessage(rows.get()));
  }
  return rows;
}

Status send(PGconn* connection, const std::string& text) {
  if (::PQsendQuery(connection, text.c_str()) == 1) return {};
  return explain_server_error(::PQerrorMessage(connection));
}

// A query whose whole answer is one set of rows. Reads the answer to its end, also after an error, so that
// the connection can take the next one.
Result<Rows> query(PGconn* connection, const std::string& text) {
  BFS_TRY(send(connection, text));
  Result<Rows> answer = next_result(connection);
  while (true) {
    auto rest = next_result(connection);
    if (rest && !*rest) return answer;
    if (!rest && (::PQstatus(connection) != CONNECTION_OK || Interrupt::requested())) return rest;
  }
}

std::string value(const Rows& rows, int row, int column) {
  if (!rows || row >= ::PQntuples(rows.get()) || column >= ::PQnfields(rows.get())) return {};
  return ::PQgetvalue(rows.get(), row, column);
}

// What plain SQL tells, if the user may connect to a database at all; a replication user often may not.
void ask_facts(PGconn* sql, ServerFacts& facts) {
  if (const auto rows = query(sql, "SELECT rolname FROM pg_catalog.pg_roles WHERE oid = 10")) {
    facts.superuser = value(*rows, 0, 0);
  }
  const auto rows =
      query(sql,
            "SELECT name || ' = ''' || replace(replace(setting, '\\', '\\\\'), '''', '''''') || '''' "
            "FROM pg_catalog.pg_settings WHERE source = 'configuration file' ORDER BY name");
  if (!rows) return;
  for (int i = 0; i < ::PQntuples(rows->get()); ++i) facts.settings += value(*rows, i, 0) + "\n";
}

class Stream final : public BaseBackup {
 public:
  Stream(Connection replication, Connection sql, ServerFacts facts)
      : replication_(std::move(replication)), sql_(std::move(sql)), facts_(std::move(facts)) {}

  Status begin();
  [[nodiscard]] const ServerFacts& server() const override { return facts_; }
  [[nodiscard]] const std::vector<Archive>& archives() const override { return archives_; }
  [[nodiscard]] std::uint64_t estimated_bytes() const override { return estimate_; }
  Result<std::optional<Archive>> next_archive() override;
  Result<std::span<const std::byte>> read() override;
  Status finish() override;

 private:
  [[nodiscard]] bool typed() const { return facts_.major >= kTypedMessagesMajor; }
  Result<std::set<std::string>> tablespace_oids();
  Status read_header();
  Status expect_copy();
  // The next CopyData message; false at the end of the COPY.
  Result<bool> next_message();
  Result<std::optional<Archive>> announced(std::string_view message) const;

  Connection replication_;
  Connection sql_;
  ServerFacts facts_;
  std::set<std::string> known_tablespaces_;
  std::vector<Archive> archives_;
  std::uint64_t estimate_ = 0;
  std::size_t started_ = 0;           // archives handed out
  bool copying_ = false;              // inside a COPY
  std::optional<Archive> announced_;  // typed messages: the archive that comes next
  std::unique_ptr<char, void (*)(void*)> message_{nullptr, ::PQfreemem};
  std::string_view bytes_;
};

Result<std::set<std::string>> Stream::tablespace_oids() {
  BFS_ASSIGN(const Rows rows, query(sql_.get(), "SELECT oid FROM pg_catalog.pg_tablespace"));
  std::set<std::string> oids;
  for (int i = 0; i < ::PQntuples(rows.get()); ++i) oids.insert(value(rows, i, 0));
  return oids;
}

Status Stream::begin() {
  if (const auto rows = query(replication_.get(), "SHOW data_directory_mode")) {
    const auto mode = std::strtoul(value(*rows, 0, 0).c_str(), nullptr, 8);
    if (mode == 0750) facts_.directory_mode = 0750;
  } else {
    BFS_TRY(Interrupt::check());
  }
  if (sql_) {
    // It is needed again at the end of the backup. Unknown to no supported major, so a failure is the
    // connection's.
    BFS_ASSIGN(const Rows kept, query(sql_.get(), "SET idle_session_timeout = 0"));
    BFS_ASSIGN(known_tablespaces_, tablespace_oids());
  }
  const auto slot = fmt::format("CREATE_REPLICATION_SLOT \"branchfs_{}\" TEMPORARY PHYSICAL RESERVE_WAL",
                                posix_env().new_id().hex().substr(0, 16));
  // Without a free slot the server's wal_keep_size decides, and it says so at the end if WAL was recycled.
  if (const auto made = query(replication_.get(), slot); !made) BFS_TRY(Interrupt::check());

  BFS_TRY(send(replication_.get(),
               typed() ? "BASE_BACKUP (LABEL 'branchfs import', PROGRESS, CHECKPOINT 'fast', WAL, "
                         "WAIT false, MANIFEST 'no')"
                       : "BASE_BACKUP LABEL 'branchfs import' PROGRESS FAST WAL NOWAIT MANIFEST 'no'"));
  BFS_TRY(read_header());
  return typed() ? expect_copy() : Status{};
}

Status Stream::read_header() {
  BFS_ASSIGN(const Rows start, next_result(replication_.get()));
  BFS_ASSIGN(const Rows list, next_result(replication_.get()));
  if (!list || ::PQresultStatus(list.get()) != PGRES_TUPLES_OK || ::PQnfields(list.get()) < 3) {
    return make_error(Kind::failed, "the server's answer to BASE_BACKUP is not understood");
  }
  for (int i = 0; i < ::PQntuples(list.get()); ++i) {
    const Archive archive{value(list, i, 0), value(list, i, 1)};
    if (archive.oid.find_first_not_of("0123456789") != std::string::npos) {
      return make_error(Kind::failed, "the server lists a tablespace without a valid OID");
    }
    archives_.push_back(archive);
    estimate_ += std::strtoull(value(list, i, 2).c_str(), nullptr, 10) * 1024;
  }
  if (archives_.empty() || !archives_.back().oid.empty()) {
    return make_error(Kind::failed, "the server's list of tablespaces does not end with the data directory");
  }
  return {};
}

Status Stream::expect_copy() {
  BFS_ASSIGN(const Rows copy, next_result(replication_.get()));
  if (!copy || ::PQresultStatus(copy.get()) != PGRES_COPY_OUT) {
    return make_error(Kind::failed, "the server did not start to send its data");
  }
  copying_ = true;
  return {};
}

Result<bool> Stream::next_message() {
  while (true) {
    char* buffer = nullptr;
    const int length = ::PQgetCopyData(replication_.get(), &buffer, 1);
    if (length > 0) {
      message_.reset(buffer);
      bytes_ = {buffer, static_cast<std::size_t>(length)};
      return true;
    }
    if (length == -2) return explain_server_error(::PQerrorMessage(replication_.get()));
    if (length == -1) {
      copying_ = false;
      bytes_ = {};
      return false;
    }
    BFS_TRY(wait_for(replication_.get(), POLLIN));
    if (::PQconsumeInput(replication_.get()) == 0)
      return explain_server_error(::PQerrorMessage(replication_.get()));
  }
}

// 'n', the archive's name ("base.tar", "16385.tar") and the tablespace's location, each ended by a zero byte.
Result<std::optional<BaseBackup::Archive>> Stream::announced(std::string_view message) const {
  const std::string name(message.substr(1, message.find('\0', 1) - 1));
  const std::string oid = name == "base.tar" ? "" : name.substr(0, name.find('.'));
  for (const auto& archive : archives_) {
    if (archive.oid == oid) return std::optional(archive);
  }
  return make_error(Kind::failed, "the server sends an archive that it did not list: " + name);
}

Result<std::optional<BaseBackup::Archive>> Stream::next_archive() {
  if (!typed()) {
    if (started_ == archives_.size()) return std::optional<Archive>();
    BFS_TRY(expect_copy());
    return std::optional(archives_[started_++]);
  }
  while (!announced_) {
    BFS_ASSIGN(const auto rest, read());
    if (rest.empty() && !announced_) {
      if (started_ < archives_.size()) return make_error(Kind::failed, "the server's backup ended early");
      return std::optional<Archive>();
    }
  }
  ++started_;
  return std::exchange(announced_, std::nullopt);
}

Result<std::span<const std::byte>> Stream::read() {
  while (copying_ && !announced_) {
    BFS_ASSIGN(const bool more, next_message());
    if (!more) break;
    if (typed()) {
      const char kind = bytes_[0];
      if (kind == 'n') {
        BFS_ASSIGN(announced_, announced(bytes_));
        break;
      }
      if (kind != 'd') continue;  // progress; a manifest was not asked for
      bytes_.remove_prefix(1);
    }
    if (!bytes_.empty()) return std::as_bytes(std::span(bytes_.data(), bytes_.size()));
  }
  return std::span<const std::byte>();
}

Status Stream::finish() {
  while (true) {
    BFS_ASSIGN(const Rows rest, next_result(replication_.get()));
    if (!rest) break;
  }
  replication_.reset();  // ends the slot, so the server may recycle WAL again
  if (!sql_) return {};
  BFS_ASSIGN(const auto now, tablespace_oids());
  for (const auto& oid : now) {
    if (known_tablespaces_.count(oid) == 0) {
      return make_error(Kind::failed, "a tablespace was created on the server meanwhile", "import it again");
    }
  }
  return {};
}

}  // namespace

Error explain_server_error(const std::string& message) {
  struct Hint {
    std::string_view pattern;
    std::string_view hint;
  };
  constexpr std::array kHints = {
      Hint{"password authentication failed", "give the password in PGPASSWORD or in ~/.pgpass"},
      Hint{"no password supplied", "give the password in PGPASSWORD or in ~/.pgpass"},
      Hint{"no pg_hba.conf entry for replication",
           "add a line `host replication USER ADDRESS scram-sha-256` to the server's "
           "pg_hba.conf and reload it"},
      Hint{"no pg_hba.conf entry", "allow this client in the server's pg_hba.conf and reload it"},
      Hint{"must be superuser or replication role", "ALTER ROLE … REPLICATION on the server"},
      Hint{"permission denied to start WAL sender", "ALTER ROLE … REPLICATION on the server"},
      Hint{"max_wal_senders",
           "raise max_wal_senders on the server and restart it, or end another replication connection"},
      Hint{"WAL level not sufficient", "set wal_level = replica on the server and restart it"},
      Hint{"Connection refused", "check host and port, and that the server runs and listens there"},
      Hint{"could not translate host name", "check the host name"},
      Hint{"No such file or directory", "check the socket directory and port, and that the server runs"},
      Hint{"server closed the connection", "the server or the network went away; run it again"},
      Hint{"requested WAL segment", "raise wal_keep_size or max_replication_slots on the server"},
      Hint{"could not find WAL file", "raise wal_keep_size or max_replication_slots on the server"},
      Hint{"checksum verification failure", "the server's data is damaged; pg_amcheck and its log say where"},
  };
  Error error{Kind::failed, 0, one_line(message), {}};
  if (error.what.empty()) error.what = "the connection to the server broke off";
  for (const auto& [pattern, hint] : kHints) {
    if (error.what.find(pattern) != std::string::npos) {
      error.hint = hint;
      break;
    }
  }
  return error;
}

Result<std::unique_ptr<BaseBackup>> BaseBackup::start(const std::string& url) {
  BFS_ASSIGN(Parameters parameters, parse_url(url));
  Connection sql;
  if (auto tried = connect(parameters)) {
    sql = *std::move(tried);
    // The password file may name the database, and a replication connection has none.
    if (const char* password = ::PQpass(sql.get()); password != nullptr && *password != '\0') {
      parameters["password"] = password;
    }
  } else {
    BFS_TRY(Interrupt::check());
  }
  parameters["replication"] = "true";
  parameters["dbname"] = "replication";
  BFS_ASSIGN(Connection replication, connect(parameters));

  ServerFacts facts;
  const int version = ::PQserverVersion(replication.get());
  facts.major = static_cast<unsigned>(version / 10000);
  if (facts.major < kOldestMajor) {
    return make_error(Kind::refused, fmt::format("the server is PostgreSQL {}; branches need {} or later",
                                                 facts.major, kOldestMajor));
  }
  facts.address = fmt::format("{}:{}", ::PQhost(replication.get()), ::PQport(replication.get()));
  if (sql) ask_facts(sql.get(), facts);
  auto stream = std::make_unique<Stream>(std::move(replication), std::move(sql), std::move(facts));
  BFS_TRY(stream->begin());
  return std::unique_ptr<BaseBackup>(std::move(stream));
}

}  // namespace branchfs
