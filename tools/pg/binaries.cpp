#include "tools/pg/binaries.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "tools/pg/process.h"
#include "tools/pg/text.h"

namespace branchfs::pg {
namespace {

namespace fs = std::filesystem;

constexpr int kNewestGuess = 40;  // a bound for the directories tried, not a promise

std::vector<std::string> candidate_dirs() {
  std::vector<std::string> dirs;
  if (const char* chosen = std::getenv("PGBIN");
      chosen != nullptr && *chosen != '\0' && is_trusted_program(fmt::format("{}/postgres", chosen)))
    dirs.emplace_back(chosen);
  for (int major = kNewestGuess; major >= kOldestMajor; --major) {
    dirs.push_back(fmt::format("/usr/lib/postgresql/{}/bin", major));
    dirs.push_back(fmt::format("/usr/pgsql-{}/bin", major));
  }
  dirs.emplace_back("/usr/local/pgsql/bin");
  if (const std::string found = find_in_path("postgres"); !found.empty() && is_trusted_program(found)) {
    std::error_code ec;
    const fs::path real = fs::canonical(found, ec);
    dirs.push_back(ec ? parent_of(found) : real.parent_path().string());
  }
  return dirs;
}

// "postgres (PostgreSQL) 15.20 (Debian ...)" → "15.20"
std::string version_word(std::string_view text) {
  constexpr std::string_view kMark = "(PostgreSQL) ";
  const std::size_t at = text.find(kMark);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + kMark.size());
  return std::string(text.substr(0, text.find_first_of(" \n")));
}

void read_pg_config(Installation& found) {
  found.lib_dir = found.bin_dir + "/../lib";
  if (is_directory(found.lib_dir + "/postgresql")) found.lib_dir += "/postgresql";
  const std::string program = found.program("pg_config");
  if (access(program.c_str(), X_OK) != 0) return;  // a package of its own on some distributions
  auto output = run(Command{{program}, {}});
  if (!output || output->code != 0) return;
  for (const auto& line : split(output->out, '\n')) {
    const std::string_view text(line);
    const std::size_t equals = text.find(" = ");
    if (equals == std::string_view::npos) continue;
    const std::string_view name = text.substr(0, equals);
    const std::string_view value = text.substr(equals + 3);
    if (name == "PKGLIBDIR" && is_directory(std::string(value))) found.lib_dir = value;
    if (name == "CONFIGURE") {
      found.has_tls = value.find("--with-openssl") != value.npos || value.find("--with-ssl") != value.npos ||
                      value.find("-Dssl=") != value.npos || value.empty();
    }
  }
}

Result<Installation> look_at(const std::string& dir) {
  Installation found;
  found.bin_dir = dir;
  if (access(found.program("postgres").c_str(), X_OK) != 0) return sys_error("find postgres in " + dir);
  Command ask{{found.program("postgres"), "--version"}, {}};
  ask.timeout = std::chrono::seconds(10);
  BFS_ASSIGN(auto output, succeed(ask));
  found.version = version_word(output.out);
  const char* begin = found.version.data();
  std::from_chars(begin, begin + found.version.size(), found.major);
  if (found.major < kOldestMajor) return make_error(Kind::failed, "PostgreSQL in " + dir + " is too old");
  read_pg_config(found);
  return found;
}

std::string install_hint(int major) {
  const std::string other = ", or set PGBIN to the directory of its binaries";
  if (access("/usr/bin/apt-get", X_OK) == 0) return fmt::format("apt install postgresql-{}{}", major, other);
  if (access("/usr/bin/dnf", X_OK) == 0)
    return fmt::format("dnf install postgresql{}-server{}", major, other);
  return fmt::format("install PostgreSQL {}{}", major, other);
}

std::string list_found(const std::vector<Installation>& all) {
  if (all.empty()) return "no PostgreSQL was found";
  std::vector<std::string> names;
  for (const auto& one : all) names.push_back(fmt::format("{} in {}", one.version, one.bin_dir));
  return fmt::format("found {}", fmt::join(names, ", "));
}

}  // namespace

std::string Installation::find_module(std::string_view entry) const {
  std::string path(entry);
  if (path.starts_with("$libdir/")) {
    path = lib_dir + path.substr(std::string_view("$libdir").size());
  } else if (path.find('/') == std::string::npos) {
    path = lib_dir + "/" + path;
  }
  for (const auto& candidate : {path, path + ".so"}) {
    struct ::stat st {};
    if (::stat(candidate.c_str(), &st) == 0 && S_ISREG(st.st_mode)) return candidate;
  }
  return {};
}

std::vector<Installation> find_installations() {
  std::map<int, Installation, std::greater<>> by_major;
  for (const auto& dir : candidate_dirs()) {
    auto found = look_at(dir);
    if (found) by_major.try_emplace(found->major, *found);
  }
  std::vector<Installation> result;
  for (auto& [major, found] : by_major) result.push_back(std::move(found));
  return result;
}

Result<Installation> installation_for(int major) {
  const std::string debian = fmt::format("/{}/bin", major);
  const std::string redhat = fmt::format("/usr/pgsql-{}/bin", major);
  for (const auto& dir : candidate_dirs()) {
    // Asking each one costs a process: skip directories that are named after another major.
    const bool other_major = (dir.starts_with("/usr/lib/postgresql/") && !dir.ends_with(debian)) ||
                             (dir.starts_with("/usr/pgsql-") && dir != redhat);
    if (other_major) continue;
    auto found = look_at(dir);
    if (found && found->major == major) return found;
  }
  return make_error(
      Kind::failed,
      fmt::format("PostgreSQL {} is not installed ({})", major, list_found(find_installations())),
      install_hint(major));
}

Result<Installation> newest_installation() {
  auto all = find_installations();
  if (!all.empty()) return all.front();
  return make_error(Kind::failed, fmt::format("no PostgreSQL {} or newer is installed", kOldestMajor),
                    "apt install postgresql, or set PGBIN to the directory of its binaries");
}

Result<int> parse_major(std::string_view pg_version_file) {
  const std::string_view text = trim(pg_version_file);
  int major = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), major);
  const bool old_style = parsed.ptr != text.data() + text.size() && *parsed.ptr == '.';  // "9.6"
  if (parsed.ec != std::errc() || major <= 0 || (parsed.ptr != text.data() + text.size() && !old_style)) {
    return make_error(Kind::refused, "PG_VERSION does not hold a version number");
  }
  if (major < kOldestMajor) {
    return make_error(Kind::refused, fmt::format("PostgreSQL {} is not supported", text),
                      fmt::format("versions {} and newer are: pg_upgrade it first", kOldestMajor));
  }
  return major;
}

Result<int> read_major(const std::string& data_dir) {
  if (!is_directory(data_dir)) {
    struct ::stat st {};
    if (::stat(data_dir.c_str(), &st) != 0) return sys_error(data_dir);
    return make_error(Kind::refused, data_dir + " is not a directory");
  }
  auto text = read_file(data_dir + "/PG_VERSION", 1024);
  if (text) return parse_major(*text);
  if (text.error().sys == EACCES) {
    return make_error(Kind::failed, fmt::format("{} cannot be read: permission denied", data_dir),
                      "run this as its owner or as root");
  }
  return make_error(Kind::refused, data_dir + " is not a PostgreSQL data directory (it has no PG_VERSION)",
                    "name the directory that holds PG_VERSION and base/");
}

}  // namespace branchfs::pg
