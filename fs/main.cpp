// mount.branchfs: the mount(8) helper. See fs/options.h for the command line.
#include <fuse_lowlevel.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "fs/daemon.h"
#include "fs/mount_command.h"
#include "fs/options.h"

int main(int argc, char** argv) {
  using namespace branchfs;
  // mount(8) runs this as root with the caller's environment; libfuse looks for fusermount3 in PATH as a last
  // resort.
  if (::geteuid() == 0) ::setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
  const auto options = parse_mount_options({argv + 1, argv + argc});
  if (!options) {
    std::fputs(error_line("mount", options.error()).c_str(), stderr);
    return static_cast<int>(options.error().kind);
  }
  if (options->help) {
    std::fputs(mount_usage().c_str(), stdout);
    return 0;
  }
  if (options->version) {
    std::printf("mount.branchfs %s (libfuse %s)\n", BRANCHFS_VERSION, ::fuse_pkgversion());
    return 0;
  }
  return mount_command(*options);
}
