// Facts from global/pg_control, read directly, so that they need no binaries of that major.
//
// The struct's head has the same layout in every supported major; the settings and page sizes are found
// relative to the constant 1234567.0 that every control file carries (`floatFormat`), which holds for majors
// 14 to 18 although the checkpoint copy before it may change size. The file says itself where it ends: the
// CRC-32C of everything before it. A truncated, foreign or hostile file gives `damaged`, never wrong facts.
// Plain values, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "layers/base/result.h"

namespace branchfs::pg {

// PostgreSQL's DBState, same numbers.
enum class ClusterState : std::uint32_t {
  starting_up = 0,
  shut_down = 1,
  shut_down_in_recovery = 2,
  shutting_down = 3,
  in_crash_recovery = 4,
  in_archive_recovery = 5,
  in_production = 6,
};
std::string_view to_string(ClusterState state);  // pg_controldata's words

struct ControlFile {
  std::uint64_t system_identifier = 0;
  std::uint32_t control_version = 0;
  std::uint32_t catalog_version = 0;
  ClusterState state = ClusterState::starting_up;
  std::int64_t changed = 0;      // seconds since 1970
  std::uint64_t checkpoint = 0;  // LSN of the last checkpoint record
  std::uint64_t redo = 0;        // LSN where recovery begins
  std::uint32_t timeline = 0;
  bool backup_end_required = false;
  int wal_level = 0;  // 0 minimal, 1 replica, 2 logical
  int max_connections = 0;
  int max_worker_processes = 0;
  int max_wal_senders = 0;
  int max_prepared_transactions = 0;
  int max_locks_per_transaction = 0;
  std::uint32_t block_size = 0;        // bytes
  std::uint32_t wal_segment_size = 0;  // bytes
  bool data_checksums = false;

  [[nodiscard]] bool cleanly_stopped() const {
    return state == ClusterState::shut_down || state == ClusterState::shut_down_in_recovery;
  }
};

Result<ControlFile> parse_control_file(std::string_view bytes);
Result<ControlFile> read_control_file(const std::string& data_dir);

// CRC-32C as PostgreSQL uses it (Castagnoli, reflected).
std::uint32_t crc32c(std::string_view bytes);

}  // namespace branchfs::pg
