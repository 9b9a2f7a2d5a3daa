#include <csignal>
#include <iostream>

#include "tools/command_line.h"

int main(int argc, char** argv) {
  // A write beyond a limit on file sizes is an error like others, and no reason to end half-way.
  std::signal(SIGXFSZ, SIG_IGN);
  return branchfs::branchfs_main(std::vector<std::string>(argv + 1, argv + argc), std::cout, std::cerr);
}
