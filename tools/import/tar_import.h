// Unpacks a stream of tar bytes straight into a tree: nothing touches the disk but the store.
//
// Meant for a base backup's archives, which a hostile server may have made: names must be relative, without
// ".." or empty parts; the only links accepted are those of pg_tblspc (which become directories, filled by
// their own archives). Leaves out what leave_out() names. Threads: one. Errors: failed (a malformed archive,
// what the source or the tree say).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>

#include "layers/base/attr.h"
#include "layers/jobs/import.h"

namespace branchfs {

// Small files that configuration may live in, as they came: path → what it was.
struct ConfigFile {
  Attr attr;
  std::string content;
};
using ConfigFiles = std::map<std::string, ConfigFile>;

struct TarOptions {
  std::string into;                // directory that the archive's names are below; "" = the root
  std::uint32_t uid = 0, gid = 0;  // who owns everything
  std::function<Status(std::uint64_t bytes)> on_bytes;  // after each piece of file data; an error stops
  ConfigFiles* config = nullptr;                        // collects; may be null
};

// `source` gives the archive's next bytes, empty at its end; end-of-archive blocks may be missing (as servers
// before 15 leave them out).
Status import_tar(TreeBuilder& builder, const std::function<Result<std::span<const std::byte>>()>& source,
                  const TarOptions& options);

}  // namespace branchfs
