#include "fs/log_files.h"

#include <sys/stat.h>

#include "tests/catch.h"

namespace branchfs {
namespace {

constexpr Ino kDir{5};
constexpr Ino kSegment{6};
constexpr Ino kOther{7};
constexpr Ino kNext{9};
constexpr Ino kLast{10};

Attr file(Ino ino) {
  Attr attr;
  attr.ino = ino;
  attr.mode = S_IFREG | 0600;
  return attr;
}

// A load: its log in single pages, synced at the end of each segment.
void load(LogFiles& files, std::size_t bytes) {
  for (std::size_t written = 0; written < bytes; written += 8192) files.wrote(kSegment, 8192);
  files.synced(kSegment);
}

void commit(LogFiles& files, int count) {
  for (int i = 0; i < count; ++i) {
    files.wrote(kSegment, 8192);
    files.synced(kSegment);
  }
}

TEST_CASE("only files that were seen in the log's directory are the log's") {
  LogFiles files;
  files.saw(kDir, file(kSegment));
  CHECK_FALSE(files.contains(kSegment));  // nothing is watched yet
  files.watch(kDir);
  files.saw(kDir, file(kSegment));
  files.saw(Ino{1}, file(kOther));
  Attr dir = file(Ino{8});
  dir.mode = S_IFDIR | 0700;
  files.saw(kDir, dir);
  CHECK(files.contains(kSegment));
  CHECK_FALSE(files.contains(kOther));
  CHECK_FALSE(files.contains(Ino{8}));
}

TEST_CASE("commits bypass the cache, loads use it, and a file stays as it was first opened") {
  LogFiles files;
  files.watch(kDir);
  for (const Ino ino : {kSegment, kNext, kLast}) files.saw(kDir, file(ino));
  CHECK(files.bypasses_cache(kSegment));
  CHECK_FALSE(files.bypasses_cache(kOther));
  load(files, 16U << 20U);
  CHECK_FALSE(files.bypasses_cache(kNext));
  CHECK(files.bypasses_cache(kSegment));
  commit(files, 10);
  files.wrote(kOther, 64U << 20U);  // not the log's
  commit(files, 200);
  CHECK(files.bypasses_cache(kLast));
  CHECK_FALSE(files.bypasses_cache(kNext));
  CHECK(files.bypasses_cache(kSegment));
}

}  // namespace
}  // namespace branchfs
