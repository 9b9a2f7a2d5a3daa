// How edits change a view. The same code serves replay and the running branch's own bookkeeping where both need it.
#include <algorithm>

#include "layers/branch/view.h"

namespace branchfs {

Result<NodePtr> View::node_to_change(Ino ino) {
  BFS_ASSIGN(NodePtr found, node(ino));
  if (found) found->touched = true;
  return found;
}

void View::set_owned(Node& node, std::size_t owner) {
  node.owner = owner;
  node.is_lost = false;
  node.durable_size = 0;  // of an older delta's file
  node.base = {};
  node.limit = UINT64_MAX;
  node.sources.clear();
  node.clones.clear();
}

Status View::apply_inode(const InodeItem& item, std::size_t index, Told told) {
  Ino ino = item.attr.ino;
  if (item.attr.nlink == 0) {
    if (base_ && ino <= base_->max_ino()) mark_dead(ino);
    drop_node(ino);
    return {};
  }
  BFS_ASSIGN(NodePtr found, node_to_change(ino));
  if (!found) {
    if (is_dead(ino)) return {};
    found = add_node(ino);
  }
  std::uint64_t size = found->attr.size;
  found->attr = item.attr;
  found->symlink = item.symlink;
  if (told != Told::durable) {
    found->told_size = item.attr.size;
    found->told_in = index;
  } else {
    found->journaled_size = item.attr.size;
    // States leave out what was not synced; only a cut makes a file shorter.
    if (found->told_in == index) found->attr.size = std::max(item.attr.size, found->told_size);
  }
  if (!found->is_regular()) return {};
  if (item.owned) found->told_in = kNoDelta;
  if (item.owned && found->owner != index) set_owned(*found, index);
  if (!item.owned && found->owner == index) found->owner = kNoDelta;  // an empty file that blocks were shared into
  if (found->owner == index) found->attr.size = std::max(size, item.attr.size);  // settled after replay
  return {};
}

Status View::apply_name(const NameItem& item) {
  BFS_ASSIGN(NodePtr dir, node_to_change(item.parent));
  if (!dir) return {};  // of a directory that a later record of the same history removed
  BFS_ASSIGN(bool below, base_has(*dir, item.name));
  set_name(*dir, item.name, {item.ino, item.type}, below);
  if (item.ino != kNoIno) {
    BFS_ASSIGN(NodePtr target, node(item.ino));
    if (target && target->is_dir()) {
      target->parent = item.parent;
      target->touched = true;
    }
  }
  return {};
}

void View::insert_clone(Node& node, BlockNo first, CloneRef ref) {
  std::uint64_t end = first.v + ref.count;
  auto advance = [](CloneRef r, std::uint64_t by) {
    r.source_first.v += by;
    r.count -= by;
    return r;
  };
  auto it = node.clones.upper_bound(first.v);
  if (it != node.clones.begin()) --it;
  while (it != node.clones.end() && it->first < end) {
    std::uint64_t old_first = it->first;
    CloneRef old = it->second;
    if (old_first + old.count <= first.v) {
      ++it;
      continue;
    }
    it = node.clones.erase(it);
    if (old_first + old.count > end) node.clones[end] = advance(old, end - old_first);
    if (old_first < first.v) {
      old.count = first.v - old_first;
      node.clones[old_first] = old;
    }
  }
  node.sources.set({first, ref.count}, kCloned);
  node.clones[first.v] = std::move(ref);
}

Status View::resolve_clone(CloneRef& ref) {
  for (std::size_t i = 0; i < delta_count(); ++i) {
    if (deltas_[i]->id() == ref.element) {
      ref.delta = i;
      return {};
    }
  }
  auto layer = store_->layers().open(ref.element);
  if (!layer) return std::move(layer).error().context("a shared block's layer");
  BFS_ASSIGN(auto source, (*layer)->inode(ref.source));
  if (!source) return make_error(Kind::damaged, "a shared block names an inode its layer does not have");
  ref.map = source->map;
  return {};
}

Status View::apply(const Edit& edit, std::size_t index, Told told) {
  for (const CutItem& item : edit.cuts) {
    BFS_ASSIGN(NodePtr found, node_to_change(item.ino));
    if (found) found->told_in = kNoDelta;
  }
  for (const InodeItem& item : edit.inodes) BFS_TRY(apply_inode(item, index, told));
  for (const CutItem& item : edit.cuts) {
    BFS_ASSIGN(NodePtr found, node_to_change(item.ino));
    if (!found || found->owner == index) continue;
    found->sources.clear_from(item.from);
    found->limit = std::min(found->limit, item.from.v);
    found->pending.erase_from(item.from);
  }
  for (const ZeroItem& item : edit.zeros) {
    BFS_ASSIGN(NodePtr found, node_to_change(item.ino));
    if (!found || found->owner == index) continue;
    found->sources.set(item.range, kZeros);
    found->pending.erase(item.range);
  }
  for (const CloneItem& item : edit.clones) {
    BFS_ASSIGN(NodePtr found, node_to_change(item.ino));
    if (!found || found->owner == index) continue;
    CloneRef ref;
    ref.count = item.range.count;
    ref.element = item.element;
    ref.source = item.source;
    ref.source_first = item.source_first;
    BFS_TRY(resolve_clone(ref));
    insert_clone(*found, item.range.first, std::move(ref));
    found->pending.erase(item.range);
  }
  for (const PresentItem& item : edit.presents) {
    BFS_ASSIGN(NodePtr found, node_to_change(item.ino));
    if (!found || found->owner == index) continue;
    for (const BlockRange& range : item.ranges) {
      found->sources.set(range, Source::delta(index));
      if (told == Told::unsynced && replaying_open_) found->pending.add(range);
    }
  }
  for (const NameItem& item : edit.names) BFS_TRY(apply_name(item));
  if (edit.next_ino.v > next_ino_.v) next_ino_ = edit.next_ino;
  return {};
}

}  // namespace branchfs
