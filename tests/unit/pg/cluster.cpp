// Facts of data directories, healthy and hostile.
#include "tools/pg/cluster.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "tests/catch.h"
#include "tests/unit/pg/scratch.h"
#include "tools/pg/binaries.h"
#include "tools/pg/text.h"

using namespace branchfs;
using namespace branchfs::pg;

namespace {

template <class T>
void put(std::string& bytes, std::size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

// A control file as PostgreSQL 14 to 17 lay it out (`shift` = 0), or with a checkpoint copy that grew.
std::string control_file(ClusterState state, std::size_t shift = 0) {
  std::string bytes(8192, '\0');
  const std::size_t anchor = 208 + shift;
  put<std::uint64_t>(bytes, 0, 7123456789ULL);
  put<std::uint32_t>(bytes, 8, 1300);
  put<std::uint32_t>(bytes, 12, 202209061);
  put(bytes, 16, state);
  put<std::uint64_t>(bytes, 40, 0x1000028);
  put<std::uint32_t>(bytes, 48, 3);
  put<std::int32_t>(bytes, anchor - 36, 2);
  put<std::int32_t>(bytes, anchor - 28, 500);
  put<std::int32_t>(bytes, anchor - 24, 16);
  put<std::int32_t>(bytes, anchor - 20, 12);
  put<std::int32_t>(bytes, anchor - 16, 7);
  put<std::int32_t>(bytes, anchor - 12, 128);
  put<std::uint32_t>(bytes, anchor - 4, 8);
  put(bytes, anchor, 1234567.0);
  put<std::uint32_t>(bytes, anchor + 8, 8192);
  put<std::uint32_t>(bytes, anchor + 20, 64U << 20U);
  put<std::uint32_t>(bytes, anchor + 44, 1);
  const std::size_t end = anchor + 80 + (shift != 0 ? 4 : 0);
  put(bytes, end, crc32c(std::string_view(bytes).substr(0, end)));
  return bytes;
}

void make_cluster(const Scratch& dir, ClusterState state) {
  for (const char* name : {"global", "pg_tblspc", "pg_wal"}) REQUIRE(make_dirs(dir / name).ok());
  REQUIRE(write_file(dir / "PG_VERSION", "15\n").ok());
  REQUIRE(write_file(dir / "global/pg_control", control_file(state)).ok());
  REQUIRE(write_file(dir / "pg_wal/000000010000000000000001", "").ok());
}

Kind importable(const Scratch& dir) {
  auto cluster = read_cluster(dir.path());
  if (!cluster) return cluster.error().kind;
  auto checked = check_importable(*cluster);
  if (checked) return Kind{};
  CHECK_FALSE(checked.error().hint.empty());
  return checked.error().kind;
}

}  // namespace

TEST_CASE("CRC-32C of the standard check string") { CHECK(crc32c("123456789") == 0xE3069283U); }

TEST_CASE("the control file's facts, wherever its settings moved to") {
  for (const std::size_t shift : {0U, 8U, 16U}) {
    auto control = parse_control_file(control_file(ClusterState::shut_down, shift));
    REQUIRE(control.ok());
    CHECK(control->system_identifier == 7123456789ULL);
    CHECK(control->cleanly_stopped());
    CHECK(control->timeline == 3);
    CHECK(control->redo == 0x1000028);
    CHECK(control->wal_level == 2);
    CHECK(control->max_connections == 500);
    CHECK(control->max_worker_processes == 16);
    CHECK(control->max_wal_senders == 12);
    CHECK(control->max_prepared_transactions == 7);
    CHECK(control->max_locks_per_transaction == 128);
    CHECK(control->wal_segment_size == 64U << 20U);
    CHECK(control->data_checksums);
  }
}

TEST_CASE("every truncated control file and every flipped bit of its struct is refused") {
  const std::string good = control_file(ClusterState::in_production);
  for (std::size_t size = 0; size < 512; ++size) CHECK_FALSE(parse_control_file(good.substr(0, size)).ok());
  for (std::size_t at = 0; at < 292; ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    CHECK_FALSE(parse_control_file(bad).ok());
  }
  CHECK_FALSE(parse_control_file(std::string(8192, '\0')).ok());
  std::mt19937 random(20240229);
  std::string noise(8192, '\0');
  for (int round = 0; round < 200; ++round) {
    for (char& c : noise) c = static_cast<char>(random());
    CHECK_FALSE(parse_control_file(noise).ok());
  }
}

TEST_CASE("PG_VERSION in its forms") {
  CHECK(*parse_major("15\n") == 15);
  CHECK(*parse_major("18") == 18);
  for (const char* bad : {"", "x", "9.6\n", "13\n", "-3", "15x", "99999999999999"}) {
    INFO(bad);
    auto major = parse_major(bad);
    REQUIRE_FALSE(major.ok());
    CHECK(major.error().kind == Kind::refused);
  }
}

TEST_CASE("postmaster.pid, whole, torn and stale") {
  auto file = parse_pid_file("4711\n/data\n1700000000\n5433\n/run/x\nlocalhost\n  12 34\nready   \n");
  REQUIRE(file.ok());
  CHECK(file->pid == 4711);
  CHECK(file->data_dir == "/data");
  CHECK(file->port == 5433);
  CHECK(file->socket_dir == "/run/x");
  CHECK(file->status == "ready");
  CHECK(parse_pid_file("-12\n")->pid == 12);
  CHECK_FALSE(parse_pid_file("").ok());
  CHECK_FALSE(parse_pid_file("abc\n").ok());
  const Scratch dir;
  CHECK(find_life(dir.path(), std::nullopt) == Life::none);
  PidFile mine;
  mine.pid = getpid();  // alive, but no postgres
  CHECK(find_life(dir.path(), mine) == Life::stale);
  mine.pid = 0;
  CHECK(find_life(dir.path(), mine) == Life::stale);
}

TEST_CASE("what may be imported and what is refused") {
  const Scratch dir;
  CHECK(importable(dir) == Kind::refused);  // empty
  make_cluster(dir, ClusterState::shut_down);
  CHECK(importable(dir) == Kind{});
  make_cluster(dir, ClusterState::shut_down_in_recovery);
  CHECK(importable(dir) == Kind{});
  make_cluster(dir, ClusterState::in_production);
  CHECK(importable(dir) == Kind::refused);
  REQUIRE(write_file(dir / "standby.signal", "").ok());
  make_cluster(dir, ClusterState::in_archive_recovery);
  CHECK(importable(dir) == Kind::refused);
  unlink((dir / "standby.signal").c_str());

  make_cluster(dir, ClusterState::in_production);
  REQUIRE(write_file(dir / "backup_label", "START WAL LOCATION: 0/1000028\n").ok());
  CHECK(importable(dir) == Kind{});  // an untouched base backup
  unlink((dir / "pg_wal/000000010000000000000001").c_str());
  CHECK(importable(dir) == Kind::refused);  // without its WAL
  REQUIRE(write_file(dir / "global/pg_control", "short").ok());
  CHECK(importable(dir) == Kind::damaged);
  unlink((dir / "global/pg_control").c_str());
  CHECK(importable(dir) == Kind::refused);
  CHECK(read_cluster("/nonexistent/dir").error().kind == Kind::not_found);
}

TEST_CASE("tablespaces, a symlinked pg_wal and signal files are seen") {
  const Scratch dir;
  const Scratch elsewhere;
  make_cluster(dir, ClusterState::shut_down);
  REQUIRE(symlink(elsewhere.path().c_str(), (dir / "pg_tblspc/16400").c_str()) == 0);
  REQUIRE(rename((dir / "pg_wal").c_str(), (elsewhere / "wal").c_str()) == 0);
  REQUIRE(symlink((elsewhere / "wal").c_str(), (dir / "pg_wal").c_str()) == 0);
  auto cluster = read_cluster(dir.path());
  REQUIRE(cluster.ok());
  REQUIRE(cluster->tablespaces.size() == 1);
  CHECK(cluster->tablespaces[0].name == "16400");
  CHECK(cluster->tablespaces[0].target == elsewhere.path());
  CHECK(cluster->wal_dir == elsewhere / "wal");
  CHECK(cluster->has_wal);
  CHECK(importable(dir) == Kind{});
  REQUIRE(symlink("/nonexistent/space", (dir / "pg_tblspc/16401").c_str()) == 0);
  CHECK(importable(dir) == Kind::refused);
}

TEST_CASE("Debian's configuration directory of a cluster is found") {
  const Scratch dir;
  const Scratch etc;
  REQUIRE(make_dirs(etc / "15/main").ok());
  REQUIRE(write_file(etc / "15/main/postgresql.conf", "data_directory = '" + dir.path() + "'\n").ok());
  CHECK(find_config_dir(dir.path(), etc.path()) == etc / "15/main");
  CHECK(find_config_dir(etc.path(), etc.path()).empty());
}

TEST_CASE("a missing major is named, with what is there and how to get it") {
  auto missing = installation_for(33);
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().what.starts_with("PostgreSQL 33 is not installed ("));
  CHECK_FALSE(missing.error().hint.empty());
}
