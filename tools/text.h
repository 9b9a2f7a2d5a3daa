// Words and numbers as the command line reads and shows them: durations, sizes, ages, tables, suggestions.
//
// Pure functions of their arguments; no I/O, no locale, any thread. Parsers return Kind::usage with the reason.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "layers/base/result.h"

namespace branchfs {

// "90s", "15m", "2h", "3d", "1w", and sums of them ("1h30m"); a plain number means seconds. In seconds, > 0.
Result<std::int64_t> parse_duration(std::string_view text);
// "45s", "12m", "3h", "2d": the largest unit that fits, rounded down; "0s" for what is negative.
std::string format_duration(std::int64_t seconds);
// "812 B", "64.0 KiB", "1.2 GiB".
std::string format_bytes(std::uint64_t bytes);
// "2026-11-22 11:40:05" in local time, and "2026-11-22T11:40:05Z" for JSON.
std::string format_time(std::int64_t seconds);
std::string format_utc(std::int64_t seconds);

// The candidate that `word` was most likely meant to be, or "" when none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);
// "a", "a and b", "a, b and 3 more": at most `most` names.
std::string enumerate(const std::vector<std::string>& names, std::size_t most = 5);

// Terminal columns that a UTF-8 text takes, counting one per code point.
std::size_t display_width(std::string_view text);

// Left-aligned columns, two spaces apart, no trailing blanks. The first row is the heading.
class Table {
 public:
  explicit Table(std::vector<std::string> heading) { rows_.push_back(std::move(heading)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  void align_right(std::size_t column) { right_.push_back(column); }
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::size_t> right_;
};

}  // namespace branchfs
