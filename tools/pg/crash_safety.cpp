#include "tools/pg/crash_safety.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "tools/pg/identity.h"
#include "tools/pg/neutralize.h"
#include "tools/pg/session.h"
#include "tools/pg/text.h"

namespace branchfs::pg {

namespace {

constexpr std::array<std::string_view, 2> kNeeded = {"fsync", "full_page_writes"};

// As PostgreSQL reads a boolean: in any case, and any beginning that leaves no doubt.
bool is_on(std::string_view text) {
  const std::string value = lower(trim(text));
  if (value == "on" || value == "1") return true;
  return !value.empty() && (std::string_view("true").starts_with(value) || std::string_view("yes").starts_with(value));
}

}  // namespace

Result<bool> survives_power_cut(ConfSource& source) {
  BFS_ASSIGN(const FlatConf conf, flatten_conf(source, "postgresql.conf"));
  BFS_ASSIGN(const auto auto_text, source.read("postgresql.auto.conf"));
  const auto settings = effective_settings(conf.lines, parse_conf(auto_text.value_or("")));
  return std::all_of(kNeeded.begin(), kNeeded.end(), [&](std::string_view name) {
    const auto found = settings.find(std::string(name));
    return found == settings.end() || is_on(found->second);  // both are on by default
  });
}

Result<bool> survives_power_cut(const std::string& data_dir) {
  BFS_ASSIGN(Identity owner, owner_identity(data_dir));
  DirectorySource source(data_dir, std::move(owner), false);
  return survives_power_cut(source);
}

Result<CrashSafety> crash_safety_of(Session& session) {
  BFS_ASSIGN(const auto rows, session.query("SELECT bool_and(setting::bool), pg_conf_load_time() > pg_postmaster_start_time(), "
                                            "(SELECT checkpoint_time FROM pg_control_checkpoint()) > pg_conf_load_time() "
                                            "FROM pg_settings WHERE name IN ('fsync', 'full_page_writes')"));
  if (rows.size() != 1 || rows[0].size() != 3) return make_error(Kind::failed, "the server does not say whether fsync is on");
  return CrashSafety{rows[0][0] == "t", rows[0][1] != "f", rows[0][2] == "t"};
}

}  // namespace branchfs::pg
