// Servers on plain directories: start, stop, crash, credentials, and what goes wrong.
#include "tools/pg/server.h"

#include <signal.h>

#include <thread>

#include "tests/postgres/pg/place.h"

using namespace branchfs;
using namespace branchfs::pg;
using namespace std::chrono_literals;

namespace {

Result<Output> psql_over_tcp(const Place& place, const Access& access, const std::string& sslmode) {
  Command command;
  command.argv = {
      place.installation.program("psql"), "-X", "-At", "-c",
      "SELECT current_user || ',' || ssl || ',' || current_setting('cluster_name') FROM pg_stat_ssl "
      "WHERE pid = pg_backend_pid()"};
  command.unset = {"PG*"};
  command.env = make_client_environment(access);
  command.env.emplace_back("PGSSLMODE", sslmode);
  command.env.emplace_back("PGSSLROOTCERT", place / "tls/server.crt");
  return run(command);
}

std::string controldata(Place& place, const std::string& dir, const std::string& label) {
  const auto output = place.as_user({"env", "LC_ALL=C", place.installation.program("pg_controldata"), dir});
  for (const auto& line : split(output.out, '\n')) {
    if (line.starts_with(label + ":"))
      return std::string(trim(std::string_view(line).substr(label.size() + 1)));
  }
  return "?";
}

}  // namespace

TEST_CASE("first start, password over TLS, restart, crash, recovery, stop") {
  Place place;
  const std::string dir = place.cluster("data");
  FirstStart request = place.first_start_of("data");
  auto started = first_start(request, {});
  REQUIRE(started.ok());
  const Facts& facts = started->facts;
  CHECK(facts.role == "postgres");
  CHECK(facts.database == "postgres");
  CHECK(facts.prepared);
  CHECK(started->warnings.empty());

  ServerStatus status = server_status(dir);
  CHECK(status.state == ServerState::running);
  CHECK(status.port == request.server.port);
  CHECK(status.socket_dir == request.server.runtime_dir);
  CHECK(getsid(status.pid) == status.pid);
  CHECK(start_server(request.server).error().kind == Kind::busy);
  CHECK(neutralize(dir, request.neutralize).error().kind == Kind::busy);

  Access access{"127.0.0.1", facts.port, facts.role, request.password, facts.database};
  auto answer = psql_over_tcp(place, access, "verify-full");
  REQUIRE(answer.ok());
  CHECK(answer->err.empty());
  CHECK(answer->out == "postgres,true,data\n");
  access.password = "wrong";
  CHECK(psql_over_tcp(place, access, "prefer")->code != 0);
  // Neither the password nor its verifier is in the log, with every statement logged.
  const auto log = read_file(log_path(request.server.runtime_dir));
  REQUIRE(log.ok());
  CHECK(log->find(request.password) == std::string::npos);
  CHECK(log->find("SCRAM-SHA-256$") == std::string::npos);

  place.ask(request.server, "CREATE TABLE t AS SELECT 42 AS v");
  const pid_t before = status.pid;
  auto again = restart_server(request.server);
  REQUIRE(again.ok());
  CHECK(*again != before);
  REQUIRE(kill(*again, SIGKILL) == 0);
  for (int i = 0; i < 500 && server_status(dir).state == ServerState::running; ++i)
    std::this_thread::sleep_for(10ms);
  CHECK(server_status(dir).state == ServerState::crashed);
  CHECK(check_importable(*read_cluster(dir)).error().kind == Kind::refused);
  for (int i = 0; i < 100 && !start_server(request.server).ok(); ++i) std::this_thread::sleep_for(100ms);
  CHECK(place.ask(request.server, "SELECT v FROM t") == "42");
  REQUIRE(stop_server(dir).ok());
  CHECK(server_status(dir).state == ServerState::stopped);
  CHECK(stop_server(dir).ok());
  CHECK(check_importable(*read_cluster(dir)).ok());
}

TEST_CASE("the control file's facts are pg_controldata's") {
  Place place;
  const std::string dir = place.cluster("data", {"--wal-segsize=4"});
  auto control = read_control_file(dir);
  REQUIRE(control.ok());
  CHECK(std::to_string(control->system_identifier) == controldata(place, dir, "Database system identifier"));
  CHECK(std::string(to_string(control->state)) == controldata(place, dir, "Database cluster state"));
  CHECK(std::to_string(control->timeline) == controldata(place, dir, "Latest checkpoint's TimeLineID"));
  CHECK(std::to_string(control->max_connections) == controldata(place, dir, "max_connections setting"));
  CHECK(std::to_string(control->max_worker_processes) ==
        controldata(place, dir, "max_worker_processes setting"));
  CHECK(std::to_string(control->max_wal_senders) == controldata(place, dir, "max_wal_senders setting"));
  CHECK(std::to_string(control->max_locks_per_transaction) ==
        controldata(place, dir, "max_locks_per_xact setting"));
  CHECK(std::to_string(control->wal_segment_size) == controldata(place, dir, "Bytes per WAL segment"));
  CHECK(std::to_string(control->block_size) == controldata(place, dir, "Database block size"));
  CHECK(control->data_checksums);
  CHECK(control->wal_level == 1);
}

TEST_CASE("a copy of a running server's directory is not running, and starts beside it") {
  Place place;
  const std::string dir = place.cluster("parent");
  FirstStart parent = place.first_start_of("parent");
  REQUIRE(first_start(parent, {}).ok());
  auto refused = check_importable(*read_cluster(dir));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().kind == Kind::busy);
  place.ask(parent.server, "CREATE TABLE t AS SELECT 1 AS v; CHECKPOINT");
  place.as_user({"cp", "-a", dir, place / "child"});  // nothing is being written: as good as one instant
  CHECK(server_status(place / "child").state == ServerState::stopped);
  FirstStart child = place.first_start_of("child");
  auto started = first_start(child, Facts{});
  REQUIRE(started.ok());
  CHECK(server_status(place / "child").state == ServerState::running);
  CHECK(server_status(dir).state == ServerState::running);
  CHECK(place.ask(child.server, "SELECT v FROM t") == "1");
  CHECK(place.ask(child.server, "SHOW cluster_name") == "child");
}

TEST_CASE("a cluster whose superuser has an unusual name is asked for it") {
  Place place;
  place.cluster("data", {"-U", "Chef de rang"});
  FirstStart request = place.first_start_of("data");
  auto started = first_start(request, {});
  REQUIRE(started.ok());
  CHECK(started->facts.role == "Chef de rang");
  const Access access{"127.0.0.1", started->facts.port, started->facts.role, request.password, "postgres"};
  CHECK(psql_over_tcp(place, access, "require")->out == "Chef de rang,true,data\n");
}

TEST_CASE("another role can carry the password") {
  Place place;
  place.cluster("data");
  FirstStart request = place.first_start_of("data");
  request.role = "d\"e'v";
  auto started = first_start(request, {});
  REQUIRE(started.ok());
  const Access access{"127.0.0.1", started->facts.port, request.role, request.password, "postgres"};
  CHECK(psql_over_tcp(place, access, "require")->out == "d\"e'v,true,data\n");
}

TEST_CASE("a failed start says what the server said, and leaves nothing running") {
  Place place;
  const std::string dir = place.cluster("data");
  ServerSpec spec = place.server("data");
  spec.settings = {{"shared_preload_libraries", "no_such_library"}};
  auto failed = start_server(spec);
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().what.find("no_such_library") != std::string::npos);
  CHECK(server_status(dir).state == ServerState::stopped);

  FirstStart request = place.first_start_of("data");
  REQUIRE(first_start(request, {}).ok());
  place.cluster("other");
  ServerSpec other = place.server("other");
  other.port = request.server.port;
  failed = start_server(other);
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().kind == Kind::busy);
}

TEST_CASE("a start that is cancelled ends at once, and leaves nothing running") {
  Place place;
  const std::string dir = place.cluster("data");
  ServerSpec spec = place.server("data");
  int looks = 0;
  spec.cancelled = [&] { return ++looks > 2; };
  auto cancelled = start_server(spec);
  REQUIRE_FALSE(cancelled.ok());
  CHECK(cancelled.error().sys == ECANCELED);
  CHECK(server_status(dir).pid == 0);
  spec.cancelled = {};
  CHECK(start_server(spec).ok());
}

TEST_CASE("Postgres never runs as root") {
  Place place;
  place.cluster("data");
  ServerSpec spec = place.server("data");
  spec.user = Identity{0, 0, "root", "/root", {0}};
  CHECK(start_server(spec).error().kind == Kind::refused);
  CHECK(run_initdb(place.installation, place / "x", spec.user).error().kind == Kind::refused);
  if (geteuid() != 0) return;
  const Scratch mine;
  CHECK(owner_identity(mine.path()).error().kind == Kind::refused);
  CHECK(owner_identity(place / "data")->uid == place.user.uid);
}
