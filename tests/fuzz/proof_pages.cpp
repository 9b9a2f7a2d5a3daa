// What the proof reads of a masked branch: pages of heaps, TOAST tables and WAL with compressed values in them. Damaged pages must not
// stop it, and must not hide an original: whatever stands in the bytes as it is, is found.
#include <algorithm>

#include "tests/fuzz/support.h"
#include "tools/mask/proof/compressed.h"
#include "tools/mask/proof/findings.h"
#include "tools/mask/proof/toast.h"
#include "tools/mask/proof/wal_scan.h"

namespace {

using namespace branchfs;
using namespace branchfs::fuzz;
using namespace branchfs::mask;

constexpr std::string_view kValues[] = {"j.smith@example.com", "DE89 3704 0044 0532", "Zoe Quill, 12 Elm", "\\x00112233445566778899aabbccddeeff"};

const WitnessSet& witnesses() {
  static const WitnessSet set = [] {
    WitnessSet made([](std::string_view) { return false; });
    const std::size_t text = made.add_column("text", "text");
    const std::size_t bytea = made.add_column("bytea", "bytea");
    for (const std::string_view value : kValues) expect(made.add(value.starts_with('\\') ? bytea : text, value));
    made.seal();
    return made;
  }();
  return set;
}

// The search itself: what a naive one finds is found, and what is found is inside.
void check_search(std::span<const std::byte> bytes) {
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::size_t found = 0;
  witnesses().scan(bytes, [&](const WitnessSet::Hit& hit) {
    expect(hit.size > 0 && hit.size <= bytes.size() && hit.offset <= bytes.size() - hit.size);
    found += hit.encoding == Encoding::plain && hit.column == 0 ? 1 : 0;
    return true;
  });
  std::size_t wanted = 0;
  for (const std::string_view value : kValues) {
    if (value.starts_with('\\')) continue;
    for (std::size_t at = all.find(value); at != all.npos; at = all.find(value, at + 1)) ++wanted;
  }
  expect(found == wanted);
}

void check_pglz(std::span<const std::byte> bytes) {
  for (const std::size_t size : {std::size_t{1}, bytes.size(), 4 * bytes.size() + 3}) {
    Bytes out(size);
    static_cast<void>(decompress_pglz(bytes, out));
  }
  Bytes buffer;
  static_cast<void>(decompress_value(bytes, buffer));
}

void check_toast(std::span<const std::byte> bytes, Findings& findings, std::uint64_t most_held) {
  const std::string path = "base/5/16384";
  const ToastFile file{&path, Ino{7}};
  ToastRelation relation(
      findings,
      [&](Ino, std::uint64_t offset, std::span<std::byte> out) -> Status {
        expect(out.size() <= bytes.size() && offset <= bytes.size() - out.size());
        const auto part = bytes.subspan(offset, out.size());
        std::copy(part.begin(), part.end(), out.begin());
        return {};
      },
      most_held);
  for (std::size_t at = 0; at < bytes.size(); at += kPageSize) {
    expect(relation.add_page(file, at, bytes.subspan(at, std::min(kPageSize, bytes.size() - at))).ok());
  }
  expect(relation.finish().ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = as_span(data, size);
  const ScanOptions options;
  Findings findings(witnesses(), options);
  check_search(bytes);
  check_pglz(bytes);
  for (const std::size_t alignment : {1U, 4U}) {
    for_each_compressed(bytes, alignment, [&](std::size_t at, std::span<const std::byte> value) {
      expect(at < size && !value.empty());
      findings.scan_value(value, "f", at, Place::compressed);
    });
  }
  check_toast(bytes, findings, ToastRelation::kMostHeld);
  check_toast(bytes, findings, 100);
  const std::size_t pages = size / kPageSize;
  for (std::size_t own = 0; own <= pages; ++own) scan_wal_pages(bytes, own, "pg_wal/0", 0, findings);
  need(findings.take(1));
  return 0;
}
