// Branch names: an accepted one never leaves the branches directory, and survives being a directory name.
#include <string_view>

#include "layers/store/store.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  std::string_view name(reinterpret_cast<const char*>(data), size);
  branchfs::ignore(branchfs::Store::decode_branch_dir(name));
  if (!branchfs::check_branch_name(name)) return 0;
  bool escapes = name.empty() || name.front() == '/' || name.find("..") != std::string_view::npos ||
                 name.find('\0') != std::string_view::npos || name.find('%') != std::string_view::npos;
  if (escapes) __builtin_trap();
  return 0;
}
