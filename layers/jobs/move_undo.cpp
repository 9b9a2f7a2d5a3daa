#include "layers/jobs/move_undo.h"

#include <fmt/format.h>

#include <charconv>

#include "layers/delta/delta.h"

namespace branchfs {

namespace {

std::string list_path(const std::string& delta_dir) { return delta_dir + "/moved"; }

Result<MovedFiles> read_moved_files(Env& env, const std::string& delta_dir) {
  BFS_ASSIGN(std::string text, env.read_file(list_path(delta_dir), 1U << 30U));
  auto bad = [&] {
    return make_error(Kind::damaged, "the list of moved files " + list_path(delta_dir) + " is damaged");
  };
  MovedFiles moved;
  for (std::size_t start = 0; start < text.size();) {
    std::size_t end = text.find('\0', start);
    if (end == text.npos) return bad();
    std::string_view field = std::string_view(text).substr(start, end - start);
    start = end + 1;
    if (moved.source.empty()) {
      moved.source = field;
      if (moved.source.empty()) return bad();
      continue;
    }
    Ino ino;
    auto parsed = std::from_chars(field.data(), field.data() + field.size(), ino.v, 16);
    if (parsed.ec != std::errc{} || parsed.ptr != field.data() + 16 || field.size() < 18) return bad();
    moved.files.emplace_back(ino, field.substr(17));
  }
  return moved;
}

}  // namespace

Status write_moved_files(Env& env, const std::string& delta_dir, const MovedFiles& moved) {
  std::string text = moved.source + '\0';
  for (const auto& [ino, path] : moved.files) text += fmt::format("{:016x} {}", ino.v, path) + '\0';
  return env.replace_file(list_path(delta_dir), text);
}

Result<bool> has_moved_files(Env& env, const std::string& delta_dir) { return env.is_there(list_path(delta_dir)); }

Status forget_moved_files(Env& env, const std::string& delta_dir) {
  Status removed = env.unlink(list_path(delta_dir));
  if (!removed && removed.error().sys == ENOENT) return {};
  return removed;
}

Status move_back(Env& env, const std::string& delta_dir) {
  BFS_ASSIGN(MovedFiles moved, read_moved_files(env, delta_dir));
  for (const auto& [ino, path] : moved.files) {
    std::string from = delta_dir + "/f/" + Delta::file_name(ino);
    BFS_ASSIGN(const bool is_here, env.is_there(from));
    if (!is_here) continue;  // not moved yet, or back already
    Status renamed = env.rename(from, moved.source + "/" + path, 1U /* RENAME_NOREPLACE */);
    if (!renamed) {
      return std::move(renamed).error().with_hint("the file is still in " + from);
    }
  }
  BFS_TRY(env.sync_filesystem(moved.source));
  return forget_moved_files(env, delta_dir);
}

}  // namespace branchfs
