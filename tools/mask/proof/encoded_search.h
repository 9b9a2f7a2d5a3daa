// The patterns of a search in the encodings that programs make of them: hex (any case, also mixed), base64 and UTF-16.
//
// The encoded forms are no patterns of their own: in the runs of bytes that can be an encoding, which ordinary data has few of, the decoded
// bytes are looked up as they come, for every way in which they may be cut into bytes. An occurrence is what the encoding of the pattern alone determines, whatever
// stands before and after it. Plain functions over immutable things; any thread.
#pragma once

#include <functional>
#include <span>

#include "tools/mask/proof/pattern_search.h"
#include "tools/mask/proof/witness.h"

namespace branchfs::mask {

// An occurrence of the pattern `id`: `size` bytes at `offset`. False stops.
using FoundEncoded = std::function<bool(std::uint32_t id, Encoding encoding, std::size_t offset, std::size_t size)>;

// A pattern of PatternSearch::kInner bytes or more has at least so many base64 digits of its own.
inline constexpr std::size_t kLeastBase64 = 12;

// In a run of base64 digits [begin, end) of `bytes`: patterns in hex, and those of at least kInner bytes in base64. False when stopped.
bool find_in_digits(const PatternSearch& search, std::span<const std::byte> bytes, std::size_t begin, std::size_t end,
                    const FoundEncoded& found);
// In a run in which every other byte is zero: patterns of ASCII characters in UTF-16.
bool find_in_alternating(const PatternSearch& search, std::span<const std::byte> bytes, std::size_t begin, std::size_t end,
                         const FoundEncoded& found);

}  // namespace branchfs::mask
