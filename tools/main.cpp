#include <csignal>
#include <iostream>

#include "tools/command_line.h"
#include "tools/pg/credentials.h"

int main(int argc, char** argv) {
  // Passwords and masking keys pass through this process.
  branchfs::pg::forbid_core_dumps();
  // A write beyond a limit on file sizes is an error like others, and no reason to end half-way.
  std::signal(SIGXFSZ, SIG_IGN);
  return branchfs::branchfs_main(std::vector<std::string>(argv + 1, argv + argc), std::cout, std::cerr);
}
