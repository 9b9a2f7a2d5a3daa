#include "tools/pg/tablespaces.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <vector>

#include "tools/pg/text.h"

namespace branchfs::pg {
namespace {

namespace fs = std::filesystem;

struct Link {
  std::string path;
  std::string target;
};

Result<std::vector<Link>> read_links(const std::string& dir) {
  std::vector<Link> links;
  std::error_code ec;
  for (fs::directory_iterator at(dir, ec), end; !ec && at != end; at.increment(ec)) {
    if (!at->is_symlink(ec)) continue;
    const fs::path target = fs::read_symlink(at->path(), ec);
    if (!ec) links.push_back({at->path().string(), target.lexically_normal().string()});
  }
  if (ec) return sys_error("read " + dir, ec.value());
  return links;
}

bool is_below(const std::string& path, const std::string& dir) { return path.starts_with(dir + "/"); }

// A tablespace's directory holds one directory for each major that uses it.
bool is_tablespace(const std::string& dir) {
  std::error_code ec;
  for (fs::directory_iterator at(dir, ec), end; !ec && at != end; at.increment(ec)) {
    if (at->path().filename().string().starts_with("PG_") && at->is_directory(ec)) return true;
  }
  return false;
}

// Where `target`, a path inside of another directory, is inside of `dir`: the longest end of it that is a tablespace.
std::string find_inside(const std::string& dir, const std::string& target) {
  for (auto slash = target.find('/'); slash != std::string::npos; slash = target.find('/', slash + 1)) {
    std::string candidate = dir + target.substr(slash);
    if (is_tablespace(candidate)) return candidate;
  }
  return "";
}

Status replace_link(const std::string& path, const std::string& target) {
  const std::string fresh = path + ".new";
  if (::unlink(fresh.c_str()) != 0 && errno != ENOENT) return sys_error("remove " + fresh);
  if (::symlink(target.c_str(), fresh.c_str()) != 0) return sys_error("create " + fresh);
  if (::rename(fresh.c_str(), path.c_str()) != 0) return sys_error("replace " + path);
  return sync_directory(fs::path(path).parent_path().string());
}

// pg_wal on another disk, for one: a server on a copy would write where the original's does.
Status refuse_directories_elsewhere(const std::string& dir) {
  BFS_ASSIGN(const auto links, read_links(dir));
  for (const Link& link : links) {
    std::error_code ec;
    const std::string target = (fs::path(dir) / link.target).lexically_normal().string();  // an absolute one is itself
    if (is_below(target, dir) || !fs::is_directory(target, ec)) continue;
    return make_error(Kind::refused,
                      fmt::format("its {} is at {}, outside of the branch: those files are its parent's",
                                  fs::path(link.path).filename().string(), link.target),
                      "move it to where the link is, in the parent, and branch again");
  }
  return {};
}

}  // namespace

Status settle_tablespaces(const std::string& dir, const Identity& owner, bool copied) {
  const ActAs as(owner);
  if (copied) BFS_TRY(refuse_directories_elsewhere(dir));
  BFS_ASSIGN(const auto links, read_links(dir + "/pg_tblspc"));
  for (const Link& link : links) {
    if (is_below(link.target, dir)) continue;
    if (const std::string inside = find_inside(dir, link.target); !inside.empty()) {
      BFS_TRY(replace_link(link.path, inside));
    } else if (copied) {
      return make_error(Kind::refused,
                        fmt::format("its tablespace {} is at {}, outside of the branch: those files are its parent's",
                                    fs::path(link.path).filename().string(), link.target),
                        "move what it holds to a tablespace inside the branch, in the parent, and branch again");
    }
  }
  return {};
}

}  // namespace branchfs::pg
