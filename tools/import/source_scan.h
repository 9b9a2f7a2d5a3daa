// Looks at a data directory before it is imported: what will be taken, what is left out, where its links
// lead.
//
// A branch must not reach out, so no symlink that leads outside survives: tablespaces and Postgres's own
// directories (pg_wal and friends) are brought in as directories, linked files as files, absolute links into
// the directory itself become relative ones. A link to anything else is refused by name. Left out is what
// pg_basebackup leaves out (see leave_out) plus core dumps, sockets and other clusters' files in shared
// tablespaces. A cleanly stopped cluster needs no WAL from before its last checkpoint. Reads with the rights
// of the directory's owner, so that root does not pick up for a user what that user could not read. Errors:
// refused (a link that cannot be brought in), failed (unreadable; names the first such file).
//
// Tablespaces become real directories pg_tblspc/OID ("in place", known to every major since 14.5): an absolute
// link would tie a branch to one mount point. A relative link satisfies the server but not its clients:
// pg_basebackup 15 ends with "link target has unsafe path name". Crash recovery accepts directories as they
// are; recovery from a backup taken of the branch insists on links unless allow_in_place_tablespaces is on,
// so a branch with tablespaces has it on (configure.cpp). DROP TABLESPACE, ALTER ... SET TABLESPACE,
// pg_checksums and pg_basebackup work on them.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "layers/base/attr.h"
#include "layers/base/result.h"
#include "tools/pg/cluster.h"
#include "tools/pg/identity.h"

namespace branchfs {

struct SourceScan {
  struct Graft {
    std::string path;    // in the branch: "pg_wal", "pg_tblspc/16385/PG_15_202209061"
    std::string target;  // where it is now, absolute; empty: an empty directory takes the link's place
    bool directory = false;
  };
  struct Tablespace {
    std::string oid;
    std::string location;  // what the symlink says
  };
  std::string root;
  std::vector<Graft> grafts;                   // in the order in which they can be added
  std::vector<Tablespace> tablespaces;         // become directories pg_tblspc/OID
  std::map<std::string, std::string> relinks;  // path → relative target
  std::set<std::string> replaced;              // symlinks of the source that must not be copied as they are
  std::uint64_t bytes = 0;                     // on disk, of what will be taken
  std::uint64_t length = 0;                    // the same with holes, which is what progress counts
  std::vector<std::string> warnings;
  std::string
      first_wal;  // the name, without timeline, of the oldest WAL segment that is still needed; or empty

  // For import_tree and import_move.
  [[nodiscard]] bool skips(const std::string& path) const;
};

// `owner` is who reads. Fails on the first file that cannot be read.
Result<SourceScan> scan_source(const pg::Cluster& cluster, const pg::Identity& owner);

Attr attr_from(const struct ::stat& st);

}  // namespace branchfs
