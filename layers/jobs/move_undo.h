// The list of files that import_move took from their directory into a delta: deltas/ID/moved, durable before
// the first of them moves and removed when the branch is published. Whoever finds it in a delta that no
// branch reaches moves them back: they are somebody's only copy. Format: fields ended by a zero byte: the
// source directory, then for each file its inode number (16 hex digits), a space and its path below that
// directory. Threads: one, with the journal locked.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "layers/io/env.h"

namespace branchfs {

struct MovedFiles {
  std::string source;
  std::vector<std::pair<Ino, std::string>> files;
};

Status write_moved_files(Env& env, const std::string& delta_dir, const MovedFiles& moved);
Result<bool> has_moved_files(Env& env, const std::string& delta_dir);
Status forget_moved_files(Env& env, const std::string& delta_dir);
// Moves every file that is still in the delta back, then forgets the list. A file of that name in the way is
// an error.
Status move_back(Env& env, const std::string& delta_dir);

}  // namespace branchfs
