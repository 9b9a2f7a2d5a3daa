// The key of these tests, and seeds made with it.
#pragma once

#include <string_view>

#include "tools/mask/functions/seed.h"

namespace branchfs::mask {

inline Key test_key(unsigned char first = 0) {
  unsigned char bytes[Key::kSize];
  for (std::size_t i = 0; i < sizeof bytes; ++i) bytes[i] = static_cast<unsigned char>(first + i);
  return Key(bytes);
}
inline Seed seed_of(std::string_view text) { return test_key().seed(Form::text, text.data(), text.size()); }
inline Seed seed_of(std::int64_t number) { return test_key().seed(Form::integer, &number, sizeof number); }

}  // namespace branchfs::mask
