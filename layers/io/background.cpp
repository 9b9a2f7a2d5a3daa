#include "layers/io/background.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <system_error>
#include <thread>

namespace branchfs {

Status in_background(const std::function<Status()>& work) {
  Status status;
  // A thread of its own, because an ordinary user may not raise a priority again.
  auto yielding = [&] {
    constexpr int kThisThread = 1;       // IOPRIO_WHO_PROCESS
    constexpr int kIdleClass = 3 << 13;  // IOPRIO_CLASS_IDLE; glibc has no header for either
    // Best effort: where it is not allowed the work is done at normal priority.
    static_cast<void>(::syscall(SYS_ioprio_set, kThisThread, 0, kIdleClass));
    static_cast<void>(::setpriority(PRIO_PROCESS, 0, 19));
    status = work();
  };
  std::thread thread;
  try {
    thread = std::thread(yielding);
  } catch (const std::system_error&) {  // at a limit: then here, as it is
    return work();
  }
  thread.join();
  return status;
}

}  // namespace branchfs
