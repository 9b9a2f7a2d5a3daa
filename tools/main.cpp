#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <new>
#include <string_view>

#include "tools/command_line.h"
#include "tools/pg/credentials.h"

namespace {

// Of an exception that nobody can catch, such as a second thread's: the command ends as if it had been killed, which the store outlives
// (P8), and says so in one line without needing memory.
[[noreturn]] void end_on_uncaught() {
  try {
    if (const auto thrown = std::current_exception()) std::rethrow_exception(thrown);
  } catch (const std::bad_alloc&) {
    constexpr std::string_view kLine = "branchfs: out of memory (if a limit is in force, ulimit -v shows it)\n";
    static_cast<void>(::write(STDERR_FILENO, kLine.data(), kLine.size()));
    ::_exit(1);
  } catch (...) {  // a bug
  }
  std::abort();
}

}  // namespace

int main(int argc, char** argv) {
  // Passwords and masking keys pass through this process.
  branchfs::pg::forbid_core_dumps();
  // A write beyond a limit on file sizes is an error like others, and no reason to end half-way.
  std::signal(SIGXFSZ, SIG_IGN);
  std::set_terminate(end_on_uncaught);
  return branchfs::branchfs_main(std::vector<std::string>(argv + 1, argv + argc), std::cout, std::cerr);
}
