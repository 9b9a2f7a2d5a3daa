// global/pg_control of a cluster that somebody hands us.
#include <string_view>

#include "tools/pg/control_file.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  branchfs::ignore(branchfs::pg::parse_control_file(std::string_view(reinterpret_cast<const char*>(data), size)));
  return 0;
}
