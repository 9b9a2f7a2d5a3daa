// Parts of a text without the bounds check of substr(), whose exception would bring the C++ runtime into the
// server.
#pragma once

#include <string_view>

namespace branchfs::mask {

// Bytes [from, to) of `text`; both are cut off at its end.
constexpr std::string_view slice(std::string_view text, std::size_t from,
                                 std::size_t to = std::string_view::npos) {
  if (to > text.size()) to = text.size();
  if (from > to) from = to;
  return {text.data() + from, to - from};
}

}  // namespace branchfs::mask
