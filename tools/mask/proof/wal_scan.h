// WAL as one stream: what stands in its segments between the page headers, which interrupt a record wherever it is.
//
// Plain functions; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tools/mask/proof/findings.h"

namespace branchfs::mask {

// "000000010000000000000017", also with a suffix (".partial"): in whatever directory it lies.
bool is_wal_segment(std::string_view path);

// Looks into pages of a segment, the first at `offset`, for what a scan of the file cannot see: witnesses across page headers, and compressed
// values, which are aligned to nothing here. Only what begins in the first `own` pages is reported; the others are there to end it, and may be
// of the next segment.
inline constexpr std::size_t kWalTail = 2;
void scan_wal_pages(std::span<const std::byte> pages, std::size_t own, const std::string& path, std::uint64_t offset, Findings& findings);

}  // namespace branchfs::mask
