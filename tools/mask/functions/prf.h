// The keyed pseudo-random function under every mask: SipHash-2-4 with 64 or 128 bits of output.
//
// Written from the specification (Aumasson, Bernstein: "SipHash: a fast short-input PRF"). A PRF with a
// 128-bit key: without the key its outputs tell nothing about the inputs. Plain values, no allocation, no
// errors; any thread; inside the server too.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace branchfs::mask {

struct PrfKey {
  std::uint64_t low = 0, high = 0;
};

// Every mask is made of chains of these rounds: kept in registers, in one piece, two chains of them run side
// by side.
#define BRANCHFS_INLINE [[gnu::always_inline]] inline

// Absorbs 64-bit words and at last up to seven bytes.
class Sip {
 public:
  enum class Width : std::uint8_t { bits64, bits128 };

  BRANCHFS_INLINE explicit Sip(const PrfKey& key, Width width = Width::bits128)
      : v0_(key.low ^ 0x736f6d6570736575),
        v1_(key.high ^ 0x646f72616e646f6d ^ (width == Width::bits128 ? 0xee : 0)),
        v2_(key.low ^ 0x6c7967656e657261),
        v3_(key.high ^ 0x7465646279746573),
        width_(width) {}

  BRANCHFS_INLINE void absorb(std::uint64_t word) {
    v3_ ^= word;
    round();
    round();
    v0_ ^= word;
  }
  // The last bytes of the message with its length modulo 256 in the top byte; the state is used up.
  BRANCHFS_INLINE PrfKey finish(std::uint64_t last) {
    absorb(last);
    v2_ ^= width_ == Width::bits128 ? 0xee : 0xff;
    PrfKey out;
    out.low = squeeze();
    if (width_ == Width::bits128) {
      v1_ ^= 0xdd;
      out.high = squeeze();
    }
    return out;
  }

 private:
  BRANCHFS_INLINE void round() {
    v0_ += v1_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v3_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ += v3_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ += v1_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v2_ = std::rotl(v2_, 32);
  }
  BRANCHFS_INLINE std::uint64_t squeeze() {
    for (int i = 0; i < 4; ++i) round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

  std::uint64_t v0_, v1_, v2_, v3_;
  Width width_;
};

inline std::uint64_t load_little(const void* bytes, std::size_t size) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, size);
  static_assert(std::endian::native == std::endian::little,
                "the masks of a key are the same on every machine");
  return word;
}

// Up to seven bytes: in loads of known sizes, because a word that was put together of bytes in memory is slow
// to be read back.
inline std::uint64_t load_tail(const unsigned char* bytes, std::size_t size) {
  std::uint64_t word = 0;
  if ((size & 1) != 0) word = bytes[size - 1];
  if ((size & 2) != 0) word = word << 16 | load_little(bytes + (size & 4), 2);
  if ((size & 4) != 0) word = word << 32 | load_little(bytes, 4);
  return word;
}

inline std::uint64_t last_word(const unsigned char* rest, std::size_t left, std::size_t size) {
  return std::uint64_t{size & 0xff} << 56 | load_tail(rest, left);
}

inline PrfKey prf(const PrfKey& key, const void* message, std::size_t size,
                  Sip::Width width = Sip::Width::bits128) {
  Sip sip(key, width);
  const auto* at = static_cast<const unsigned char*>(message);
  std::size_t left = size;
  for (; left >= 8; left -= 8, at += 8) sip.absorb(load_little(at, 8));
  return sip.finish(last_word(at, left, size));
}

struct PrfPair {
  PrfKey first, second;
};
// One message under two keys, in hardly more time than under one.
inline PrfPair prf(const PrfKey& first, const PrfKey& second, const void* message, std::size_t size) {
  Sip one(first), two(second);
  const auto* at = static_cast<const unsigned char*>(message);
  std::size_t left = size;
  for (; left >= 8; left -= 8, at += 8) {
    const std::uint64_t word = load_little(at, 8);
    one.absorb(word);
    two.absorb(word);
  }
  const std::uint64_t last = last_word(at, left, size);
  return {one.finish(last), two.finish(last)};
}

// Of two words: what the masks ask for most of the time.
inline PrfKey prf(const PrfKey& key, std::uint64_t first, std::uint64_t second) {
  Sip sip(key);
  sip.absorb(first);
  sip.absorb(second);
  return sip.finish(std::uint64_t{16} << 56);
}
inline std::uint64_t prf64(const PrfKey& key, std::uint64_t first, std::uint64_t second) {
  Sip sip(key, Sip::Width::bits64);
  sip.absorb(first);
  sip.absorb(second);
  return sip.finish(std::uint64_t{16} << 56).low;
}

#undef BRANCHFS_INLINE

}  // namespace branchfs::mask
