#include "tools/mask/functions/seed.h"

namespace branchfs::mask {

std::array<char, kTokenLength> token(const Seed& seed, std::uint32_t call) {
  constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
  const PrfKey bits = prf(seed.token, constant_hash("token"), call);
  std::array<char, kTokenLength> out;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::uint64_t word = i < out.size() / 2 ? bits.low : bits.high;
    out[i] = kAlphabet[word >> 5 * (i % (out.size() / 2)) & 31];
  }
  return out;
}

}  // namespace branchfs::mask
