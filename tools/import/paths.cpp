#include "tools/import/paths.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace branchfs {
namespace {

constexpr std::uint64_t kConfigLimit = 1U << 20U;
// Emptied or recreated when a server starts; src/backend/backup/basebackup.c leaves out the same.
constexpr std::array<std::string_view, 8> kEmptied = {
    "pg_replslot", "pg_stat_tmp",  "pg_dynshmem", "pg_notify",
    "pg_serial",   "pg_snapshots", "pg_subtrans", "pg_wal/archive_status"};
constexpr std::array<std::string_view, 6> kTopFiles = {"postmaster.pid",       "postmaster.opts",
                                                       "backup_manifest",      "postgresql.auto.conf.tmp",
                                                       "current_logfiles.tmp", "lost+found"};

// t<backend>_<relfilenode>, with an optional fork and segment: a temporary relation a dead backend left.
bool temporary_relation(std::string_view name) {
  if (name.size() < 4 || name[0] != 't') return false;
  const auto underscore = name.find('_');
  if (underscore == std::string_view::npos || !is_number(name.substr(1, underscore - 1))) return false;
  const auto rest = name.substr(underscore + 1);
  const auto end = rest.find_first_of("_.");
  return is_number(rest.substr(0, end));
}

bool core_dump(std::string_view name) {
  if (name.substr(0, 6) == "vgcore") return true;
  return name.substr(0, 4) == "core" && (name.size() == 4 || (name[4] == '.' && is_number(name.substr(5))));
}

}  // namespace

bool is_number(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); });
}

bool leave_out(std::string_view path) {
  const auto slash = path.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  if (slash == std::string_view::npos &&
      (std::find(kTopFiles.begin(), kTopFiles.end(), path) != kTopFiles.end() || core_dump(path))) {
    return true;
  }
  for (const auto dir : kEmptied) {
    if (path.size() > dir.size() && path.compare(0, dir.size(), dir) == 0 && path[dir.size()] == '/')
      return true;
  }
  if (name.substr(0, 16) == "pg_internal.init" || name.substr(0, 9) == "pgsql_tmp") return true;
  const bool relations = path.substr(0, 5) == "base/" || path.substr(0, 10) == "pg_tblspc/";
  return relations && temporary_relation(name);
}

bool safe_relative_path(std::string_view path) {
  std::size_t begin = 0;
  while (true) {
    const auto slash = path.find('/', begin);
    const auto part = path.substr(begin, slash == std::string_view::npos ? slash : slash - begin);
    if (part.empty() || part == "." || part == "..") return false;
    if (slash == std::string_view::npos) return true;
    begin = slash + 1;
  }
}

bool may_be_config(std::string_view path, std::uint64_t size) {
  if (size > kConfigLimit) return false;
  const bool conf = path.size() > 5 && path.compare(path.size() - 5, 5, ".conf") == 0;
  return conf || path.find('/') == std::string_view::npos || path == "global/pg_control";
}

}  // namespace branchfs
