// Who a child process or a file access runs as.
//
// PostgreSQL refuses to run as root, so root's tool acts as the owner of the data directory. `Identity` is a
// user with its groups, resolved before any fork. `ActAs` makes the file accesses of the calling thread
// happen with that user's rights (setfsuid), so that root never follows or overwrites what the directory's
// owner could not touch. Threads: Identity is a plain value; an ActAs belongs to the thread that made it, no
// other thread notices it. Errors: failed; refused for owners a server may not run as.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "layers/base/result.h"

namespace branchfs::pg {

struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;  // empty for a uid without an entry in the user database
  std::string home;  // "/" when unknown
  std::vector<gid_t> groups;
};

Result<Identity> identity_of(uid_t uid);
Result<Identity> identity_named(const std::string& name);
Result<Identity> current_identity();
// The user a server on this directory runs as: the caller, or, for root, the directory's owner. `refused`
// when that is somebody else's directory, or root's own.
Result<Identity> owner_identity(const std::string& dir);

class ActAs {
 public:
  // Does nothing unless the caller is root and `who` is not.
  explicit ActAs(const Identity& who);
  ~ActAs();
  ActAs(const ActAs&) = delete;
  ActAs& operator=(const ActAs&) = delete;

 private:
  bool active_ = false;
};

// Whether `who` can enter every directory of `path` and the last one itself; the error names the first that
// shuts it out.
Status check_reachable(const std::string& path, const Identity& who);

}  // namespace branchfs::pg
