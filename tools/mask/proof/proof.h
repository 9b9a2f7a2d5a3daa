// The proof that a masked branch holds no original: what is shared with its parent, and what its bytes say.
//
// Works on a stopped branch in any state through layers/ alone, sees what a mount would show: every visible byte of every file, symlink
// target and name. Threads: one caller; scan_branch() uses `threads` of its own. Errors: damaged, failed (ECANCELED when cancelled); a
// violation is not an error but a finding.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "layers/store/store.h"
#include "tools/mask/proof/witness.h"

namespace branchfs::mask {

struct FileFacts {
  std::string path;  // relative: "base/16384/2619"; a file of several names comes once for each
  std::uint64_t size = 0;
  std::uint64_t blocks = 0;         // with data, as the block map says
  std::uint64_t shared_blocks = 0;  // of them not in the branch's own elements: in those of `parent_stack` or what they depend on
};
// O(metadata): from the branch's own block maps.
Result<std::vector<FileFacts>> list_sharing(std::shared_ptr<Store> store, const std::string& branch,
                                            const std::vector<ObjectId>& parent_stack);

struct ScanOptions {
  unsigned threads = 2;
  // A main fork of a TOAST table or of pg_largeobject: values are put together and decompressed.
  std::function<bool(const std::string& path)> is_toast;
  // Heap or index: compressed values inside pages are looked into. Not set: every file.
  std::function<bool(const std::string& path)> is_relation;
  std::function<bool()> cancelled;                  // any thread, one at a time
  std::function<void(std::uint64_t bytes)> progress;  // bytes scanned so far, holes included; any thread, one at a time
  std::size_t hit_limit = 1000;                     // stop after so many
};
enum class Place : std::uint8_t {
  content,
  name,        // of a file or directory; `path` is that of its directory
  symlink,     // a target
  compressed,  // inside a compressed value in a page
  toast,       // in a value put together from its chunks
  wal,         // across the page headers of WAL
};
const char* to_string(Place place);

struct ScanHit {
  std::string path;
  std::uint64_t offset = 0;  // of the occurrence, or of the compressed value or the first chunk it is in
  Place place = Place::content;
  std::string column;        // whose original it is
  Encoding encoding = Encoding::plain;
};
struct ScanResult {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;              // of visible content
  std::uint64_t bytes_read = 0;         // of it not known to be zeros from the block maps
  std::uint64_t compressed_values = 0;  // looked into
  double seconds = 0;
  std::vector<ScanHit> hits;            // without the value: it may be shown to nobody; sorted by path and offset
};
Result<ScanResult> scan_branch(std::shared_ptr<Store> store, const std::string& branch, const WitnessSet& witnesses,
                               const ScanOptions& options);

}  // namespace branchfs::mask
