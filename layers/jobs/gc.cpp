// What no branch reaches goes: to trash under the store lock (renames only), from there for good without it.
#include <fcntl.h>
#include <fmt/format.h>

#include "layers/io/background.h"
#include "layers/jobs/jobs.h"
#include "layers/jobs/move_undo.h"
#include "layers/jobs/reach.h"

namespace branchfs {

namespace {

constexpr std::string_view kLayerSuffix = ".layer";
constexpr std::string_view kTmpSuffix = ".tmp";

class Collector {
 public:
  explicit Collector(Store& store) : store_(store), env_(store.env()), reach_(store) {}

  Result<GcReport> run() {
    // Once without the lock, to read all that is to be read; under it only what changed is read again.
    // That look may meet what a delete or reset takes away at the same time, so its errors say nothing.
    ignore(in_background([&] { return find_reached(); }));
    {
      BFS_ASSIGN(const StoreLock lock, store_.lock());
      lock_ = &lock;
      BFS_TRY(find_reached());
      BFS_TRY(layers());
      BFS_TRY(deltas());
      BFS_TRY(branches());
    }
    report_.bytes += host_bytes(env_, store_.trash_dir());
    BFS_TRY(in_background([&] { return store_.empty_trash(); }));
    return report_;
  }

 private:
  Status find_reached();
  Status layers();
  Status deltas();
  Status branches();
  // What is decided upon must not be undone by a power cut: makes the manifests and layers that were seen durable, because a process
  // that was killed may have renamed one and not synced its directory. Once, when there is something to remove.
  Status settle();
  // Moves it to trash if nobody holds a lock on `lock_path`; false when somebody does.
  Result<bool> trash_unlocked(const std::string& path, const std::string& lock_path);
  Result<bool> undo_move(const std::string& dir);

  Store& store_;
  Env& env_;
  Reach reach_;
  ObjectSet reached_;
  const StoreLock* lock_ = nullptr;  // while it is held
  bool is_settled_ = false;
  GcReport report_;
};

Status Collector::find_reached() {
  reached_.clear();
  std::optional<Error> unreadable;
  BFS_ASSIGN(auto all, store_.list([&](const std::string& name, const Error& error) {
    unreadable = error;
    unreadable->what = fmt::format("branch \"{}\": {}", name, error.what);
  }));
  for (const BranchInfo& branch : all) {
    if (unreadable) break;
    Status added = reach_.add(branch.manifest, reached_);
    if (!added) unreadable = std::move(added).error();
  }
  if (!unreadable) return {};
  return std::move(*unreadable)
      .context("collect garbage: what is needed cannot be told, so nothing is removed");
}

Status Collector::settle() {
  if (is_settled_) return {};
  BFS_TRY(store_.settle(*lock_));
  BFS_TRY(env_.sync_dir(store_.layers_dir()));
  is_settled_ = true;
  return {};
}

Result<bool> Collector::trash_unlocked(const std::string& path, const std::string& lock_path) {
  auto file = env_.open(lock_path, O_RDONLY);
  if (file) {
    // Held until the name is gone: whoever locks it afterwards sees that.
    BFS_ASSIGN(bool is_free, (*file)->try_lock(LockMode::exclusive));
    if (!is_free) return false;
  } else if (file.error().sys != ENOENT) {
    return std::move(file).error();
  }
  BFS_TRY(settle());
  BFS_TRY(store_.trash(path));
  return true;
}

Status Collector::layers() {
  BFS_ASSIGN(auto items, env_.list(store_.layers_dir()));
  for (const DirItem& item : items) {
    std::string_view name = item.name;
    bool is_layer = name.ends_with(kLayerSuffix);
    if (!is_layer && !name.ends_with(kTmpSuffix)) continue;
    if (is_layer) {
      auto id = ObjectId::parse(name.substr(0, name.size() - kLayerSuffix.size()));
      if (!id || reached_.contains(*id)) continue;
    }
    // An import that may refer to a layer holds a shared lock on it; a writer an exclusive one on its own
    // file.
    std::string path = store_.layers_dir() + "/" + item.name;
    BFS_ASSIGN(bool gone, trash_unlocked(path, path));
    if (gone) ++(is_layer ? report_.layers : report_.other);
  }
  return {};
}

// Files that a killed import moved here go back where they came from. False while somebody has the delta open: an import still works on it,
// or a view reads it. Asked under the journal's lock, since an import may write its list, and be killed, up to then.
Result<bool> Collector::undo_move(const std::string& dir) {
  // None: a power cut has kept more of a delta's removal than of the undoing before it. An import makes it under the store lock.
  auto journal = env_.open(dir + "/journal", O_RDONLY);
  if (!journal && journal.error().sys != ENOENT) return std::move(journal).error();
  if (journal) {
    BFS_ASSIGN(bool is_free, (*journal)->try_lock(LockMode::exclusive));
    if (!is_free) return false;
  }
  BFS_ASSIGN(const bool was_moved, has_moved_files(env_, dir));
  if (was_moved) BFS_TRY(move_back(env_, dir));
  return true;
}

Status Collector::deltas() {
  BFS_ASSIGN(auto items, env_.list(store_.deltas_dir()));
  for (const DirItem& item : items) {
    auto id = ObjectId::parse(item.name);
    if (!id) continue;
    std::string dir = store_.delta_dir(*id);
    const bool is_reached = reached_.contains(*id);
    if (is_reached) {
      BFS_ASSIGN(const bool was_moved, has_moved_files(env_, dir));
      if (was_moved) {
        BFS_TRY(settle());
        BFS_TRY(forget_moved_files(env_, dir));
      }
      if (!env_.exists(store_.layer_path(*id))) continue;
    } else {
      BFS_ASSIGN(const bool undone, undo_move(dir));
      if (!undone) continue;
    }
    // Packed, or unreachable; but a view opened before may still read it.
    BFS_ASSIGN(bool gone, trash_unlocked(dir, dir + "/journal"));
    if (gone) ++report_.deltas;
  }
  return {};
}

// A directory without a manifest is what a crashed create left; creating takes the store lock, so none is
// under way.
Status Collector::branches() {
  BFS_ASSIGN(auto items, env_.list(store_.branches_dir()));
  for (const DirItem& item : items) {
    std::string dir = store_.branches_dir() + "/" + item.name;
    auto manifest = env_.stat(dir + "/manifest");
    if (manifest || manifest.error().sys != ENOENT) continue;  // there, or the host cannot tell
    BFS_ASSIGN(bool gone, trash_unlocked(dir, dir + "/lock"));
    if (gone) ++report_.other;
  }
  return {};
}

}  // namespace

Result<GcReport> collect_garbage(Store& store) { return Collector(store).run(); }

}  // namespace branchfs
