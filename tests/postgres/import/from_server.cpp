// import --url on real servers.
#include <atomic>
#include <fstream>
#include <thread>

#include "tests/postgres/import/import_support.h"

namespace branchfs::test {
namespace {

// Commits one row after another and remembers the last that the server acknowledged.
class Ledger {
 public:
  explicit Ledger(const TestCluster& cluster) {
    cluster.psql("CREATE TABLE ledger (id int)");
    thread_ = std::thread([this, &cluster] {
      while (!stop_) {
        const int from = acknowledged_ + 1;
        const auto done = pg::run(cluster.client(
            "psql", {"-XAtq", "-c", "INSERT INTO ledger VALUES (" + std::to_string(from) + ")", "postgres"}));
        if (!done || done->code != 0) return;
        acknowledged_ = from;
      }
    });
  }
  ~Ledger() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;
  [[nodiscard]] int acknowledged() const { return acknowledged_; }

 private:
  std::atomic<bool> stop_ = false;
  std::atomic<int> acknowledged_ = 0;
  std::thread thread_;
};

}  // namespace

TEST_CASE("a server under load is imported with every commit acknowledged before") {
  TestCluster source;
  source.configure("checkpoint_timeout = 30s\nmax_wal_size = 64MB");
  source.start();
  source.run("pgbench", {"-i", "-q", "-s", "5", "postgres"});
  const TestStore store;
  int before = 0;
  {
    auto load = must(
        pg::Child::start(source.client("pgbench", {"-n", "-c", "4", "-j", "1", "-T", "60", "postgres"})));
    const Ledger ledger(source);
    while (ledger.acknowledged() < 20) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    before = ledger.acknowledged();
    const auto result = must(store.import(from_url(source.url())));
    CHECK(result.manifest.origin == "url");
    CHECK(result.manifest.postgres.at("user") == "postgres");
    CHECK(ledger.acknowledged() > before);  // the load really went on
    load.signal(SIGTERM);
  }
  CHECK(source.psql("SELECT count(*) FROM pg_replication_slots") == "0");
  source.stop();
  const ExportedBranch branch(store);
  const auto server = TestCluster::on(branch.data());
  server->start();
  CHECK(std::stoi(server->psql("SELECT count(*) FROM ledger WHERE id <= " + std::to_string(before))) ==
        before);
  CHECK(server->psql("SELECT count(*) = max(id) FROM ledger") == "t");
  // TPC-B: every transaction adds the same amount everywhere.
  CHECK(server->psql(
            "SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(bbalance) FROM "
            "pgbench_branches) "
            "AND (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(delta) FROM pgbench_history)") ==
        "t");
  server->run("pg_amcheck", {"--install-missing", "postgres"});
}

TEST_CASE("a server with tablespaces is imported with them inside") {
  TestCluster source;
  source.start();
  for (const char* name : {"one", "two"}) {
    source.psql(std::string("CREATE TABLESPACE ") + name + " LOCATION '" + source.make_dir(name) + "'");
    source.psql(std::string("CREATE TABLE t_") + name + " TABLESPACE " + name +
                " AS SELECT generate_series(1, 10000) AS i");
  }
  const TestStore store;
  must(store.import(from_url(source.url())));
  source.stop();
  must(posix_env().remove_tree(source.dir() + "/one"));
  must(posix_env().remove_tree(source.dir() + "/two"));
  const ExportedBranch branch(store);
  for (const auto& item : fs::recursive_directory_iterator(branch.data())) CHECK_FALSE(item.is_symlink());
  const auto server = TestCluster::on(branch.data());
  server->start();
  CHECK(server->psql("SELECT (SELECT count(*) FROM t_one) + (SELECT count(*) FROM t_two)") == "20000");
}

TEST_CASE("a server whose configuration lies elsewhere keeps its settings") {
  TestCluster source;
  const std::string etc = source.make_dir("etc");
  for (const char* name : {"postgresql.conf", "pg_hba.conf", "pg_ident.conf"}) {
    fs::rename(source.data() + "/" + name, etc + "/" + name);
  }
  std::ofstream(etc + "/postgresql.conf", std::ios::app)
      << "hba_file = '" << etc << "/pg_hba.conf'\nident_file = '" << etc
      << "/pg_ident.conf'\nwork_mem = '7MB'\n"
      << "search_path = '\"it''s\", public'\n";
  source.start({"-c", "config_file=" + etc + "/postgresql.conf"});
  const TestStore store;
  must(store.import(from_url(source.url())));
  const ExportedBranch branch(store);
  const auto server = TestCluster::on(branch.data());
  server->start();
  CHECK(server->psql("SHOW work_mem") == "7MB");
  CHECK(server->psql("SHOW search_path") == "\"it's\", public");
}

TEST_CASE("a connection that breaks midway, and a signal, leave nothing behind") {
  TestCluster source;
  source.start();
  source.psql("CREATE TABLE big AS SELECT i, md5(i::text) FROM generate_series(1, 1000000) AS i");
  const TestStore store;
  const auto before = store.files();
  const auto when_begun = [&](const std::function<void()>& act) {
    return std::thread([&store, act] {
      while (!store.busy()) std::this_thread::yield();
      act();
    });
  };
  {
    auto breaker = when_begun([&] {
      pg::Command command = source.client(
          "psql", {"-XAtqc", "SELECT pg_terminate_backend(pid) FROM pg_stat_replication", "postgres"});
      ignore(pg::run(command));
    });
    const auto broken = store.import(from_url(source.url()));
    breaker.join();
    REQUIRE_FALSE(broken.ok());
    CHECK(broken.error().what.find('\n') == std::string::npos);
    CHECK(store.files() == before);
  }
  auto killer = when_begun([] { ::kill(::getpid(), SIGINT); });
  const auto interrupted = store.import(from_url(source.url()));
  killer.join();
  REQUIRE_FALSE(interrupted.ok());
  CHECK(interrupted.error().what.find("interrupted") != std::string::npos);
  CHECK(store.files() == before);
  CHECK(source.psql("SELECT count(*) FROM pg_replication_slots") == "0");
}

TEST_CASE("an unreachable server leaves nothing behind") {
  const TestStore store;
  const auto before = store.files();
  const auto result =
      store.import(from_url("postgres://nobody@127.0.0.1:" + std::to_string(free_port()) + "/x"));
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().kind == Kind::failed);
  CHECK(store.import(from_url("postgres://u:secret@[broken")).error().what.find("secret") ==
        std::string::npos);
  CHECK(store.files() == before);
}

}  // namespace branchfs::test
