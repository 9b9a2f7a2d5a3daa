// Prints a log file, and goes on as it grows (`branchfs logs -f`).
//
// Returns at the end of the file, or, following, at Ctrl-C. A file that was replaced or truncated is read from its new
// beginning. One thread.
#pragma once

#include <iosfwd>
#include <string>

#include "layers/base/result.h"

namespace branchfs {

Status print_file(const std::string& path, bool following, std::ostream& out);

}  // namespace branchfs
