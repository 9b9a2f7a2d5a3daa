// A server stopped in its tracks (SIGSTOP), for the moment in which its branch is frozen.
//
// A server with fsync off never says which of its writes count: all that it has completed do (P1). On a mount whose kernel keeps writes
// they reach the branch only when nothing more is written meanwhile. The processes go on when this is destroyed, and also when this
// process dies before: a helper process waits for that. Owner: one command. Errors: failed when a process cannot be stopped; all go on then.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "layers/base/result.h"

namespace branchfs {

class PausedServer {
 public:
  // All processes whose working directory is `data_dir`, which is what a server's are; they have nothing else running.
  static Result<PausedServer> pause(const std::string& data_dir);
  PausedServer(PausedServer&& other) noexcept;
  PausedServer& operator=(PausedServer&& other) noexcept;
  ~PausedServer();

 private:
  PausedServer() = default;
  Status stop_all(const std::string& data_dir);
  Status hand_to_guard();

  std::vector<::pid_t> stopped_;
  ::pid_t guard_ = -1;
  int guard_pipe_ = -1;  // the guard ends, and lets them go on, when this is closed
};

}  // namespace branchfs
