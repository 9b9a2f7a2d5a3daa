// Ctrl-C, SIGTERM and SIGHUP as a flag, so that a command can undo what it began and then say "interrupted".
//
// While an Interrupt lives, the first such signal sets the flag (system calls return EINTR), a second one does nothing
// more: undoing takes well under a second, and SIGKILL remains. Outside of its lifetime signals have their
// former effect. Nested ones share the flag, which the outermost clears when it begins; requested() is safe from
// any thread.
#pragma once

#include <signal.h>

#include <array>

#include "layers/base/result.h"

namespace branchfs {

class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  [[nodiscard]] static bool requested();
  // Kind::failed, ECANCELED, "interrupted" once the flag is set.
  static Status check();

 private:
  std::array<struct sigaction, 3> former_{};
};

}  // namespace branchfs
