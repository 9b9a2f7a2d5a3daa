// What the paths of a cluster mean to an import. All are relative to the data directory. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace branchfs {

// Whether an import leaves out this path: the contents of directories that the server empties at start,
// replication slots, relation caches, temporary files, postmaster.pid, core dumps.
bool leave_out(std::string_view path);
// Where configuration may live: a small file at the top, or any *.conf; and pg_control, which tells what it
// is for.
bool may_be_config(std::string_view path, std::uint64_t size);
// Whether a path that came from outside stays below its root: relative, no empty part, no "." or "..".
bool safe_relative_path(std::string_view path);
// One or more decimal digits.
bool is_number(std::string_view text);

}  // namespace branchfs
