// Going into the background, but not before the mount is usable.
//
// start() forks: the parent waits until the child says "ready" or why not, passes that on as exit code and
// one line, and ends. The child leaves its session and its working directory; its standard streams go to the
// log once that is open. A child whose parent is gone before "ready" must give up. Call it before the first
// thread is made.
#pragma once

#include <string>

#include "layers/base/result.h"

namespace branchfs {

class Daemon {
 public:
  // Foreground: no fork; ready() does nothing, failed() prints.
  explicit Daemon(bool foreground);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // In the parent: does not return.
  Status start();
  // False when nobody waits for it any more.
  bool ready();
  // Reports the reason and returns the exit code.
  int failed(const std::string& verb_phrase, const Error& error);

 private:
  bool foreground_;
  int terminal_;   // stderr as it was, before the log took its place
  int pipe_ = -1;  // towards the parent; -1: nothing more to say
};

// "branchfs: cannot VERB WHAT: WHY (hint)"
std::string error_line(const std::string& verb_phrase, const Error& error);

// Sends the standard streams and the log there: `path`, a regular file, never through a symlink at its end.
Status log_to_file(const std::string& path, bool verbose);
void log_to_stderr(bool verbose);

}  // namespace branchfs
