#include "tools/mask/proof/wal_scan.h"

#include <algorithm>
#include <cstring>

#include "tools/mask/proof/compressed.h"

namespace branchfs::mask {
namespace {

std::size_t header_size(const std::byte* page) {
  constexpr std::size_t kShortHeader = 24;
  constexpr std::size_t kLongHeader = 40;  // of a segment's first page
  constexpr std::size_t kInfo = 2;         // xlp_info
  constexpr std::uint16_t kIsLong = 2;     // XLP_LONG_HEADER
  std::uint16_t info = 0;
  std::memcpy(&info, page + kInfo, sizeof info);
  return (info & kIsLong) != 0 ? kLongHeader : kShortHeader;
}

}  // namespace

bool is_wal_segment(std::string_view path) {
  constexpr std::size_t kDigits = 24;
  const std::string_view name = path.substr(path.rfind('/') + 1);
  auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); };
  return name.size() >= kDigits && std::all_of(name.begin(), name.begin() + kDigits, is_digit);
}

void scan_wal_pages(std::span<const std::byte> pages, std::size_t own, const std::string& path, std::uint64_t offset, Findings& findings) {
  std::vector<std::byte> stream;
  std::vector<std::size_t> ends;  // of the pages, in the stream
  stream.reserve(pages.size());
  for (std::size_t at = 0; at + kPageSize <= pages.size(); at += kPageSize) {
    const auto body = pages.subspan(at, kPageSize).subspan(header_size(pages.data() + at));
    stream.insert(stream.end(), body.begin(), body.end());
    ends.push_back(stream.size());
  }
  if (ends.empty() || own == 0) return;
  const std::size_t mine = ends[std::min(own, ends.size()) - 1];
  auto page_of = [&](std::size_t at) { return static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), at) - ends.begin()); };
  auto in_file = [&](std::size_t at) {
    const std::size_t page = page_of(at);
    return offset + (page + 1) * kPageSize - (ends[page] - at);
  };
  findings.witnesses().scan(stream, [&](const WitnessSet::Hit& hit) {
    if (hit.offset < mine && ends[page_of(hit.offset)] < hit.offset + hit.size) {
      findings.add(hit, path, in_file(hit.offset), Place::wal);
    }
    return !findings.stopped();
  });
  for_each_compressed(stream, 1, [&](std::size_t at, std::span<const std::byte> value) {
    if (at >= mine || findings.stopped()) return;
    findings.count_compressed(1);
    findings.scan_value(value, path, in_file(at), Place::compressed);
  });
}

}  // namespace branchfs::mask
