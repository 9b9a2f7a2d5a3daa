#include "tools/mask/proof/compressed.h"

#include <lz4.h>

#include <algorithm>
#include <bit>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace branchfs::mask {
namespace {

constexpr std::size_t kInfo = 4;    // va_tcinfo
constexpr std::size_t kHeader = 8;  // va_header and va_tcinfo
constexpr std::uint32_t kSizeBits = 30;
enum Method : std::uint32_t { kPglz = 0, kLz4 = 1 };
// No encoding of either method is denser: 3 bytes of pglz make 273, a byte of LZ4 255.
constexpr std::size_t kMostRatio = 256;

// A 4-byte header of a compressed value has the low bits 10 and the size above them; one inside a page is smaller than the page.
constexpr std::uint32_t kHeaderMask = 0xFFFF8003U;
constexpr std::uint32_t kHeaderValue = 2;

std::uint32_t load32(const std::byte* at) {
  std::uint32_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// Bit 4k + shift: a header may begin at `at` + 4k + shift, of the 16 places from `at` on. Reads 19 bytes.
std::uint32_t candidates(const std::byte* at, std::size_t alignment) {
  std::uint32_t mask = 0;
#ifdef __SSE2__
  const __m128i bits = _mm_set1_epi32(static_cast<int>(kHeaderMask));
  const __m128i value = _mm_set1_epi32(static_cast<int>(kHeaderValue));
  for (std::size_t shift = 0; shift < 4; shift += alignment) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + shift));
    const auto lanes = static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi32(_mm_and_si128(v, bits), value)));
    mask |= (lanes & 0x1111U) << shift;
  }
#else
  for (std::size_t i = 0; i < 16; i += alignment) {
    if ((load32(at + i) & kHeaderMask) == kHeaderValue) mask |= 1U << i;
  }
#endif
  return mask;
}

}  // namespace

bool decompress_pglz(std::span<const std::byte> in, std::span<std::byte> out) {
  const auto* from = reinterpret_cast<const unsigned char*>(in.data());
  const auto* const end = from + in.size();
  auto* to = reinterpret_cast<unsigned char*>(out.data());
  auto* const start = to;
  auto* const full = to + out.size();
  while (from < end && to < full) {
    unsigned control = *from++;
    for (int item = 0; item < 8 && from < end && to < full; ++item, control >>= 1U) {
      if ((control & 1U) == 0) {
        *to++ = *from++;
        continue;
      }
      if (end - from < 2) return false;
      std::size_t length = (from[0] & 0x0FU) + 3U;
      const std::size_t back = (from[0] & 0xF0U) << 4U | from[1];
      from += 2;
      if (length == 18) {
        if (from == end) return false;
        length += *from++;
      }
      if (back == 0 || back > static_cast<std::size_t>(to - start) || length > static_cast<std::size_t>(full - to)) return false;
      for (; length > 0; --length, ++to) *to = *(to - back);  // may overlap itself: byte by byte
    }
  }
  return from == end && to == full;
}

std::span<const std::byte> decompress_value(std::span<const std::byte> value, std::vector<std::byte>& out) {
  if (value.size() <= kInfo) return {};
  const std::uint32_t info = load32(value.data());
  const auto packed = value.subspan(kInfo);
  const std::size_t size = info & ((1U << kSizeBits) - 1);
  const std::uint32_t method = info >> kSizeBits;
  if (size <= packed.size() || size > packed.size() * kMostRatio || method > kLz4) return {};
  if (out.size() < size) out.resize(size);
  const std::span<std::byte> raw(out.data(), size);
  if (method == kPglz) return decompress_pglz(packed, raw) ? raw : std::span<const std::byte>();
  const int got = LZ4_decompress_safe(reinterpret_cast<const char*>(packed.data()), reinterpret_cast<char*>(raw.data()),
                                      static_cast<int>(packed.size()), static_cast<int>(raw.size()));
  if (got < 0 || static_cast<std::size_t>(got) != size) return {};
  return raw;
}

std::uint64_t for_each_compressed(std::span<const std::byte> bytes, std::size_t alignment, const VisitValue& visit) {
  thread_local std::vector<std::byte> buffer;
  std::uint64_t count = 0;
  auto look = [&](std::size_t at) {
    const std::size_t size = load32(bytes.data() + at) >> 2U;
    if (size <= kHeader || size > bytes.size() - at) return;
    const auto value = decompress_value(bytes.subspan(at + 4, size - 4), buffer);
    if (value.empty()) return;
    ++count;
    visit(at, value);
  };
  std::size_t at = 0;
  for (; at + 19 <= bytes.size(); at += 16) {
    for (std::uint32_t mask = candidates(bytes.data() + at, alignment); mask != 0; mask &= mask - 1) {
      look(at + static_cast<std::size_t>(std::countr_zero(mask)));
    }
  }
  for (; at + kHeader < bytes.size(); at += alignment) {
    if ((load32(bytes.data() + at) & kHeaderMask) == kHeaderValue) look(at);
  }
  return count;
}

}  // namespace branchfs::mask
