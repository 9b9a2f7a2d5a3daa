#include "layers/base/types.h"

#include <charconv>

#include <fmt/format.h>

namespace branchfs {

std::string ObjectId::hex() const { return fmt::format("{:016x}{:016x}", hi, lo); }

Result<ObjectId> ObjectId::parse(std::string_view hex) {
  auto bad = [&] { return make_error(Kind::damaged, fmt::format("\"{}\" is not an object id", hex)); };
  if (hex.size() != 32) return bad();
  for (char c : hex) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return bad();
  }
  ObjectId id;
  std::from_chars(hex.data(), hex.data() + 16, id.hi, 16);
  std::from_chars(hex.data() + 16, hex.data() + 32, id.lo, 16);
  if (!id.valid()) return bad();
  return id;
}

}  // namespace branchfs
