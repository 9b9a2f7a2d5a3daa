#include "layers/delta/edit.h"

#include "layers/base/codec.h"

namespace branchfs {
namespace {

// Tags of the items (FORMAT.md §4.3). 0 is never valid.
enum class Tag : std::uint8_t { inode = 1, name = 2, cut = 3, zero = 4, clone = 5, present = 6, next_ino = 7 };

constexpr std::uint8_t kOwned = 1;
constexpr std::uint64_t kMaxBlock = kMaxFileSize / kBlockSize;

void put_time(Encoder& e, const ::timespec& t) {
  e.put(static_cast<std::int64_t>(t.tv_sec));
  e.put(static_cast<std::uint32_t>(t.tv_nsec));
}

::timespec get_time(Decoder& d) {
  ::timespec t{};
  t.tv_sec = d.get<std::int64_t>();
  t.tv_nsec = d.get<std::uint32_t>();
  return t;
}

void put_range(Encoder& e, const BlockRange& r) {
  e.put(r.first.v);
  e.put(r.count);
}

BlockRange get_range(Decoder& d) {
  BlockRange r;
  r.first.v = d.get<std::uint64_t>();
  r.count = d.get<std::uint64_t>();
  return r;
}

bool sane(const BlockRange& r) { return r.count > 0 && r.first.v < kMaxBlock && r.count <= kMaxBlock - r.first.v; }

void encode_inode(Encoder& e, const InodeItem& item) {
  const Attr& a = item.attr;
  e.put(Tag::inode);
  e.put(a.ino.v);
  e.put(a.size);
  e.put(a.rdev);
  e.put(a.mode);
  e.put(a.uid);
  e.put(a.gid);
  e.put(a.nlink);
  put_time(e, a.atime);
  put_time(e, a.mtime);
  put_time(e, a.ctime);
  e.put(static_cast<std::uint8_t>(item.owned ? kOwned : 0));
  e.put_text(item.symlink);
}

bool decode_inode(Decoder& d, Edit& edit) {
  InodeItem item;
  Attr& a = item.attr;
  a.ino.v = d.get<std::uint64_t>();
  a.size = d.get<std::uint64_t>();
  a.rdev = d.get<std::uint64_t>();
  a.mode = d.get<std::uint32_t>();
  a.uid = d.get<std::uint32_t>();
  a.gid = d.get<std::uint32_t>();
  a.nlink = d.get<std::uint32_t>();
  a.atime = get_time(d);
  a.mtime = get_time(d);
  a.ctime = get_time(d);
  auto flags = d.get<std::uint8_t>();
  item.owned = (flags & kOwned) != 0;
  item.symlink = d.get_text();
  bool good = d.ok() && a.ino != kNoIno && (flags & ~kOwned) == 0 && a.size <= kMaxFileSize;
  if (good) edit.inodes.push_back(std::move(item));
  return good;
}

bool decode_name(Decoder& d, Edit& edit) {
  NameItem item;
  item.parent.v = d.get<std::uint64_t>();
  item.ino.v = d.get<std::uint64_t>();
  item.type = d.get<std::uint8_t>();
  item.name = d.get_text();
  bool good = d.ok() && item.parent != kNoIno && !item.name.empty() && item.name.size() <= 255 && item.name != "." &&
              item.name != ".." && item.name.find('/') == std::string::npos &&
              item.name.find('\0') == std::string::npos;
  if (good) edit.names.push_back(std::move(item));
  return good;
}

bool decode_clone(Decoder& d, Edit& edit) {
  CloneItem item;
  item.ino.v = d.get<std::uint64_t>();
  item.range = get_range(d);
  item.element.hi = d.get<std::uint64_t>();
  item.element.lo = d.get<std::uint64_t>();
  item.source.v = d.get<std::uint64_t>();
  item.source_first.v = d.get<std::uint64_t>();
  bool good = d.ok() && item.ino != kNoIno && item.source != kNoIno && item.element.valid() && sane(item.range) &&
              sane({item.source_first, item.range.count});
  if (good) edit.clones.push_back(item);
  return good;
}

bool decode_present(Decoder& d, Edit& edit) {
  PresentItem item;
  item.ino.v = d.get<std::uint64_t>();
  auto count = d.get<std::uint32_t>();
  if (!d.ok() || item.ino == kNoIno || count > d.left() / 16) return false;
  item.ranges.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    item.ranges.push_back(get_range(d));
    if (!sane(item.ranges.back())) return false;
  }
  edit.presents.push_back(std::move(item));
  return d.ok();
}

bool decode_item(Decoder& d, Edit& edit) {
  switch (d.get<Tag>()) {
    case Tag::inode: return decode_inode(d, edit);
    case Tag::name: return decode_name(d, edit);
    case Tag::clone: return decode_clone(d, edit);
    case Tag::present: return decode_present(d, edit);
    case Tag::cut: {
      CutItem item;
      item.ino.v = d.get<std::uint64_t>();
      item.from.v = d.get<std::uint64_t>();
      edit.cuts.push_back(item);
      return d.ok() && item.ino != kNoIno;
    }
    case Tag::zero: {
      ZeroItem item;
      item.ino.v = d.get<std::uint64_t>();
      item.range = get_range(d);
      edit.zeros.push_back(item);
      return d.ok() && item.ino != kNoIno && sane(item.range);
    }
    case Tag::next_ino: edit.next_ino.v = d.get<std::uint64_t>(); return d.ok();
  }
  return false;
}

}  // namespace

std::vector<std::byte> Edit::encode() const {
  Encoder e;
  for (const InodeItem& item : inodes) encode_inode(e, item);
  for (const CutItem& item : cuts) {
    e.put(Tag::cut);
    e.put(item.ino.v);
    e.put(item.from.v);
  }
  for (const ZeroItem& item : zeros) {
    e.put(Tag::zero);
    e.put(item.ino.v);
    put_range(e, item.range);
  }
  for (const CloneItem& item : clones) {
    e.put(Tag::clone);
    e.put(item.ino.v);
    put_range(e, item.range);
    e.put(item.element.hi);
    e.put(item.element.lo);
    e.put(item.source.v);
    e.put(item.source_first.v);
  }
  for (const PresentItem& item : presents) {
    e.put(Tag::present);
    e.put(item.ino.v);
    e.put(static_cast<std::uint32_t>(item.ranges.size()));
    for (const BlockRange& range : item.ranges) put_range(e, range);
  }
  for (const NameItem& item : names) {
    e.put(Tag::name);
    e.put(item.parent.v);
    e.put(item.ino.v);
    e.put(item.type);
    e.put_text(item.name);
  }
  if (next_ino != kNoIno) {
    e.put(Tag::next_ino);
    e.put(next_ino.v);
  }
  return std::move(e.bytes());
}

Result<Edit> Edit::decode(std::span<const std::byte> payload) {
  Decoder d(payload);
  Edit edit;
  while (!d.at_end()) {
    if (!decode_item(d, edit)) return make_error(Kind::damaged, "an edit has an invalid item");
  }
  return edit;
}

}  // namespace branchfs
