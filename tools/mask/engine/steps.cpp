#include "tools/mask/engine/steps.h"

#ifdef BRANCHFS_TEST_HOOKS
#include <cstdlib>
#include <string>
#endif

namespace branchfs::mask {

bool does_step(std::string_view name) { return does_step(name, {}); }

bool does_step([[maybe_unused]] std::string_view name, [[maybe_unused]] std::string_view thing) {
#ifdef BRANCHFS_TEST_HOOKS
  const char* skipped = std::getenv("BRANCHFS_TEST_SKIP_CLOSING");
  const std::string wanted = "," + std::string(name) + (thing.empty() ? "" : ":") + std::string(thing) + ",";
  if (skipped != nullptr && ("," + std::string(skipped) + ",").find(wanted) != std::string::npos) return false;
#endif
  return true;
}

}  // namespace branchfs::mask
