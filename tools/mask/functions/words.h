// The dictionaries, each in a file of its own.
#pragma once

#include "tools/mask/functions/dictionary.h"

namespace branchfs::mask {

Dictionary english();
Dictionary french();

}  // namespace branchfs::mask
