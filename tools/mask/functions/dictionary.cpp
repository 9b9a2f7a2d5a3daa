#include "tools/mask/functions/dictionary.h"

#include "tools/mask/functions/words.h"

namespace branchfs::mask {

const Dictionary& dictionary(Locale locale) {
  static const Dictionary kEnglish = english();
  static const Dictionary kFrench = french();
  return locale == Locale::fr_FR ? kFrench : kEnglish;
}

}  // namespace branchfs::mask
