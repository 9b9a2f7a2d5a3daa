#include "tools/import/source_edits.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "layers/io/env.h"
#include "tools/pg/text.h"

namespace branchfs {

SourceEdits::~SourceEdits() { undo(); }

Status SourceEdits::begin() {
  const pg::ActAs rights(owner_);
  const std::string dir = root_ + "/" + kUndoDirectory;
  if (::mkdir(dir.c_str(), 0700) == 0) {
    steps_.push_back({dir, {}, {}});
    return {};
  }
  if (errno != EEXIST) return sys_error("prepare " + root_);
  return make_error(Kind::refused, dir + " is left from an import that was killed",
                    "put back what it holds, or delete it");
}

Status SourceEdits::move(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    const int err = errno;
    Error error = sys_error("move " + from, err);
    error.kind = Kind::failed;
    if (err == EXDEV) error.hint = "import without --move copies it";
    return error;
  }
  steps_.push_back({{}, from, to});
  return {};
}

Status SourceEdits::set_aside(const std::string& path) {
  return move(root_ + "/" + path, fmt::format("{}/{}/{}", root_, kUndoDirectory, aside_++));
}

Status SourceEdits::make_parents(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? Status{} : make_directory(path.substr(0, slash));
}

Status SourceEdits::remove(const std::string& path) {
  const pg::ActAs rights(owner_);
  return pg::path_exists(root_ + "/" + path) ? set_aside(path) : Status{};
}

Status SourceEdits::make_directory(const std::string& path) {
  BFS_TRY(make_parents(path));
  const pg::ActAs rights(owner_);
  const std::string real = root_ + "/" + path;
  struct ::stat st {};
  if (::lstat(real.c_str(), &st) == 0) {
    if (S_ISDIR(st.st_mode)) return {};
    BFS_TRY(set_aside(path));
  }
  if (::mkdir(real.c_str(), 0700) != 0) return sys_error("make directory " + real);
  steps_.push_back({real, {}, {}});
  return {};
}

Status SourceEdits::write(const std::string& path, const std::string& content, unsigned mode) {
  BFS_TRY(make_parents(path));
  BFS_TRY(remove(path));
  const pg::ActAs rights(owner_);
  const std::string real = root_ + "/" + path;
  steps_.push_back({real, {}, {}});
  return pg::write_file(real, content, static_cast<mode_t>(mode));
}

Status SourceEdits::make_link(const std::string& path, const std::string& target) {
  BFS_TRY(remove(path));
  const pg::ActAs rights(owner_);
  const std::string real = root_ + "/" + path;
  if (::symlink(target.c_str(), real.c_str()) != 0) return sys_error("make link " + real);
  steps_.push_back({real, {}, {}});
  return {};
}

Status SourceEdits::take_contents(const std::string& from, const std::string& path) {
  BFS_TRY(make_directory(path));
  const pg::ActAs rights(owner_);
  BFS_ASSIGN(const auto items, posix_env().list(from));
  for (const auto& item : items) BFS_TRY(move(from + "/" + item.name, root_ + "/" + path + "/" + item.name));
  return {};
}

void SourceEdits::commit() {
  const pg::ActAs rights(owner_);
  steps_.clear();
  // What was set aside is worthless now; what of it cannot be deleted harms nobody.
  ignore(posix_env().remove_tree(root_ + "/" + kUndoDirectory));
}

void SourceEdits::undo() {
  const pg::ActAs rights(owner_);
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
    if (step->created.empty()) {
      static_cast<void>(::rename(step->to.c_str(), step->from.c_str()));
    } else if (::rmdir(step->created.c_str()) != 0) {
      static_cast<void>(::unlink(step->created.c_str()));
    }
  }
  steps_.clear();
}

}  // namespace branchfs
