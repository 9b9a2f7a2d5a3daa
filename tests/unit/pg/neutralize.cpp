// What of production's configuration survives in a branch, and what must not.
#include "tools/pg/neutralize.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "tests/catch.h"
#include "tests/unit/pg/fake_source.h"
#include "tests/unit/pg/scratch.h"
#include "tools/pg/hba.h"
#include "tools/pg/text.h"

using namespace branchfs;
using namespace branchfs::pg;

namespace {

// A data directory in memory, to which a plan can be applied.
class FakeDirectory : public FakeSource {
 public:
  void apply(const NeutralizePlan& plan) {
    for (const auto& write : plan.writes) files[write.path] = write.content;
    for (const auto& gone : plan.removals) {
      std::erase_if(
          files, [&](const auto& file) { return file.first == gone || file.first.starts_with(gone + "/"); });
    }
  }
  // What Postgres would run with: postgresql.conf with its includes, then postgresql.auto.conf.
  std::map<std::string, std::string> effective() {
    auto flat = flatten_conf(*this, "postgresql.conf");
    REQUIRE(flat.ok());
    CHECK(flat->missing.empty());
    return effective_settings(flat->lines, parse_conf(files["postgresql.auto.conf"]));
  }
};

bool mentions(const std::vector<std::string>& list, const std::string& word) {
  return std::any_of(list.begin(), list.end(),
                     [&](const auto& item) { return item.find(word) != item.npos; });
}

constexpr const char* kProduction = R"(
listen_addresses = '*'
port = 6000
max_connections = 400
shared_buffers = 64GB
work_mem = 32MB  # tuned
ARCHIVE_MODE = on
archive_command = 'aws --secret=hunter2 s3 cp %p s3://wal/%f'
synchronous_standby_names = 'FIRST 1 (a, b)'
data_directory = '/srv/pg'
hba_file = '/etc/postgresql/16/main/pg_hba.conf'
ssl = on
ssl_key_file = 'prod.key'
ssl_cert_file = '/etc/ssl/prod.crt'
external_pid_file = '/run/prod.pid'
log_directory = '/var/log/pg'
logging_collector = on
wal_keep_size = 10GB
#primary_conninfo = 'host=old password=swordfish'
include_dir = 'conf.d'
)";

FakeDirectory production() {
  FakeDirectory dir;
  dir.files = {
      {"PG_VERSION", "16\n"},
      {"postgresql.conf", kProduction},
      {"conf.d/10-repl.conf", "restore_command = 'scp token@backup:%f %p'\nrandom_page_cost = 1.1\n"},
      {"postgresql.auto.conf",
       "# Do not edit\nprimary_conninfo = 'host=prod password=swordfish'\n"
       "primary_slot_name = 's1'\nwork_mem = '64MB'\nlisten_addresses = '0.0.0.0'\n"
       "shared_buffers = '48GB'\n"},
      {"pg_hba.conf",
       "local all all peer\nhost all all 0.0.0.0/0 ldap ldapbindpasswd=hunter2\nhost all all all md5\n"},
      {"standby.signal", ""},
      {"recovery.signal", ""},
      {"postmaster.pid", "1234\n"},
      {"postmaster.opts", "postgres -D /srv/pg\n"},
      {"prod.key", "KEY"},
      {"pg_replslot/s1/state", "x"},
  };
  return dir;
}

NeutralizeOptions options_for(const std::string& branch) {
  NeutralizeOptions options;
  options.branch = branch;
  options.tls = Certificate{"CERT", "PRIVATE"};
  return options;
}

}  // namespace

TEST_CASE("nothing of production's reach survives, everything else does") {
  FakeDirectory dir = production();
  auto plan = plan_neutralize(dir, options_for("dev's"));
  REQUIRE(plan.ok());
  dir.apply(*plan);
  auto now = dir.effective();
  CHECK(now["archive_mode"] == "off");
  CHECK(now["archive_command"].empty());
  CHECK(now["archive_library"].empty());
  CHECK(now["primary_conninfo"].empty());
  CHECK(now["primary_slot_name"].empty());
  CHECK(now["restore_command"].empty());
  CHECK(now["synchronous_standby_names"].empty());
  CHECK(now["max_logical_replication_workers"] == "0");
  CHECK(now["listen_addresses"] == "127.0.0.1, ::1");
  CHECK(now["unix_socket_directories"].empty());
  CHECK(now["cluster_name"] == "dev's");
  CHECK(now["ssl"] == "on");
  CHECK(now["ssl_key_file"] == "branchfs.key");
  CHECK(now["external_pid_file"].empty());
  CHECK(now["logging_collector"] == "off");
  CHECK(now["wal_recycle"] == "off");
  CHECK(now["wal_init_zero"] == "off");
  CHECK(now["recovery_init_sync_method"] == "fsync");
  CHECK(now["shared_buffers"] == "128MB");
  CHECK(now["max_connections"] == "400");
  CHECK(now["work_mem"] == "64MB");
  CHECK(now["random_page_cost"] == "1.1");
  for (const char* gone : {"data_directory", "hba_file", "log_directory", "port"})
    CHECK(now.count(gone) == 0);
  for (const char* gone : {"standby.signal", "recovery.signal", "postmaster.pid", "postmaster.opts",
                           "prod.key", "pg_replslot/s1/state"}) {
    INFO(gone);
    CHECK(dir.files.count(gone) == 0);
  }
  for (const char* told :
       {"archive_mode: off", "restore_command: emptied", "replication slot s1", "standby.signal",
        "shared_buffers: 128 MB", "pg_hba.conf", "prod.key", "listen_addresses"}) {
    INFO(told);
    CHECK(mentions(plan->done, told));
  }
}

TEST_CASE("secrets of the source stand in none of the files a branch carries, nor in the report") {
  FakeDirectory dir = production();
  auto plan = plan_neutralize(dir, options_for("dev"));
  REQUIRE(plan.ok());
  for (const char* secret : {"hunter2", "swordfish", "token@backup"}) {
    INFO(secret);
    for (const auto& write : plan->writes) CHECK(write.content.find(secret) == std::string::npos);
    CHECK_FALSE(mentions(plan->done, secret));
    CHECK_FALSE(mentions(plan->warnings, secret));
  }
}

TEST_CASE("neutralizing twice changes nothing and reports nothing new") {
  FakeDirectory dir = production();
  auto first = plan_neutralize(dir, options_for("dev"));
  REQUIRE(first.ok());
  dir.apply(*first);
  const auto before = dir.files;
  auto second = plan_neutralize(dir, options_for("dev"));
  REQUIRE(second.ok());
  dir.apply(*second);
  CHECK(dir.files == before);
  CHECK(second->removals.empty());
  for (const auto& item : second->done) {
    INFO(item);
    CHECK(mentions(first->done, item));
  }
}

TEST_CASE("a child of a branch loses what the parent's user had switched on") {
  FakeDirectory dir = production();
  auto plan = plan_neutralize(dir, options_for("parent"));
  REQUIRE(plan.ok());
  dir.apply(*plan);
  dir.files["postgresql.auto.conf"] += "archive_mode = 'on'\nwork_mem = '1GB'\n";
  dir.files["postgresql.conf"] += "listen_addresses = '*'\n";
  dir.files["pg_hba.conf"] = "host all all 0.0.0.0/0 trust\n" + dir.files["pg_hba.conf"];
  plan = plan_neutralize(dir, options_for("child"));
  REQUIRE(plan.ok());
  dir.apply(*plan);
  auto now = dir.effective();
  CHECK(now["archive_mode"] == "off");
  CHECK(now["listen_addresses"] == "127.0.0.1, ::1");
  CHECK(now["work_mem"] == "1GB");
  CHECK(now["cluster_name"] == "child");
  CHECK_FALSE(has_foreign_rules(dir.files["pg_hba.conf"]));
}

TEST_CASE("settings that another major does not know are not written") {
  FakeDirectory dir;
  dir.files = {{"postgresql.conf", ""}};
  const auto conf_of = [&](int major) {
    NeutralizeOptions options = options_for("x");
    options.major = major;
    auto plan = plan_neutralize(dir, options);
    REQUIRE(plan.ok());
    const auto conf = std::find_if(plan->writes.begin(), plan->writes.end(),
                                   [](const auto& write) { return write.path == "branchfs.conf"; });
    return conf->content;
  };
  const auto has = [&](int major, const char* name) {
    return conf_of(major).find(name) != std::string::npos;
  };
  CHECK_FALSE(has(14, "archive_library"));
  CHECK(has(15, "archive_library"));
  CHECK(has(15, "promote_trigger_file"));
  CHECK_FALSE(has(16, "promote_trigger_file"));
  CHECK(has(16, "db_user_namespace"));
  CHECK_FALSE(has(17, "db_user_namespace"));
  CHECK_FALSE(has(16, "sync_replication_slots"));
  CHECK(has(17, "sync_replication_slots"));
}

TEST_CASE("preload libraries: missing ones dropped with a warning, schedulers quiet") {
  const Scratch lib;
  REQUIRE(write_file(lib / "pg_cron.so", "...cron.launch_active_jobs...").ok());
  REQUIRE(write_file(lib / "citus.so", "x").ok());
  REQUIRE(write_file(lib / "auto_explain.so", "x").ok());
  FakeDirectory dir;
  dir.files = {{"PG_VERSION", "16"},
               {"postgresql.conf",
                "shared_preload_libraries = 'citus, pg_cron, pg_absent'\n"
                "session_preload_libraries = '$libdir/auto_explain'\n"}};
  NeutralizeOptions options = options_for("x");
  options.installation = Installation{16, "16.0", "/nonexistent", lib.path(), true};
  auto plan = plan_neutralize(dir, options);
  REQUIRE(plan.ok());
  dir.apply(*plan);
  auto now = dir.effective();
  CHECK(now["shared_preload_libraries"] == "pg_cron");
  CHECK(now["session_preload_libraries"] == "$libdir/auto_explain");
  CHECK(now["cron.launch_active_jobs"] == "off");
  CHECK(mentions(plan->warnings, "pg_absent is not installed for PostgreSQL 16"));
  CHECK(mentions(plan->done, "citus"));

  // A second time: what was derived from the source is derived again.
  plan = plan_neutralize(dir, options);
  REQUIRE(plan.ok());
  dir.apply(*plan);
  CHECK(dir.effective()["shared_preload_libraries"] == "pg_cron");

  // An old pg_cron cannot be told to be quiet.
  REQUIRE(write_file(lib / "pg_cron.so", "cron 1.2").ok());
  plan = plan_neutralize(dir, options);
  REQUIRE(plan.ok());
  dir.apply(*plan);
  CHECK(dir.effective()["shared_preload_libraries"].empty());

  options.keep_schedulers = true;
  plan = plan_neutralize(dir, options);
  REQUIRE(plan.ok());
  dir.apply(*plan);
  CHECK(dir.effective()["shared_preload_libraries"] == "citus, pg_cron");
}

TEST_CASE("limits never fall below the control file's, WAL size follows the segments") {
  FakeDirectory dir;
  dir.files = {{"PG_VERSION", "16"}, {"postgresql.conf", "max_connections = 50\nmax_wal_senders = 20\n"}};
  NeutralizeOptions options = options_for("x");
  options.control = ControlFile{};
  options.control->max_connections = 300;
  options.control->max_wal_senders = 10;
  options.control->max_prepared_transactions = 5;
  options.control->wal_segment_size = 64U << 20U;
  auto plan = plan_neutralize(dir, options);
  REQUIRE(plan.ok());
  dir.apply(*plan);
  auto now = dir.effective();
  CHECK(now["max_connections"] == "300");
  CHECK(now["max_wal_senders"] == "20");
  CHECK(now["max_prepared_transactions"] == "5");
  CHECK(now["min_wal_size"] == "320MB");
}

TEST_CASE("Debian's split configuration is brought along") {
  FakeDirectory dir;
  dir.files = {{"PG_VERSION", "15"},
               {"/etc/postgresql/15/main/postgresql.conf",
                "data_directory = '/var/lib/postgresql/15/main'\n"
                "work_mem = 77MB\ninclude_dir = 'conf.d'\n"},
               {"/etc/postgresql/15/main/conf.d/x.conf", "jit = off\n"},
               {"/etc/postgresql/15/main/pg_hba.conf", "host all all 10.0.0.0/8 md5\n"},
               {"/etc/postgresql/15/main/pg_ident.conf", "m a b\n"}};
  NeutralizeOptions options = options_for("x");
  options.config_dir = "/etc/postgresql/15/main";
  auto plan = plan_neutralize(dir, options);
  REQUIRE(plan.ok());
  dir.apply(*plan);
  auto now = dir.effective();
  CHECK(now["work_mem"] == "77MB");
  CHECK(now["jit"] == "off");
  CHECK(now.count("data_directory") == 0);
  CHECK(dir.files["pg_hba.conf"].find("# host all all 10.0.0.0/8 md5") != std::string::npos);
  CHECK(dir.files["pg_ident.conf"] == "m a b\n");
  options.config_dir = "/etc/postgresql/15/none";
  CHECK(plan_neutralize(dir, options).error().kind == Kind::failed);
}

TEST_CASE("the user's own settings win over everything, also over ALTER SYSTEM of the source") {
  FakeDirectory dir;
  dir.files = {
      {"PG_VERSION", "16"}, {"postgresql.conf", "fsync = on\n"}, {"postgresql.auto.conf", "fsync = 'on'\n"}};
  NeutralizeOptions options = options_for("x");
  options.settings = {{"fsync", "off"}, {"shared_buffers", "1GB"}, {"port", "7777"}};
  auto plan = plan_neutralize(dir, options);
  REQUIRE(plan.ok());
  dir.apply(*plan);
  auto now = dir.effective();
  CHECK(now["fsync"] == "off");
  CHECK(now["shared_buffers"] == "1GB");
  CHECK(now["port"] == "7777");
}

TEST_CASE("a locale that this machine lacks is replaced with a warning") {
  FakeDirectory dir;
  dir.files = {{"PG_VERSION", "16"}, {"postgresql.conf", "lc_monetary = 'xx_YY.UTF-8'\nlc_time = 'C'\n"}};
  auto plan = plan_neutralize(dir, options_for("x"));
  REQUIRE(plan.ok());
  CHECK(mentions(plan->warnings, "xx_YY.UTF-8"));
  dir.apply(*plan);
  CHECK(dir.effective()["lc_monetary"] == "C");
  CHECK(dir.effective()["lc_time"] == "C");
}

TEST_CASE("a certificate is made once and found again") {
  const Scratch store;
  auto first = ensure_certificate(store / "tls");
  REQUIRE(first.ok());
  CHECK(first->certificate.starts_with("-----BEGIN CERTIFICATE-----"));
  CHECK(first->key.starts_with("-----BEGIN PRIVATE KEY-----"));
  auto second = ensure_certificate(store / "tls");
  REQUIRE(second.ok());
  CHECK(second->key == first->key);
  struct stat st {};
  REQUIRE(stat((store / "tls/server.key").c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0600);
}

TEST_CASE("rules of the source in something that looks like our block are not in force") {
  const std::string own = branch_hba("");
  const std::string mark = own.substr(0, own.find('\n') + 1);
  const std::string rule = "host all all 0.0.0.0/0 trust\n";
  for (const std::string& source : {mark + rule, mark + rule + own, rule + own, own + rule, mark.substr(2) + rule}) {
    INFO(source);
    CHECK(has_foreign_rules(source));
    const std::string hba = branch_hba(source);
    CHECK(!has_foreign_rules(hba));
    CHECK(hba.starts_with(own));
    CHECK(hba.find("\n# " + rule) != std::string::npos);
    CHECK(branch_hba(hba) == hba);
  }
}
