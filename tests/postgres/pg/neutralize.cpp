// A branch never reaches out: what a copy of a production-like cluster does when it is started.
#include "tools/pg/neutralize.h"

#include <algorithm>

#include "tests/postgres/pg/place.h"

using namespace branchfs;
using namespace branchfs::pg;

namespace {

// A primary that archives, replicates to a standby, and has a slot.
ServerSpec start_production(Place& place) {
  const std::string dir = place.cluster("prod");
  place.append(dir + "/postgresql.conf",
               "wal_level = logical\narchive_mode = on\nmax_wal_senders = 17\nmax_connections = 150\n"
               "archive_command = 'touch " +
                   place / "archived" +
                   "'\nlisten_addresses = ''\n"
                   "synchronous_standby_names = ''\nmax_logical_replication_workers = 4\n");
  ServerSpec prod = place.server("prod");
  must(start_server(prod));
  place.ask(prod,
            "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); CREATE PUBLICATION p FOR TABLE t;"
            "SELECT pg_create_physical_replication_slot('standby1', true)");
  return prod;
}

void backup(Place& place, const ServerSpec& from, const std::string& to,
            std::vector<std::string> options = {}) {
  std::vector<std::string> argv = {place.installation.program("pg_basebackup"),
                                   "-D",
                                   place / to,
                                   "-h",
                                   from.runtime_dir,
                                   "-p",
                                   std::to_string(from.port),
                                   "-U",
                                   "postgres",
                                   "-c",
                                   "fast"};
  argv.insert(argv.end(), options.begin(), options.end());
  place.as_user(argv);
}

NeutralizeOptions options_for(Place& place, const std::string& branch) {
  NeutralizeOptions options;
  options.branch = branch;
  options.installation = place.installation;
  options.tls = must(ensure_certificate(place / "tls"));
  return options;
}

void plain_start(Place& place, const std::string& name, int port) {
  place.as_user({place.installation.program("pg_ctl"), "-D", place / name, "-l", place / (name + ".log"),
                 "-w", "-o", "-p " + std::to_string(port) + " -k " + place / (name + ".run"), "start"});
}

bool mentions(const std::vector<std::string>& list, const std::string& word) {
  return std::any_of(list.begin(), list.end(),
                     [&](const auto& item) { return item.find(word) != item.npos; });
}

}  // namespace

TEST_CASE("a base backup made for a standby starts as an ordinary, silent primary, even by plain pg_ctl") {
  Place place;
  const ServerSpec prod = start_production(place);
  backup(place, prod, "branch", {"-R", "-S", "standby1"});
  CHECK(check_importable(*read_cluster(place / "branch")).ok());
  must(stop_server(prod.data_dir, StopMode::immediate));  // no more archiving from here on
  std::filesystem::remove(place / "archived");

  auto plan = neutralize(place / "branch", options_for(place, "branch"));
  REQUIRE(plan.ok());
  CHECK(mentions(plan->done, "standby.signal"));
  CHECK(mentions(plan->done, "primary_conninfo: emptied"));
  CHECK(mentions(plan->done, "archive_mode: off"));
  ServerSpec branch = place.server("branch");
  plain_start(place, "branch", branch.port);
  CHECK(place.ask(branch, "SELECT pg_is_in_recovery()") == "f");
  CHECK(place.ask(branch, "SHOW archive_mode") == "off");
  CHECK(place.ask(branch, "SHOW primary_conninfo").empty());
  CHECK(place.ask(branch, "SHOW max_wal_senders") == "17");
  CHECK(place.ask(branch, "SHOW data_directory") == place / "branch");
  CHECK(place.ask(branch, "SELECT count(*) FROM pg_replication_slots") == "0");
  CHECK(place.ask(branch, "INSERT INTO t VALUES (2); SELECT pg_switch_wal() IS NOT NULL; CHECKPOINT")
            .starts_with("t"));
  CHECK(place.ask(branch, "SELECT count(*) FROM pg_stat_file('postgresql.conf') WHERE size > 0") == "1");
  CHECK(place.ask(branch,
                  "SELECT count(*) FROM pg_file_settings WHERE error IS NOT NULL AND name NOT IN ('port', "
                  "'unix_socket_directories')") == "0");
  CHECK(place.ask(branch, "SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL") == "0");
  must(stop_server(branch.data_dir));
  CHECK_FALSE(path_exists(place / "archived"));

  // Neutralizing what it wrote, and what Postgres rewrote, changes nothing.
  const auto before = read_file(place / "branch/postgresql.conf");
  REQUIRE(neutralize(place / "branch", options_for(place, "branch")).ok());
  CHECK(*read_file(place / "branch/postgresql.conf") == *before);
}

TEST_CASE("a cleanly stopped standby becomes a primary with all it had received") {
  Place place;
  const ServerSpec prod = start_production(place);
  backup(place, prod, "standby", {"-R", "-S", "standby1"});
  const ServerSpec standby = place.server("standby");
  must(start_server(standby));
  place.ask(prod, "INSERT INTO t SELECT generate_series(2, 1000)");
  for (int i = 0; i < 100 && place.ask(standby, "SELECT count(*) FROM t") != "1000"; ++i) usleep(50'000);
  CHECK(place.ask(standby, "SELECT pg_is_in_recovery()") == "t");
  must(stop_server(standby.data_dir));
  auto facts = read_cluster(standby.data_dir);
  REQUIRE(facts.ok());
  CHECK(facts->control.state == ClusterState::shut_down_in_recovery);
  CHECK(check_importable(*facts).ok());
  FirstStart request = place.first_start_of("standby");
  auto started = first_start(request, {});
  REQUIRE(started.ok());
  CHECK(place.ask(request.server, "SELECT pg_is_in_recovery()") == "f");
  CHECK(place.ask(request.server, "SELECT count(*) FROM t") == "1000");
  CHECK(place.ask(prod, "SELECT count(*) FROM pg_stat_replication") == "0");
}

TEST_CASE("a subscription of the source never connects and cannot drop the source's slot") {
  Place place;
  const ServerSpec prod = start_production(place);
  place.cluster("sub");
  place.append(place / "sub/postgresql.conf", "listen_addresses = ''\n");
  const ServerSpec sub = place.server("sub");
  must(start_server(sub));
  place.ask(sub, "CREATE DATABASE app");
  place.ask(sub, "CREATE TABLE t (id int PRIMARY KEY)", "app");
  place.ask(sub,
            "CREATE SUBSCRIPTION s CONNECTION 'host=" + prod.runtime_dir +
                " port=" + std::to_string(prod.port) + " user=postgres dbname=postgres' PUBLICATION p",
            "app");
  for (int i = 0; i < 100 && place.ask(sub, "SELECT count(*) FROM t", "app") != "1"; ++i) usleep(50'000);
  must(stop_server(sub.data_dir));
  CHECK(place.ask(prod, "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 's'") == "1");

  FirstStart request = place.first_start_of("sub");
  auto started = first_start(request, {});
  REQUIRE(started.ok());
  CHECK(started->facts.database == "app");
  CHECK(mentions(started->facts.neutralized, "subscription s in app: disabled"));
  place.ask(prod, "INSERT INTO t VALUES (7)");
  place.ask(request.server, "ALTER SYSTEM SET max_logical_replication_workers = 4");
  must(restart_server(request.server));
  place.ask(request.server, "SELECT pg_sleep(1); DROP SUBSCRIPTION s", "app");
  CHECK(place.ask(request.server, "SELECT count(*) FROM t", "app") == "1");
  CHECK(place.ask(prod, "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 's' AND NOT active") ==
        "1");
}

TEST_CASE("preload libraries set for a role or a database and missing here are reset") {
  Place place;
  place.cluster("data");
  FirstStart request = place.first_start_of("data");
  must(start_server(request.server));
  place.ask(
      request.server,
      "CREATE ROLE r LOGIN; ALTER DATABASE postgres SET session_preload_libraries = 'no_such_library';"
      "ALTER ROLE r IN DATABASE postgres SET session_preload_libraries = 'auto_explain, no_such_library';"
      "ALTER ROLE r SET session_preload_libraries = 'auto_explain'");
  must(stop_server(request.server.data_dir));
  auto started = first_start(request, {});
  INFO((started ? "" : started.error().what));
  REQUIRE(started.ok());
  CHECK(mentions(started->facts.neutralized, "no_such_library is not installed"));
  CHECK(place.ask(request.server, "SELECT 1", "postgres", "r") == "1");
  CHECK(place.ask(request.server, "SELECT setconfig FROM pg_db_role_setting WHERE setrole <> 0") ==
        "{session_preload_libraries=auto_explain}");
}

TEST_CASE("settings that would keep production from starting here do not keep a branch from it") {
  Place place;
  const std::string dir = place.cluster("data");
  place.append(
      dir + "/postgresql.conf",
      "shared_preload_libraries = 'pg_stat_statements, no_such_library'\nshared_buffers = 4000GB\n"
      "huge_pages = on\nlc_monetary = 'xx_YY'\nmax_stack_depth = 100MB\nunix_socket_group = 'nogrp'\n"
      "ssl = on\nssl_cert_file = '/nonexistent.crt'\nssl_ca_file = '/nonexistent.ca'\n"
      "include_dir = '/nonexistent.d'\nexternal_pid_file = '/nonexistent/pid'\nlogging_collector = on\n"
      "log_directory = '/nonexistent/log'\nrestore_command = 'x'\ndata_directory = '/nonexistent/data'\n"
      "hba_file = '/nonexistent/hba'\nwal_buffers = 1GB\ndefault_transaction_read_only = on\n"
      "log_statement = all\n");
  FirstStart request = place.first_start_of("data");
  auto started = first_start(request, {});
  INFO((started ? "" : started.error().what));
  REQUIRE(started.ok());
  CHECK(mentions(started->warnings, "no_such_library"));
  CHECK(place.ask(request.server, "SHOW shared_preload_libraries") == "pg_stat_statements");
  CHECK(place.ask(request.server, "SHOW shared_buffers") == "128MB");
  CHECK(place.ask(request.server, "SHOW default_transaction_read_only") == "on");
  CHECK(read_file(log_path(request.server.runtime_dir))->find("SCRAM-SHA-256$") == std::string::npos);
}
