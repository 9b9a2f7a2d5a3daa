// The dictionaries, each in a file of its own. Names are common given names and surnames; cities and
// companies are invented.
#pragma once

#include "tools/mask/functions/dictionary.h"

namespace branchfs::mask {

extern const Dictionary kEnglish;
extern const Dictionary kFrench;

}  // namespace branchfs::mask
