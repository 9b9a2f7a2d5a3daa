#include <iostream>

#include "tools/command_line.h"

int main(int argc, char** argv) {
  return branchfs::branchfs_main(std::vector<std::string>(argv + 1, argv + argc), std::cout, std::cerr);
}
