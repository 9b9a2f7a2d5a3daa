// The person that a seed and a call speak of; every generator that names one asks here.
#pragma once

#include <string_view>

#include "tools/mask/functions/generate.h"

namespace branchfs::mask {

struct Person {
  std::string_view first, last;
};

Person person_of(const Call& call);
// "anna.miller.<token>", in ASCII.
void put_account(const Call& call, Writer& out);
void put_token(const Call& call, Writer& out);

}  // namespace branchfs::mask
