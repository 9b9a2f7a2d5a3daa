#include "tools/mask/functions/dictionary.h"

#include "tools/mask/functions/words.h"

namespace branchfs::mask {

const Dictionary& dictionary(Locale locale) { return locale == Locale::fr_FR ? kFrench : kEnglish; }

}  // namespace branchfs::mask
