// Small text and file helpers of tools/pg: lines, quoting, whole files read with a limit and replaced
// atomically. Plain functions; any thread. write_file() is durable when it returns and never follows or
// overwrites through a symlink in the last component.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "layers/base/result.h"

namespace branchfs::pg {

std::vector<std::string> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);
std::string lower(std::string_view text);
// The last `count` non-empty lines, joined by "; ".
std::string last_lines(std::string_view text, std::size_t count);

inline constexpr std::size_t kTextLimit = 16UL << 20U;

// Follows symlinks; only regular files; an error when longer than `limit`.
Result<std::string> read_file(const std::string& path, std::size_t limit = kTextLimit);
Status write_file(const std::string& path, std::string_view content, mode_t mode = 0600);
Status write_all(int fd, std::string_view content);
Status sync_directory(const std::string& path);
// Creates the directory and missing parents; the last one gets `mode`.
Status make_dirs(const std::string& path, mode_t mode = 0700);
bool is_directory(const std::string& path);  // follows symlinks
bool path_exists(const std::string& path);   // does not
// The directory part of a path ("." when there is none).
std::string parent_of(const std::string& path);

}  // namespace branchfs::pg
