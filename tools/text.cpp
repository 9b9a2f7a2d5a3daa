#include "tools/text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <ctime>
#include <limits>

#include <fmt/format.h>

namespace branchfs {

namespace {

struct Unit {
  char letter;
  std::int64_t seconds;
};
constexpr std::array<Unit, 5> kUnits{{{'w', 604800}, {'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}}};
// A century: beyond it a ttl is a typing error, and sums of two cannot overflow.
constexpr std::int64_t kLongestDuration = 100LL * 365 * 86400;

Error bad_duration(std::string_view text) {
  return make_error(Kind::usage, fmt::format("\"{}\" is not a duration", text),
                    "use a number and a unit, such as 90s, 15m, 2h or 3d");
}

// Letters wrong, missing, added, or two neighbours swapped: one each.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
}

std::string time_text(std::int64_t seconds, const char* format, bool utc) {
  const auto when = static_cast<std::time_t>(seconds);
  std::tm parts{};
  if (utc) {
    ::gmtime_r(&when, &parts);
  } else {
    ::localtime_r(&when, &parts);
  }
  std::array<char, 40> buffer{};
  return {buffer.data(), std::strftime(buffer.data(), buffer.size(), format, &parts)};
}

}  // namespace

Result<std::int64_t> parse_duration(std::string_view text) {
  std::int64_t total = 0;
  std::size_t at = 0;
  if (text.empty()) return bad_duration(text);
  while (at < text.size()) {
    const std::size_t first = at;
    std::int64_t number = 0;
    while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) != 0) {
      number = number * 10 + (text[at++] - '0');
      if (number > kLongestDuration) return bad_duration(text);
    }
    if (at == first) return bad_duration(text);
    std::int64_t unit = 1;
    if (at < text.size()) {
      const auto* found =
          std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) { return u.letter == text[at]; });
      if (found == kUnits.end()) return bad_duration(text);
      unit = found->seconds;
      ++at;
    } else if (first != 0) {
      return bad_duration(text);  // "1h30": of what?
    }
    if (number > kLongestDuration / unit) return bad_duration(text);
    total += number * unit;
    if (total > kLongestDuration) return bad_duration(text);
  }
  if (total == 0) return make_error(Kind::usage, "a duration must be longer than zero");
  return total;
}

std::string format_duration(std::int64_t seconds) {
  if (seconds < 0) seconds = 0;
  for (const Unit& unit : kUnits) {
    if (unit.letter != 'w' && seconds >= unit.seconds) {
      return fmt::format("{}{}", seconds / unit.seconds, unit.letter);
    }
  }
  return "0s";
}

std::string format_bytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kNames{"KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes) / 1024;
  std::size_t name = 0;
  while (value >= 1023.95 && name + 1 < kNames.size()) {
    value /= 1024;
    ++name;
  }
  return fmt::format("{:.1f} {}", value, kNames[name]);
}

std::string format_time(std::int64_t seconds) { return time_text(seconds, "%Y-%m-%d %H:%M:%S", false); }
std::string format_utc(std::int64_t seconds) { return time_text(seconds, "%Y-%m-%dT%H:%M:%SZ", true); }

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  // A third of the letters may be wrong: "craete", "delte", "deev1"; anything more is another word.
  const std::size_t tolerance = std::max<std::size_t>(1, word.size() / 3);
  std::size_t best = std::numeric_limits<std::size_t>::max();
  std::string found;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > word.size() + tolerance || word.size() > candidate.size() + tolerance) continue;
    const std::size_t distance = edit_distance(word, candidate);
    if (distance <= tolerance && distance < best && distance < candidate.size()) {
      best = distance;
      found = candidate;
    }
  }
  return found;
}

std::string enumerate(const std::vector<std::string>& names, std::size_t most) {
  const std::size_t shown = names.size() > most ? most - 1 : names.size();
  std::string text;
  for (std::size_t i = 0; i < shown; ++i) {
    const bool last = i + 1 == names.size();
    if (i > 0) text += last ? " and " : ", ";
    text += names[i];
  }
  if (shown < names.size()) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i]));
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string blanks(widths[i] - display_width(row[i]), ' ');
      const bool right = std::find(right_.begin(), right_.end(), i) != right_.end();
      if (i > 0) line += "  ";
      line += right ? blanks + row[i] : row[i] + blanks;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

}  // namespace branchfs
