// For scripts: mask-install-sql MODULE prints the SQL that installs a masking module, mask-install-sql --find MAJOR its path.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tools/mask/module/module.h"

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--find") {
    const auto path = branchfs::mask::find_module(std::atoi(argv[2]));
    std::puts(path ? path->c_str() : path.error().what.c_str());
    return path ? 0 : static_cast<int>(path.error().kind);
  }
  if (argc != 2) {
    std::fputs("usage: mask-install-sql MODULE | --find MAJOR\n", stderr);
    return 2;
  }
  std::fputs(branchfs::mask::install_sql(argv[1]).c_str(), stdout);
}
