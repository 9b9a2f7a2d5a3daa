#include "tools/pg/hba.h"

#include <fmt/format.h>

#include "tools/pg/text.h"

namespace branchfs::pg {
namespace {

constexpr std::string_view kBegin = "# branchfs: rules of a branch";
constexpr std::string_view kEnd = "# branchfs: end. Rules of the source, not in force here:";
constexpr std::string_view kRules =
    "# TCP needs a password and reaches loopback only; the socket is private (0700).\n"
    "local   all          all                 trust\n"
    "host    all          all  127.0.0.1/32   scram-sha-256\n"
    "host    all          all  ::1/128        scram-sha-256\n"
    "local   replication  all                 trust\n"
    "host    replication  all  127.0.0.1/32   scram-sha-256\n"
    "host    replication  all  ::1/128        scram-sha-256\n";

std::string own_rules() { return fmt::format("{}\n{}{}\n", kBegin, kRules, kEnd); }

// The lines behind our own block, which stands first. One that was changed, or that stands elsewhere, is not ours.
std::vector<std::string> foreign_lines(std::string_view source) {
  const std::string own = own_rules();
  if (source.starts_with(own)) source.remove_prefix(own.size());
  auto lines = split(source, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();  // behind the last newline
  return lines;
}

// Blank is what PostgreSQL takes for blank here: a line of a vertical tab is a rule to it, and one it cannot read.
bool is_rule(std::string_view line) {
  const std::size_t first = line.find_first_not_of(" \t\r");
  return first != std::string_view::npos && line[first] != '#';
}

bool has_secret(std::string_view line) {
  const std::string text = lower(line);
  return text.find("ldapbindpasswd") != std::string::npos || text.find("radiussecrets") != std::string::npos;
}

}  // namespace

std::string branch_hba(std::string_view source) {
  std::string result = own_rules();
  for (const auto& line : foreign_lines(source)) {
    if (has_secret(line)) {
      result += "# (a rule with a password, left out)";
    } else if (is_rule(line)) {
      result += "# ";
      // A continued rule would make the next line part of this comment, or of ours.
      result +=
          line.ends_with('\\') ? std::string_view(line).substr(0, line.size() - 1) : std::string_view(line);
    } else {
      result += line;
    }
    result += '\n';
  }
  return result;
}

bool has_foreign_rules(std::string_view source) {
  for (const auto& line : foreign_lines(source)) {
    if (is_rule(line)) return true;
  }
  return false;
}

}  // namespace branchfs::pg
