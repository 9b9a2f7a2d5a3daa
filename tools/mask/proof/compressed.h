// Compressed values as PostgreSQL stores them: pglz and LZ4, told by their headers.
//
// What is read may be anything: nothing in it is believed before it is checked, and a value counts only when it decompresses to exactly the
// size it states. Plain functions; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace branchfs::mask {

// An 8 KiB page, PostgreSQL's default and the store's block.
inline constexpr std::size_t kPageSize = 8192;

// pglz: a control byte says of the next eight items, lowest bit first, which are one literal byte (0) and which 2 or 3 bytes that
// mean "copy 3 … 273 bytes from 1 … 4095 bytes back". False unless `in` ends exactly where `out` is full.
bool decompress_pglz(std::span<const std::byte> in, std::span<std::byte> out);

// `value`: va_tcinfo (4 bytes: 30 bits of size, 2 of method) and what it says is compressed. `out` grows as needed.
// Empty when it is no such value.
std::span<const std::byte> decompress_value(std::span<const std::byte> value, std::vector<std::byte>& out);

// Every compressed value inside a page, at offsets that are multiples of `alignment` (1 or 4: within tuples they are aligned). Returns how many.
using VisitValue = std::function<void(std::size_t offset, std::span<const std::byte> value)>;
std::uint64_t for_each_compressed(std::span<const std::byte> bytes, std::size_t alignment, const VisitValue& visit);

}  // namespace branchfs::mask
