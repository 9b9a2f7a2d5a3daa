// Stretches of data that can hold an encoded value: runs of base64 (and so hex) digits, and of alternating zero and other bytes (UTF-16 of
// Latin text). Ordinary data has few of them, so that the many encoded patterns cost next to nothing.
//
// Plain functions over immutable bytes; any thread.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

namespace branchfs::mask {

bool is_base64_digit(unsigned char c);

// `visit` gets every maximal run of at least `least` (9 … 16) base64 digits that begins in [from, to); false stops. False when stopped.
using VisitRun = std::function<bool(std::size_t begin, std::size_t end)>;
bool for_each_base64_run(std::span<const std::byte> bytes, std::size_t from, std::size_t to, std::size_t least, const VisitRun& visit);
// The same for runs of at least kRunAlternating bytes in which of any two neighbours exactly one is zero.
inline constexpr std::size_t kRunAlternating = 16;
bool for_each_alternating_run(std::span<const std::byte> bytes, std::size_t from, std::size_t to, const VisitRun& visit);

bool all_zero(std::span<const std::byte> bytes);

}  // namespace branchfs::mask
