// Names: each change is one edit, applied to memory and appended to the journal under the names lock, so that the journal's order
// is the order in which things happened.
#include <dirent.h>
#include <fcntl.h>

#include "layers/branch/open_branch.h"

namespace branchfs {
namespace {

constexpr std::size_t kMaxName = 255;
constexpr std::uint32_t kMaxLinks = 65'000;  // ext4's

std::uint8_t type_of(std::uint32_t mode) { return static_cast<std::uint8_t>((mode & S_IFMT) >> 12); }

Status check_name(std::string_view name) {
  if (name.size() > kMaxName) return posix_error(ENAMETOOLONG);
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string_view::npos) return posix_error(EINVAL);
  return {};
}

}  // namespace

InodeItem OpenBranch::state_of(Node& node) {
  InodeItem item;
  item.attr = node.attr;
  item.owned = node.is_regular() && owns(node);
  if (node.is_regular()) item.attr.size = item.owned ? node.durable_size : node.journaled_size;
  item.symlink = node.symlink;
  node.touched = true;
  return item;
}

void OpenBranch::touch_dir(Node& dir, Edit& edit) {
  std::unique_lock lock(dir.mutex);
  dir.attr.mtime = dir.attr.ctime = store_->env().now();
  edit.inodes.push_back(state_of(dir));
}

void OpenBranch::bind(Node& dir, const std::string& name, Node::Name value, Edit& edit, bool below) {
  view_->set_name(dir, name, value, below);
  edit.names.push_back({dir.attr.ino, name, value.ino, value.type});
}

// The inode loses a name (a directory: its only one).
void OpenBranch::drop_link(Node& node, Edit& edit) {
  std::unique_lock lock(node.mutex);
  node.attr.nlink = node.is_dir() ? 0 : node.attr.nlink - 1;
  node.attr.ctime = store_->env().now();
  edit.inodes.push_back(state_of(node));
}

// After its edit is in the journal: an inode without names and without users is gone.
void OpenBranch::settle_removed(const NodePtr& node) {
  Ino ino = node->attr.ino;
  if (node->attr.nlink != 0 || node->references.load() != 0) return;
  if (node->in_base) view_->mark_dead(ino);
  view_->drop_node(ino);
  {
    std::lock_guard lock(dirty_mutex_);
    dirty_.erase(ino);
  }
  if (!node->is_regular()) return;
  std::size_t delta = current_.load();
  std::lock_guard lock(removals_mutex_);
  removals_.push_back({delta, view_->delta(delta).journal().end(), ino});
}

Result<NodePtr> OpenBranch::find_child(Node& dir, std::string_view name) {
  BFS_ASSIGN(auto found, view_->find(dir, name));
  if (!found) return posix_error(ENOENT);
  BFS_ASSIGN(NodePtr child, view_->node(found->ino));
  if (!child) return make_error(Kind::damaged, "a name leads to an inode that does not exist");
  return child;
}

Status OpenBranch::require_empty(Node& dir) {
  return view_->for_each_name(dir, [](std::string_view, Node::Name) -> Status { return posix_error(ENOTEMPTY); });
}

Result<Attr> OpenBranch::lookup(Ino parent, std::string_view name) {
  if (name.size() > kMaxName) return posix_error(ENAMETOOLONG);
  std::shared_lock names(names_mutex_);
  BFS_ASSIGN(NodePtr dir, need_dir(parent));
  BFS_ASSIGN(auto found, view_->find(*dir, name));
  if (!found) return posix_error(ENOENT);
  BFS_ASSIGN(NodePtr child, view_->reference(found->ino));
  if (!child) return make_error(Kind::damaged, "a name leads to an inode that does not exist");
  std::unique_lock lock(child->mutex);
  if (child->is_dir()) child->parent = parent;
  return child->attr;
}

void OpenBranch::forget(Ino ino, std::uint64_t references) {
  NodePtr node = view_->cached(ino);
  if (!node || !view_->unreference(ino, references)) return;
  {
    // An unlink holds this lock exclusively, so either it saw our reference gone or we see its link count.
    std::shared_lock names(names_mutex_);
    if (node->attr.nlink != 0) return;
  }
  GatePass pass(gate_);
  std::unique_lock names(names_mutex_);
  settle_removed(node);
}

Result<Attr> OpenBranch::getattr(Ino ino) {
  BFS_ASSIGN(NodePtr node, need(ino));
  std::shared_lock lock(node->mutex);
  return node->attr;
}

Result<Attr> OpenBranch::create(const NewNode& request) {
  BFS_TRY(writable());
  BFS_TRY(check_name(request.name));
  GatePass pass(gate_);
  std::unique_lock names(names_mutex_);
  BFS_ASSIGN(NodePtr dir, need_dir(request.parent));
  if (dir->attr.nlink == 0) return posix_error(ENOENT);
  BFS_ASSIGN(auto existing, view_->find(*dir, request.name));
  if (existing) return posix_error(EEXIST);
  bool is_dir = (request.mode & S_IFMT) == S_IFDIR;
  if (is_dir && dir->attr.nlink >= kMaxLinks) return posix_error(EMLINK);
  BFS_ASSIGN(bool below, view_->base_has(*dir, request.name));

  NodePtr node = view_->add_node(Ino{next_ino_.fetch_add(1)});
  node->references = 1;
  node->parent = request.parent;
  node->symlink = request.symlink;
  Attr& a = node->attr;
  a.mode = request.mode;
  a.uid = request.uid;
  a.gid = request.gid;
  a.rdev = request.rdev;
  a.nlink = is_dir ? 2 : 1;
  a.size = request.symlink.size();
  a.atime = a.mtime = a.ctime = store_->env().now();
  if (node->is_regular()) node->owner = current_.load();

  Edit edit;
  edit.inodes.push_back(state_of(*node));
  if (is_dir) {
    std::unique_lock lock(dir->mutex);
    ++dir->attr.nlink;
  }
  touch_dir(*dir, edit);
  bind(*dir, std::string(request.name), {a.ino, type_of(a.mode)}, edit, below);
  record(edit);
  return node->attr;
}

Result<Attr> OpenBranch::link(Ino ino, Ino parent, std::string_view name) {
  BFS_TRY(writable());
  BFS_TRY(check_name(name));
  GatePass pass(gate_);
  std::unique_lock names(names_mutex_);
  BFS_ASSIGN(NodePtr dir, need_dir(parent));
  BFS_ASSIGN(NodePtr node, need(ino));
  if (node->is_dir()) return posix_error(EPERM);
  if (dir->attr.nlink == 0 || node->attr.nlink == 0) return posix_error(ENOENT);
  if (node->attr.nlink >= kMaxLinks) return posix_error(EMLINK);
  BFS_ASSIGN(auto existing, view_->find(*dir, name));
  if (existing) return posix_error(EEXIST);
  BFS_ASSIGN(bool below, view_->base_has(*dir, name));
  BFS_ASSIGN(node, view_->reference(ino));
  Edit edit;
  {
    std::unique_lock lock(node->mutex);
    ++node->attr.nlink;
    node->attr.ctime = store_->env().now();
    edit.inodes.push_back(state_of(*node));
  }
  touch_dir(*dir, edit);
  bind(*dir, std::string(name), {ino, type_of(node->attr.mode)}, edit, below);
  record(edit);
  return node->attr;
}

Status OpenBranch::unlink(Ino parent, std::string_view name) {
  BFS_TRY(writable());
  GatePass pass(gate_);
  std::unique_lock names(names_mutex_);
  BFS_ASSIGN(NodePtr dir, need_dir(parent));
  BFS_ASSIGN(NodePtr node, find_child(*dir, name));
  if (node->is_dir()) return posix_error(EISDIR);
  BFS_ASSIGN(bool below, view_->base_has(*dir, name));
  Edit edit;
  drop_link(*node, edit);
  touch_dir(*dir, edit);
  bind(*dir, std::string(name), {kNoIno, 0}, edit, below);
  record(edit);
  settle_removed(node);
  return {};
}

Status OpenBranch::rmdir(Ino parent, std::string_view name) {
  BFS_TRY(writable());
  GatePass pass(gate_);
  std::unique_lock names(names_mutex_);
  BFS_ASSIGN(NodePtr dir, need_dir(parent));
  BFS_ASSIGN(NodePtr node, find_child(*dir, name));
  if (!node->is_dir()) return posix_error(ENOTDIR);
  BFS_TRY(require_empty(*node));
  BFS_ASSIGN(bool below, view_->base_has(*dir, name));
  Edit edit;
  drop_link(*node, edit);
  {
    std::unique_lock lock(dir->mutex);
    --dir->attr.nlink;
  }
  touch_dir(*dir, edit);
  bind(*dir, std::string(name), {kNoIno, 0}, edit, below);
  record(edit);
  settle_removed(node);
  return {};
}

struct OpenBranch::Renaming {
  NodePtr from_dir, to_dir;
  std::string name, new_name;
  NodePtr moved, replaced;  // replaced may be null
  bool below = false, new_below = false;
};

// `moved` is not on the way from the root to `dir`.
Status OpenBranch::require_above(const NodePtr& moved, const NodePtr& dir) {
  for (NodePtr up = dir; moved->is_dir() && up && up->attr.ino != kRootIno;) {
    if (up == moved) return posix_error(EINVAL);
    BFS_ASSIGN(up, view_->node(up->parent));
  }
  return {};
}

Status OpenBranch::check_rename(Renaming& r, unsigned flags) {
  if (r.to_dir->attr.nlink == 0) return posix_error(ENOENT);
  if (r.replaced && (flags & RENAME_NOREPLACE) != 0) return posix_error(EEXIST);
  const bool exchanges = (flags & RENAME_EXCHANGE) != 0;
  if (exchanges && !r.replaced) return posix_error(ENOENT);
  // The kernel refuses moving a directory below itself before it asks us; we do not rely on it.
  BFS_TRY(require_above(r.moved, r.to_dir));
  if (exchanges) return require_above(r.replaced, r.from_dir);
  if (!r.replaced || r.replaced == r.moved) return {};
  if (r.moved->is_dir() && !r.replaced->is_dir()) return posix_error(ENOTDIR);
  if (!r.moved->is_dir() && r.replaced->is_dir()) return posix_error(EISDIR);
  if (r.replaced->is_dir()) BFS_TRY(require_empty(*r.replaced));
  return {};
}

void OpenBranch::move_dir(Node& moved, Node& from, Node& to) {
  if (!moved.is_dir()) return;
  moved.parent = to.attr.ino;
  if (&from == &to) return;
  std::scoped_lock lock(from.mutex, to.mutex);
  --from.attr.nlink;
  ++to.attr.nlink;
}

Status OpenBranch::exchange(Renaming& r) {
  Edit edit;
  move_dir(*r.moved, *r.from_dir, *r.to_dir);
  move_dir(*r.replaced, *r.to_dir, *r.from_dir);
  for (Node* node : {r.moved.get(), r.replaced.get()}) {
    std::unique_lock lock(node->mutex);
    node->attr.ctime = store_->env().now();
    edit.inodes.push_back(state_of(*node));
  }
  touch_dir(*r.from_dir, edit);
  if (r.to_dir != r.from_dir) touch_dir(*r.to_dir, edit);
  bind(*r.from_dir, r.name, {r.replaced->attr.ino, type_of(r.replaced->attr.mode)}, edit, r.below);
  bind(*r.to_dir, r.new_name, {r.moved->attr.ino, type_of(r.moved->attr.mode)}, edit, r.new_below);
  record(edit);
  return {};
}

Status OpenBranch::replace(Renaming& r) {
  if (r.replaced == r.moved) return {};  // two names of one file: POSIX wants nothing done
  Edit edit;
  if (r.replaced) {
    drop_link(*r.replaced, edit);
    if (r.replaced->is_dir()) {
      std::unique_lock lock(r.to_dir->mutex);
      --r.to_dir->attr.nlink;
    }
  }
  move_dir(*r.moved, *r.from_dir, *r.to_dir);
  {
    std::unique_lock lock(r.moved->mutex);
    r.moved->attr.ctime = store_->env().now();
    edit.inodes.push_back(state_of(*r.moved));
  }
  touch_dir(*r.from_dir, edit);
  if (r.to_dir != r.from_dir) touch_dir(*r.to_dir, edit);
  bind(*r.from_dir, r.name, {kNoIno, 0}, edit, r.below);
  bind(*r.to_dir, r.new_name, {r.moved->attr.ino, type_of(r.moved->attr.mode)}, edit, r.new_below);
  record(edit);
  if (r.replaced) settle_removed(r.replaced);
  return {};
}

Status OpenBranch::rename(Ino parent, std::string_view name, Ino new_parent, std::string_view new_name,
                          unsigned flags) {
  BFS_TRY(writable());
  BFS_TRY(check_name(name));
  BFS_TRY(check_name(new_name));
  if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0) return posix_error(EINVAL);
  GatePass pass(gate_);
  std::unique_lock names(names_mutex_);
  Renaming r;
  r.name = name;
  r.new_name = new_name;
  BFS_ASSIGN(r.from_dir, need_dir(parent));
  BFS_ASSIGN(r.to_dir, need_dir(new_parent));
  BFS_ASSIGN(r.moved, find_child(*r.from_dir, name));
  BFS_ASSIGN(auto existing, view_->find(*r.to_dir, new_name));
  if (existing) {
    BFS_ASSIGN(r.replaced, view_->node(existing->ino));
  }
  BFS_ASSIGN(r.below, view_->base_has(*r.from_dir, name));
  BFS_ASSIGN(r.new_below, view_->base_has(*r.to_dir, new_name));
  BFS_TRY(check_rename(r, flags));
  return (flags & RENAME_EXCHANGE) != 0 ? exchange(r) : replace(r);
}

Result<std::string> OpenBranch::readlink(Ino ino) {
  BFS_ASSIGN(NodePtr node, need(ino));
  if (node->type() != S_IFLNK) return posix_error(EINVAL);
  return node->symlink;
}

Result<std::vector<NameEntry>> OpenBranch::list(Ino ino) {
  std::shared_lock names(names_mutex_);
  BFS_ASSIGN(NodePtr dir, need_dir(ino));
  std::vector<NameEntry> entries;
  BFS_TRY(view_->for_each_name(*dir, [&](std::string_view name, Node::Name value) -> Status {
    entries.push_back({std::string(name), value.ino, value.type});
    return {};
  }));
  return entries;
}

Result<Ino> OpenBranch::parent_of(Ino ino) {
  std::shared_lock names(names_mutex_);
  BFS_ASSIGN(NodePtr dir, need_dir(ino));
  return ino == kRootIno || dir->parent == kNoIno ? kRootIno : dir->parent;
}

}  // namespace branchfs
