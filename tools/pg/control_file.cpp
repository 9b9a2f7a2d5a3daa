#include "tools/pg/control_file.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <optional>

#include "tools/pg/text.h"

namespace branchfs::pg {
namespace {

// Offsets of the head, from ControlFileData.
constexpr std::size_t kVersion = 8;
constexpr std::size_t kCatalogVersion = 12;
constexpr std::size_t kState = 16;
constexpr std::size_t kTime = 24;
constexpr std::size_t kCheckPoint = 32;
constexpr std::size_t kRedo = 40;
constexpr std::size_t kTimeline = 48;

// Distances from floatFormat, backwards and forwards.
constexpr std::size_t kBeforeMaxAlign = 4;
constexpr std::size_t kBeforeMaxLocks = 12;
constexpr std::size_t kBeforeMaxPrepared = 16;
constexpr std::size_t kBeforeMaxSenders = 20;
constexpr std::size_t kBeforeMaxWorkers = 24;
constexpr std::size_t kBeforeMaxConnections = 28;
constexpr std::size_t kBeforeWalLevel = 36;
constexpr std::size_t kBeforeBackupEndRequired = 40;
constexpr std::size_t kAfterBlockSize = 8;
constexpr std::size_t kAfterSegmentSize = 20;
constexpr std::size_t kAfterChecksums = 44;
constexpr std::size_t kTail = 48 + 32;  // from floatFormat to the end of the nonce, at least

constexpr double kFloatFormat = 1234567.0;
constexpr std::uint32_t kMaxAlign = 8;
constexpr std::size_t kFirstAnchor = 160;
constexpr std::size_t kLastAnchor = 400;
constexpr std::size_t kSectorSize = 512;  // PostgreSQL keeps the struct within one sector

template <class T>
T value_at(std::string_view bytes, std::size_t offset) {
  T value{};
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  constexpr std::uint32_t kCastagnoli = 0x82F63B78U;
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1U) != 0 ? (value >> 1U) ^ kCastagnoli : value >> 1U;
    table.at(i) = value;
  }
  return table;
}

constexpr auto kCrcTable = make_crc_table();

std::optional<std::size_t> find_anchor(std::string_view bytes) {
  for (std::size_t at = kFirstAnchor; at <= kLastAnchor && at + kTail < bytes.size(); at += 8) {
    if (value_at<double>(bytes, at) == kFloatFormat &&
        value_at<std::uint32_t>(bytes, at - kBeforeMaxAlign) == kMaxAlign) {
      return at;
    }
  }
  return std::nullopt;
}

// The CRC directly follows the struct; its place differs between majors.
bool checksum_found(std::string_view bytes, std::size_t from) {
  for (std::size_t end = from; end + 4 <= bytes.size() && end + 4 <= kSectorSize; end += 4) {
    if (crc32c(bytes.substr(0, end)) == value_at<std::uint32_t>(bytes, end)) return true;
  }
  return false;
}

bool power_of_two(std::uint32_t value) { return value != 0 && (value & (value - 1)) == 0; }

Error damaged(std::string_view why) {
  return make_error(Kind::damaged, fmt::format("global/pg_control: {}", why),
                    "the cluster is damaged or of an unknown version");
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = ~0U;
  for (const char c : bytes) crc = kCrcTable.at((crc ^ static_cast<unsigned char>(c)) & 0xFFU) ^ (crc >> 8U);
  return ~crc;
}

std::string_view to_string(ClusterState state) {
  switch (state) {
    case ClusterState::starting_up:
      return "starting up";
    case ClusterState::shut_down:
      return "shut down";
    case ClusterState::shut_down_in_recovery:
      return "shut down in recovery";
    case ClusterState::shutting_down:
      return "shutting down";
    case ClusterState::in_crash_recovery:
      return "in crash recovery";
    case ClusterState::in_archive_recovery:
      return "in archive recovery";
    case ClusterState::in_production:
      return "in production";
  }
  return "unknown";
}

Result<ControlFile> parse_control_file(std::string_view bytes) {
  if (bytes.size() < kSectorSize) return damaged(fmt::format("only {} bytes long", bytes.size()));
  ControlFile control;
  control.system_identifier = value_at<std::uint64_t>(bytes, 0);
  control.control_version = value_at<std::uint32_t>(bytes, kVersion);
  if (control.control_version % 65536 == 0 && control.control_version / 65536 != 0) {
    return damaged("written by a machine with the other byte order");
  }
  const auto anchor = find_anchor(bytes);
  if (!anchor) return damaged("not a control file of PostgreSQL 14 or newer on this kind of machine");
  if (!checksum_found(bytes, *anchor + kTail)) return damaged("wrong checksum");
  const auto state = value_at<std::uint32_t>(bytes, kState);
  if (state > static_cast<std::uint32_t>(ClusterState::in_production))
    return damaged("unknown cluster state");
  control.state = static_cast<ClusterState>(state);
  control.catalog_version = value_at<std::uint32_t>(bytes, kCatalogVersion);
  control.changed = value_at<std::int64_t>(bytes, kTime);
  control.checkpoint = value_at<std::uint64_t>(bytes, kCheckPoint);
  control.redo = value_at<std::uint64_t>(bytes, kRedo);
  control.timeline = value_at<std::uint32_t>(bytes, kTimeline);
  const auto before = [&](std::size_t distance) { return value_at<std::int32_t>(bytes, *anchor - distance); };
  control.backup_end_required = bytes[*anchor - kBeforeBackupEndRequired] != 0;
  control.wal_level = before(kBeforeWalLevel);
  control.max_connections = before(kBeforeMaxConnections);
  control.max_worker_processes = before(kBeforeMaxWorkers);
  control.max_wal_senders = before(kBeforeMaxSenders);
  control.max_prepared_transactions = before(kBeforeMaxPrepared);
  control.max_locks_per_transaction = before(kBeforeMaxLocks);
  control.block_size = value_at<std::uint32_t>(bytes, *anchor + kAfterBlockSize);
  control.wal_segment_size = value_at<std::uint32_t>(bytes, *anchor + kAfterSegmentSize);
  control.data_checksums = value_at<std::uint32_t>(bytes, *anchor + kAfterChecksums) != 0;
  if (!power_of_two(control.block_size) || !power_of_two(control.wal_segment_size)) {
    return damaged("impossible page or segment size");
  }
  return control;
}

Result<ControlFile> read_control_file(const std::string& data_dir) {
  BFS_ASSIGN(const std::string bytes, read_file(data_dir + "/global/pg_control", 64UL << 10U));
  return parse_control_file(bytes);
}

}  // namespace branchfs::pg
