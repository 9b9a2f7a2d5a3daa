// postgresql.conf as PostgreSQL reads it: names, quotes, escapes, comments, units, include directives.
//
// Works on text; the files themselves come through ConfSource, so that a configuration can be read from a
// data directory, from Debian's /etc/postgresql, or out of an archive. Plain values, any thread. A line that
// PostgreSQL would reject is kind `invalid`, not an error.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "layers/base/result.h"

namespace branchfs::pg {

struct ConfLine {
  enum class Kind : std::uint8_t { blank, setting, include, include_if_exists, include_dir, invalid };
  Kind kind = Kind::blank;
  std::string raw;    // as written, without the newline
  std::string name;   // lower case
  std::string value;  // unquoted; for includes the file or directory
};

std::vector<ConfLine> parse_conf(std::string_view text);
ConfLine parse_conf_line(std::string_view line);

// name = 'value', quoted as PostgreSQL reads it back.
std::string conf_setting(std::string_view name, std::string_view value);

// A memory size ("8GB", "16384" in units of `unit` bytes) in bytes; nothing when it is not one.
std::optional<std::uint64_t> parse_size(std::string_view value, std::uint64_t unit);
// A comma-separated list, entries unquoted and trimmed.
std::vector<std::string> parse_list(std::string_view value);

// Where configuration files come from. Paths are absolute, or relative to the data directory.
class ConfSource {
 public:
  virtual ~ConfSource() = default;
  // Nothing when it does not exist; an error when it cannot be read.
  virtual Result<std::optional<std::string>> read(const std::string& path) = 0;
  // The names in a directory, sorted; nothing when it does not exist.
  virtual Result<std::optional<std::vector<std::string>>> list(const std::string& path) = 0;
};

struct FlatConf {
  std::vector<ConfLine> lines;        // includes replaced by what they name
  std::vector<std::string> included;  // paths, in order
  std::vector<std::string> missing;   // include directives that lead nowhere
};

// Follows includes as PostgreSQL does: relative to the including file, *.conf of a directory in name order,
// not deeper than 10.
Result<FlatConf> flatten_conf(ConfSource& source, const std::string& path);

// The last setting of each name wins.
std::map<std::string, std::string> effective_settings(const std::vector<ConfLine>& lines);
// With those of postgresql.auto.conf (ALTER SYSTEM), which PostgreSQL reads last.
std::map<std::string, std::string> effective_settings(std::vector<ConfLine> lines, const std::vector<ConfLine>& auto_lines);

}  // namespace branchfs::pg
