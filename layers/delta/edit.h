// An edit: one atomic change of a branch's tree, as a value (layers/FORMAT.md §4).
//
// Edits say what the state is afterwards, not what was done, so applying one twice is harmless and replay needs no logic of
// its own: a running branch and a replayed one go through the same apply(). Plain values; no threads.
// decode() trusts nothing: counts, lengths and ranges are bounded; a violation is Kind::damaged.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "layers/base/attr.h"

namespace branchfs {

// The inode as it is now. nlink 0: it is gone.
struct InodeItem {
  Attr attr;
  std::string symlink;
  // All its data is in this delta's file of the same number, whose size and mtime are then the truth.
  bool owned = false;
};

// `name` in `parent` now means `ino`; kNoIno: it means nothing (a whiteout).
struct NameItem {
  Ino parent;
  std::string name;
  Ino ino;
  std::uint8_t type = 0;  // DT_*
};

// Nothing at or after `from` is left: neither what this delta wrote before nor what lies below.
struct CutItem {
  Ino ino;
  BlockNo from;
};

// The blocks read as zeros.
struct ZeroItem {
  Ino ino;
  BlockRange range;
};

// The blocks read as those of `source` from `source_first` on, in the view of stack element `element`.
struct CloneItem {
  Ino ino;
  BlockRange range;
  ObjectId element;
  Ino source;
  BlockNo source_first;
};

// The blocks are in this delta's file, durably.
struct PresentItem {
  Ino ino;
  std::vector<BlockRange> ranges;
};

// Applied in the order of the members.
struct Edit {
  std::vector<InodeItem> inodes;
  std::vector<CutItem> cuts;
  std::vector<ZeroItem> zeros;
  std::vector<CloneItem> clones;
  std::vector<PresentItem> presents;
  std::vector<NameItem> names;
  Ino next_ino;  // kNoIno: not stated

  [[nodiscard]] std::vector<std::byte> encode() const;
  static Result<Edit> decode(std::span<const std::byte> payload);
};

}  // namespace branchfs
