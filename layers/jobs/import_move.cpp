// The import that copies nothing: regular files are renamed into a frozen delta that owns them, everything
// else becomes journal records. Order: journal durable → list of moved files durable → renames → delta sealed
// → manifest. A crash before the manifest leaves the list, by which gc moves the files back; after it, a list
// that means nothing.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "layers/delta/delta.h"
#include "layers/jobs/import.h"
#include "layers/jobs/move_undo.h"

namespace branchfs {

namespace {

constexpr std::size_t kItemsPerEdit = 1000;

class Mover {
 public:
  Mover(Store& store, std::string source, const MoveOptions& options)
      : store_(store), env_(store.env()), options_(options), id_(store.env().new_id()) {
    moved_.source = std::move(source);
  }

  Result<Manifest> run(const std::string& name, Manifest manifest);

 private:
  struct Linked {
    Ino ino;
    std::size_t item = 0;  // in items_
    std::uint64_t names_left = 0;
    std::string path;
  };
  Status scan();
  Status directory(const std::string& path, Ino ino, std::size_t item);
  Status entry(const std::string& path, const std::string& name, Ino parent, std::size_t parent_item);
  Result<Ino> hard_link(const struct ::stat& st, const std::string& path);
  Result<Ino> add_inode(const struct ::stat& st, const std::string& path);
  Status write_journal(Delta& delta);
  Status take_files();
  Status fill(Delta& delta);

  [[nodiscard]] std::string real(const std::string& path) const {
    return path.empty() ? moved_.source : moved_.source + "/" + path;
  }

  Store& store_;
  Env& env_;
  const MoveOptions& options_;
  ObjectId id_;
  MovedFiles moved_;
  std::vector<InodeItem> items_;
  std::vector<NameItem> names_;
  std::map<std::pair<::dev_t, ::ino_t>, Linked> linked_;
  std::uint64_t next_ino_ = kRootIno.v;
};

Result<Ino> Mover::add_inode(const struct ::stat& st, const std::string& path) {
  InodeItem item;
  Attr& a = item.attr;
  a.ino = Ino{next_ino_++};
  a.mode = st.st_mode;
  a.uid = st.st_uid;
  a.gid = st.st_gid;
  a.nlink = S_ISDIR(st.st_mode) ? 2 : 1;
  a.atime = st.st_atim;
  a.mtime = st.st_mtim;
  a.ctime = st.st_ctim;
  if (S_ISREG(st.st_mode)) {
    a.size = static_cast<std::uint64_t>(st.st_size);
    item.owned = true;
    moved_.files.emplace_back(a.ino, path);
  }
  if (S_ISLNK(st.st_mode)) {
    item.symlink.resize(kMaxSymlinkSize + 1);
    ::ssize_t n = ::readlink(real(path).c_str(), item.symlink.data(), item.symlink.size());
    if (n <= 0) return sys_error("read the symlink " + real(path));
    item.symlink.resize(static_cast<std::size_t>(n));
    a.size = item.symlink.size();
  }
  items_.push_back(std::move(item));
  return items_.back().attr.ino;
}

Result<Ino> Mover::hard_link(const struct ::stat& st, const std::string& path) {
  auto [at, is_new] = linked_.try_emplace({st.st_dev, st.st_ino});
  Linked& linked = at->second;
  if (is_new) {
    linked = {Ino{next_ino_}, items_.size(), st.st_nlink, path};
    BFS_ASSIGN([[maybe_unused]] Ino made, add_inode(st, path));
  } else {
    ++items_[linked.item].attr.nlink;
  }
  --linked.names_left;
  return linked.ino;
}

Status Mover::entry(const std::string& path, const std::string& name, Ino parent, std::size_t parent_item) {
  BFS_ASSIGN(struct ::stat st, env_.stat(real(path)));
  bool kept = S_ISDIR(st.st_mode) || S_ISREG(st.st_mode) || S_ISLNK(st.st_mode) || S_ISFIFO(st.st_mode);
  if (!kept) return {};  // sockets and devices stay where they are
  std::size_t item = items_.size();
  bool is_linked = S_ISREG(st.st_mode) && st.st_nlink > 1;
  auto added = is_linked ? hard_link(st, path) : add_inode(st, path);
  BFS_ASSIGN(Ino ino, std::move(added));
  names_.push_back({parent, name, ino, static_cast<std::uint8_t>((st.st_mode & S_IFMT) >> 12U)});
  if (!S_ISDIR(st.st_mode)) return {};
  ++items_[parent_item].attr.nlink;
  return directory(path, ino, item);
}

Status Mover::directory(const std::string& path, Ino ino, std::size_t item) {
  BFS_ASSIGN(auto entries, env_.list(real(path)));
  std::sort(entries.begin(), entries.end(),
            [](const DirItem& a, const DirItem& b) { return a.name < b.name; });
  for (const DirItem& e : entries) {
    std::string below = path.empty() ? e.name : path + "/" + e.name;
    if (options_.skip && options_.skip(below)) continue;
    BFS_TRY(entry(below, e.name, ino, item));
  }
  return {};
}

Status Mover::scan() {
  BFS_ASSIGN(struct ::stat st, env_.stat(moved_.source));
  BFS_ASSIGN(Ino root, add_inode(st, ""));
  BFS_TRY(directory("", root, 0));
  for (const auto& [key, linked] : linked_) {
    if (linked.names_left == 0) continue;
    return make_error(Kind::refused,
                      fmt::format("{} has another name outside of what is moved", real(linked.path)),
                      "import without --move, which copies it");
  }
  return {};
}

Status Mover::write_journal(Delta& delta) {
  auto append = [&](auto& all, auto member) {
    for (std::size_t at = 0; at < all.size(); at += kItemsPerEdit) {
      Edit edit;
      std::size_t end = std::min(all.size(), at + kItemsPerEdit);
      (edit.*member)
          .assign(all.begin() + static_cast<std::ptrdiff_t>(at),
                  all.begin() + static_cast<std::ptrdiff_t>(end));
      edit.next_ino = Ino{next_ino_};
      delta.append(edit);
    }
  };
  append(items_, &Edit::inodes);
  append(names_, &Edit::names);
  return delta.journal().sync(delta.journal().end());
}

Status Mover::take_files() {
  for (const auto& [ino, path] : moved_.files) {
    BFS_TRY(env_.rename(real(path), store_.delta_dir(id_) + "/f/" + Delta::file_name(ino)));
  }
  return {};
}

Status Mover::fill(Delta& delta) {
  BFS_TRY(write_journal(delta));
  BFS_TRY(write_moved_files(env_, store_.delta_dir(id_), moved_));
  BFS_TRY(take_files());
  return delta.seal();
}

Result<Manifest> Mover::run(const std::string& name, Manifest manifest) {
  BFS_TRY(scan());
  std::string dir = store_.delta_dir(id_);
  std::unique_ptr<Delta> delta;
  {
    // Made under the store lock and locked before it is let go: gc takes an unlocked delta that nothing
    // reaches.
    BFS_ASSIGN(StoreLock lock, store_.lock());
    BFS_TRY(Delta::create(env_, dir, id_));
    BFS_ASSIGN(delta, Delta::open(env_, dir, id_, true, [](const Edit&, Told) { return Status{}; }));
  }
  manifest.stack = {id_};
  manifest.delta = {};
  manifest.next_ino = Ino{next_ino_};
  auto publish = [&]() -> Result<Manifest> {
    BFS_TRY(fill(*delta));
    BFS_ASSIGN(StoreLock lock, store_.lock());
    return create_root(store_, lock, name, manifest);
  };
  auto published = publish();
  if (published) {
    ignore(forget_moved_files(env_, dir));  // means nothing any more; gc removes it too
    return published;
  }
  auto was_moved = has_moved_files(env_, dir);
  Status back = !was_moved.ok() ? Status(std::move(was_moved).error()) : *was_moved ? move_back(env_, dir) : Status{};
  if (!back) return std::move(back).error().context(published.error().what + "; and then, moving back");
  delta.reset();
  ignore(env_.remove_tree(dir));  // the first error is the one to report; gc removes what is left
  return published;
}

}  // namespace

Result<Manifest> import_move(Store& store, const std::string& name, const std::string& source,
                             Manifest manifest, const MoveOptions& options) {
  return Mover(store, source, options).run(name, std::move(manifest));
}

}  // namespace branchfs
