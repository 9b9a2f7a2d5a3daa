// Prints the SQL that installs a masking module, for scripts: mask-install-sql MODULE
#include <cstdio>

#include "tools/mask/module/module.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: mask-install-sql MODULE\n", stderr);
    return 2;
  }
  std::fputs(branchfs::mask::install_sql(argv[1]).c_str(), stdout);
}
