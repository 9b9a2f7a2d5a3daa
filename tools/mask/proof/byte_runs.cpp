#include "tools/mask/proof/byte_runs.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace branchfs::mask {
namespace {

constexpr std::size_t kChunk = 64;  // one bit of a word for each byte

#ifdef __SSE2__
template <class Test>
std::uint64_t mask_of_chunk(const std::byte* at, Test test) {
  std::uint64_t mask = 0;
  for (unsigned i = 0; i < kChunk / 16; ++i) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + i * 16));
    mask |= static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm_movemask_epi8(test(v)))) << (i * 16);
  }
  return mask;
}
// 0xFF where low ≤ v < low + count, unsigned.
__m128i in_range(__m128i v, char low, char count) {
  const __m128i offset = _mm_sub_epi8(v, _mm_set1_epi8(low));
  return _mm_cmpeq_epi8(_mm_min_epu8(offset, _mm_set1_epi8(static_cast<char>(count - 1))), offset);
}
std::uint64_t base64_chunk(const std::byte* at) {
  return mask_of_chunk(at, [](__m128i v) {
    const __m128i letter = in_range(_mm_or_si128(v, _mm_set1_epi8(0x20)), 'a', 26);
    const __m128i digit = in_range(v, '/', 11);  // '/' stands before '0'
    return _mm_or_si128(_mm_or_si128(letter, digit), _mm_cmpeq_epi8(v, _mm_set1_epi8('+')));
  });
}
std::uint64_t zero_chunk(const std::byte* at) {
  return mask_of_chunk(at, [](__m128i v) { return _mm_cmpeq_epi8(v, _mm_setzero_si128()); });
}
#else
std::uint64_t base64_chunk(const std::byte* at) {
  std::uint64_t mask = 0;
  for (unsigned i = 0; i < kChunk; ++i) mask |= std::uint64_t{is_base64_digit(static_cast<unsigned char>(at[i]))} << i;
  return mask;
}
std::uint64_t zero_chunk(const std::byte* at) {
  std::uint64_t mask = 0;
  for (unsigned i = 0; i < kChunk; ++i) mask |= std::uint64_t{at[i] == std::byte{0}} << i;
  return mask;
}
#endif

// The members among bytes [at, at + 64); what lies past the end is none.
struct Base64Digits {
  static std::uint64_t mask(std::span<const std::byte> bytes, std::size_t at) {
    if (at + kChunk <= bytes.size()) return base64_chunk(bytes.data() + at);
    if (at >= bytes.size()) return 0;
    std::byte rest[kChunk] = {};
    std::memcpy(rest, bytes.data() + at, bytes.size() - at);
    return base64_chunk(rest);  // a zero byte is no digit
  }
};

// Byte i is a member when exactly one of it and its successor is zero.
struct Alternations {
  static std::uint64_t mask(std::span<const std::byte> bytes, std::size_t at) {
    if (at + kChunk < bytes.size()) {
      const std::uint64_t zeros = zero_chunk(bytes.data() + at);
      const std::uint64_t next = std::uint64_t{bytes[at + kChunk] == std::byte{0}} << 63U;
      return zeros ^ (zeros >> 1U | next);
    }
    std::uint64_t mask = 0;
    for (std::size_t i = at; i + 1 < bytes.size(); ++i) {
      mask |= std::uint64_t{(bytes[i] == std::byte{0}) != (bytes[i + 1] == std::byte{0})} << (i - at);
    }
    return mask;
  }
};

__extension__ using Joined = unsigned __int128;

// Bit i: members i … i + count - 1 are all there. 8 < count ≤ 16.
std::uint64_t runs_of(std::uint64_t now, std::uint64_t next, unsigned count) {
  auto joined = static_cast<Joined>(next) << 64U | now;
  joined &= joined >> 1U;
  joined &= joined >> 2U;
  joined &= joined >> 4U;
  joined &= joined >> (count - 8);
  return static_cast<std::uint64_t>(joined);
}

template <class Members>
std::size_t end_of_run(std::span<const std::byte> bytes, std::size_t at) {
  for (;; at += kChunk) {
    const std::uint64_t mask = Members::mask(bytes, at);
    if (mask != ~0ULL) return at + static_cast<std::size_t>(std::countr_one(mask));
  }
}

template <class Members>
bool for_each_run(std::span<const std::byte> bytes, std::size_t from, std::size_t to, std::size_t least, const VisitRun& visit) {
  to = std::min(to, bytes.size());
  if (from >= to) return true;
  std::uint64_t before = from == 0 ? 0 : Members::mask(bytes, from - 1) & 1U;
  std::uint64_t now = Members::mask(bytes, from);
  for (std::size_t at = from; at < to; at += kChunk) {
    const std::uint64_t next = Members::mask(bytes, at + kChunk);
    std::uint64_t starts = now & ~(now << 1U | before);
    if (to - at < kChunk) starts &= (1ULL << (to - at)) - 1;
    if (starts != 0) starts &= runs_of(now, next, static_cast<unsigned>(least));
    for (; starts != 0; starts &= starts - 1) {
      const std::size_t begin = at + static_cast<std::size_t>(std::countr_zero(starts));
      if (!visit(begin, end_of_run<Members>(bytes, begin))) return false;
    }
    before = now >> 63U;
    now = next;
  }
  return true;
}

}  // namespace

bool is_base64_digit(unsigned char c) {
  const auto letter = static_cast<unsigned char>((c | 0x20U) - 'a');
  return letter < 26 || (c >= '/' && c <= '9') || c == '+';
}

bool for_each_base64_run(std::span<const std::byte> bytes, std::size_t from, std::size_t to, std::size_t least, const VisitRun& visit) {
  return for_each_run<Base64Digits>(bytes, from, to, least, visit);
}

bool for_each_alternating_run(std::span<const std::byte> bytes, std::size_t from, std::size_t to, const VisitRun& visit) {
  // n bytes have n - 1 pairs of neighbours; the run's last byte is no member.
  return for_each_run<Alternations>(bytes, from, to, kRunAlternating - 1,
                                    [&](std::size_t begin, std::size_t end) { return visit(begin, end + 1); });
}

bool all_zero(std::span<const std::byte> bytes) {
  // What a memcmp() of the data with itself, one byte on, says is as fast as the C library's.
  return bytes.empty() || (bytes[0] == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace branchfs::mask
