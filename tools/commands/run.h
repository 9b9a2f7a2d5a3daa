// `branchfs run -- CMD`: a branch that lives as long as a command.
//
// created → started → CMD with the connection in its environment → deleted, whatever CMD did. The exit code is CMD's
// (128 + n for signal n, 127 when there is no such program). SIGINT, SIGTERM and SIGHUP reach CMD, and only after
// its end everything is removed. When this process itself is killed, the branch's ticket (tools/lifecycle/reap.h)
// makes the next command remove it. Many may run at once.
#pragma once

#include <string>
#include <vector>

#include "tools/context.h"

namespace branchfs {

struct RunRequest {
  std::string parent;  // empty: the store's only root
  std::string anonymized;  // a rule file
  bool keep_on_failure = false;
  std::vector<std::string> command;
};

Result<int> run(Context& context, const RunRequest& request);

}  // namespace branchfs
