// Checks what a store promises: every layer (P3), every manifest, the journals that branches reach, and the tree that each
// branch shows.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "layers/branch/view.h"
#include "layers/delta/edit.h"
#include "layers/delta/journal.h"
#include "layers/io/descriptors.h"
#include "layers/jobs/check_data.h"
#include "layers/jobs/jobs.h"
#include "layers/jobs/reach.h"
#include "layers/jobs/salvage.h"
#include "layers/jobs/steady.h"

namespace branchfs {

namespace {

constexpr std::string_view kLayerSuffix = ".layer";

// What cannot be read: chunks of layers, and blocks of data files of deltas.
struct Unreadable {
  std::unordered_map<ObjectId, std::set<std::uint32_t>> chunks;
  std::unordered_map<ObjectId, std::unordered_map<Ino, std::vector<BlockRange>>> data;
  [[nodiscard]] bool empty() const { return chunks.empty() && data.empty(); }
};

class TreeCheck {
 public:
  using Report = std::function<void(const std::string&)>;
  TreeCheck(View& view, const Unreadable& bad, const Report& report) : view_(view), bad_(bad), report_(report) {}
  Status run();

 private:
  struct Place {
    Ino parent;
    std::string name;
  };
  struct Seen {
    std::uint32_t names = 0;
    std::uint8_t type = 0;
  };
  Status directory(Ino ino, std::vector<Ino>& todo);
  Status inode(Ino ino, const Seen& seen);
  Status data(Node& node);
  Status unreadable(Node& node);
  void unreadable_run(const Node& node, BlockNo block, const Run& run);
  Status unreached();
  [[nodiscard]] std::string path_of(Ino ino) const;

  View& view_;
  const Unreadable& bad_;
  const Report& report_;
  std::unordered_map<Ino, Seen> seen_;
  std::unordered_map<Ino, Place> places_;  // only where something cannot be read
};

Status TreeCheck::run() {
  seen_[kRootIno] = {1, S_IFDIR >> 12U};
  std::vector<Ino> todo{kRootIno};
  while (!todo.empty()) {
    Ino ino = todo.back();
    todo.pop_back();
    BFS_TRY(directory(ino, todo));
  }
  for (const auto& [ino, seen] : seen_) BFS_TRY(inode(ino, seen));
  return unreached();
}

Status TreeCheck::directory(Ino ino, std::vector<Ino>& todo) {
  BFS_ASSIGN(NodePtr dir, view_.node(ino));
  if (!dir || !dir->is_dir()) {
    report_(fmt::format("inode {} is named as a directory and is none", ino.v));
    return {};
  }
  return view_.for_each_name(*dir, [&](std::string_view name, Node::Name entry) -> Status {
    if (!bad_.empty()) places_.try_emplace(entry.ino, Place{ino, std::string(name)});
    Seen& seen = seen_[entry.ino];
    if (++seen.names == 1 && entry.type == S_IFDIR >> 12U) todo.push_back(entry.ino);
    seen.type = entry.type;
    return {};
  });
}

Status TreeCheck::inode(Ino ino, const Seen& seen) {
  NodePtr cached = view_.cached(ino);
  Attr attr;
  if (cached) {
    attr = cached->attr;
  } else {
    // Not through node(), which would keep every inode of the base layer in memory.
    std::optional<LayerInode> stored;
    if (view_.base() && !view_.is_dead(ino)) {
      BFS_ASSIGN(stored, view_.base()->inode(ino));
    }
    if (!stored) {
      report_(fmt::format("a name leads to inode {}, which does not exist", ino.v));
      return {};
    }
    attr = stored->attr;
  }
  if (attr.mode >> 12U != seen.type) report_(fmt::format("inode {} has another type than its name", ino.v));
  bool is_dir = S_ISDIR(attr.mode);
  if (is_dir ? seen.names != 1 : seen.names != attr.nlink) {
    report_(fmt::format("inode {} has {} names and a link count of {}", ino.v, seen.names, attr.nlink));
  }
  if (cached && cached->touched && cached->is_regular()) BFS_TRY(data(*cached));
  if (bad_.empty() || !S_ISREG(attr.mode)) return {};
  BFS_ASSIGN(NodePtr node, view_.node(ino));
  return node ? unreadable(*node) : Status{};
}

std::string TreeCheck::path_of(Ino ino) const {
  std::string path;
  for (std::size_t depth = 0; ino != kRootIno && depth <= places_.size(); ++depth) {
    auto place = places_.find(ino);
    if (place == places_.end()) break;
    path = path.empty() ? place->second.name : place->second.name + "/" + path;
    ino = place->second.parent;
  }
  return path;
}

void TreeCheck::unreadable_run(const Node& node, BlockNo block, const Run& run) {
  auto say = [&](std::uint64_t first, std::uint64_t count, const std::string& why) {
    report_(fmt::format("\"{}\" (inode {}), {} cannot be read: {}", path_of(node.attr.ino), node.attr.ino.v,
                        count == 1 ? fmt::format("block {}", first) : fmt::format("blocks {}-{}", first, first + count - 1), why));
  };
  if (run.from == Run::From::layer) {
    const Extent& e = run.extent;
    auto bad = bad_.chunks.find(e.layer->id());
    if (bad == bad_.chunks.end() || !bad->second.contains(e.chunk)) return;
    say(block.v, run.count, fmt::format("chunk {} of layer {} is damaged", e.chunk, e.layer->id().hex()));
  }
  if (run.from != Run::From::delta) return;
  const ObjectId id = view_.delta(run.delta).id();
  auto delta = bad_.data.find(id);
  if (delta == bad_.data.end()) return;
  auto file = delta->second.find(run.ino);
  if (file == delta->second.end()) return;
  for (const BlockRange& range : file->second) {
    const std::uint64_t first = std::max(range.first.v, run.block.v);
    const std::uint64_t end = std::min(range.end(), run.block.v + run.count);
    if (first < end) say(block.v + (first - run.block.v), end - first, fmt::format("its data in delta {} is damaged", id.hex()));
  }
}

// Which blocks of the file cannot be read.
Status TreeCheck::unreadable(Node& node) {
  const std::uint64_t blocks = blocks_for(node.attr.size);
  for (BlockNo block{0}; block.v < blocks;) {
    auto run = view_.resolve(node, block, blocks - block.v);
    if (!run || run->count == 0) return {};  // told elsewhere
    const std::uint64_t count = std::min(run->count, blocks - block.v);
    run->count = count;
    unreadable_run(node, block, *run);
    block.v += count;
  }
  return {};
}

// Every stretch of the file leads somewhere that exists. (What the base layer maps is checked with the
// layer.)
Status TreeCheck::data(Node& node) {
  std::uint64_t blocks = blocks_for(node.attr.size);
  for (BlockNo block{0}; block.v < blocks;) {
    auto run = view_.resolve(node, block, blocks - block.v);
    if (!run || run->count == 0) {
      const std::string who = fmt::format("inode {}, block {}: ", node.attr.ino.v, block.v);
      const std::string why = run ? "the block map does not go on" : run.error().what;
      report_(why.starts_with(who) ? why : who + why);
      return {};
    }
    if (run->from == Run::From::delta && node.owner != run->delta) {
      BFS_ASSIGN(auto file, view_.data_file(run->delta, run->ino, false));
      if (!file)
        report_(fmt::format("inode {}, block {}: its data file is missing", node.attr.ino.v, block.v));
    }
    block.v += std::min(run->count, blocks - block.v);
  }
  return {};
}

Status TreeCheck::unreached() {
  for (const NodePtr& node : view_.touched_nodes()) {
    if (!seen_.contains(node->attr.ino)) report_(fmt::format("inode {} has no name", node->attr.ino.v));
  }
  const LayerPtr& base = view_.base();
  for (std::uint64_t i = 0; base && i < base->inode_count(); ++i) {
    BFS_ASSIGN(LayerInode node, base->inode_at(i));
    Ino ino = node.attr.ino;
    NodePtr cached = view_.cached(ino);
    if (view_.is_dead(ino) || (cached && cached->touched) || seen_.contains(ino)) continue;
    report_(fmt::format("inode {} of the base layer has no name", ino.v));
  }
  return {};
}

class Verifier {
 public:
  Verifier(Store& store, const Progress& progress) : store_(store), env_(store.env()), progress_(progress) {}

  // not_found when there is no such branch (any more).
  Status branch(const std::string& name);
  Status everything();
  // What could not be opened for want of a descriptor is not damaged, and a repair must not take it for that.
  Result<VerifyReport> take() {
    if (report_.problems > 0 && descriptors_wanting() != wanting_before_) {
      return Error{Kind::failed, EMFILE, "too many open files", "a limit is in force, see ulimit -n"};
    }
    return std::move(report_);
  }
  void problem(const std::string& line) {
    ++report_.problems;
    report_.lines.push_back(line);
  }
  void frame();

 private:
  void problem_in(ObjectId id, const std::string& line) {
    problem(line);
    report_.damaged.insert(id);
  }
  Status look_at(const std::string& name, const Manifest& manifest);
  void element(ObjectId id);
  void layer(ObjectId id);
  void delta(ObjectId id);
  void leftovers(ObjectId id, const std::string& below, std::string_view beginning);
  void data(ObjectId id);
  void whole_tail(ObjectId id, const std::string& path);
  Status advance(std::uint64_t bytes) {
    report_.bytes += bytes;
    if (progress_ && !progress_(report_.bytes, total_)) stopped_ = true;
    if (!stopped_) return {};
    return Error{Kind::failed, ECANCELED, "verify: stopped", {}};
  }

  Store& store_;
  Env& env_;
  const Progress& progress_;
  VerifyReport report_;
  const std::uint64_t wanting_before_ = descriptors_wanting();
  std::uint64_t total_ = 0;
  bool stopped_ = false;
  ObjectSet checked_;
  Unreadable unreadable_;
};

void Verifier::layer(ObjectId id) {
  auto opened = store_.layers().open(id);
  // Collected since it was listed. Who needs it reports that it is missing.
  if (!opened && opened.error().sys == ENOENT && !env_.exists(store_.layer_path(id))) return;
  if (!opened) return problem_in(id, opened.error().what);
  auto count = (*opened)->verify([&](const std::string& line) { problem_in(id, line); },
                                 [&](std::uint64_t bytes) { ignore(advance(bytes)); },
                                 [&](std::uint32_t chunk) { unreadable_.chunks[id].insert(chunk); });
  if (!count) problem_in(id, count.error().what);
}

void Verifier::delta(ObjectId id) {
  std::string path = store_.delta_dir(id) + "/journal";
  auto scan =
      Journal::scan(env_, path, id, [&](RecordType type, std::span<const std::byte> payload) -> Status {
        constexpr std::size_t kUnsyncedHead = 16;
        if (type == RecordType::unsynced && payload.size() >= kUnsyncedHead)
          payload = payload.subspan(kUnsyncedHead);
        BFS_ASSIGN(Edit edit, Edit::decode(payload));
        return {};
      });
  // Collected since it was listed: packed, or its branch deleted.
  if (!scan && scan.error().sys == ENOENT && !env_.exists(store_.delta_dir(id))) return;
  if (!scan) return problem_in(id, fmt::format("delta {}: {}", id.hex(), scan.error().what));
  if (scan->valid_size < scan->file_size) whole_tail(id, path);
  ignore(advance(scan->file_size));
  leftovers(id, "", "journal.");
  leftovers(id, "f/", "");
  data(id);
}

// A repair that was killed may not have come to setting aside what it replaced.
void Verifier::leftovers(ObjectId id, const std::string& below, std::string_view beginning) {
  const auto files = env_.list(store_.delta_dir(id) + "/" + below);
  if (!files) return;
  for (const DirItem& item : *files) {
    if (!item.name.starts_with(beginning) || !item.name.ends_with(".tmp")) continue;
    problem_in(id, fmt::format("delta {}: {}{} was left by a repair that did not end", id.hex(), below, item.name));
  }
}

// A frozen delta's data, as far as it has checksums.
void Verifier::data(ObjectId id) {
  const std::string dir = store_.delta_dir(id);
  auto report = [&](const Error& error) {
    if (error.sys == ENOENT && !env_.exists(dir)) return;
    problem_in(id, fmt::format("delta {}: {}", id.hex(), error.what));
  };
  auto sums = Sums::open(env_, dir, id);
  if (!sums) return report(sums.error());
  if (!*sums) return;
  auto damaged = check_data(env_, dir, **sums, [&](std::uint64_t bytes) { return advance(bytes).ok(); });
  if (!damaged && stopped_) return;
  if (!damaged) return report(damaged.error());
  for (const DamagedData& file : *damaged) {
    problem_in(id, fmt::format("delta {}: {}", id.hex(), file.text()));
    unreadable_.data[id][file.ino] = file.blocks;
  }
}

// What an interrupted write leaves is no damage. A record that is all there but for one bit was not interrupted.
void Verifier::whole_tail(ObjectId id, const std::string& path) {
  constexpr std::uint64_t kBudget = std::uint64_t{64} << 20U;  // some milliseconds
  auto bytes = env_.read_file(path);
  if (!bytes) return;  // its size or its host changed since
  SearchBudget budget(kBudget);
  const JournalSalvage salvage = salvage_journal(std::as_bytes(std::span(*bytes)), id, 0, budget);
  for (const std::string& what : salvage.mended) problem_in(id, fmt::format("delta {}: {}: {} is damaged", id.hex(), path, what));
}

void Verifier::element(ObjectId id) {
  if (stopped_ || !checked_.insert(id).second) return;
  ++report_.objects;
  if (env_.exists(store_.layer_path(id))) {
    layer(id);
  } else {
    delta(id);
  }
}

Status Verifier::look_at(const std::string& name, const Manifest& manifest) {
  auto report = [&](const std::string& line) {
    problem(fmt::format("branch \"{}\": {}", name, line));
    report_.branches.insert(name);
  };
  ++report_.objects;
  if (auto st = env_.stat(store_.branch_dir(name) + "/lock"); st && !S_ISREG(st->st_mode)) report("its lock is not a regular file");
  Reach reach(store_);
  ObjectSet elements;
  if (Status added = reach.add(manifest, elements); !added) report(added.error().what);
  for (ObjectId id : manifest.stack) {
    // The layer is asked for twice: packing and gc may turn the one into the other in between.
    bool exists = env_.exists(store_.layer_path(id)) || env_.exists(store_.delta_dir(id)) ||
                  env_.exists(store_.layer_path(id));
    if (!exists) report(fmt::format("element {} of its stack is missing", id.hex()));
  }
  for (ObjectId id : elements) element(id);
  for (ObjectId id : elements) {
    if (report_.damaged.contains(id)) report_.branches.insert(name);
  }
  BFS_TRY(advance(0));
  std::shared_ptr<Store> unowned(std::shared_ptr<Store>(), &store_);
  auto view = View::open(unowned, manifest.stack, manifest.delta, false);
  if (!view) {
    report(view.error().what);
    return {};
  }
  Status checked = TreeCheck(**view, unreadable_, report).run();
  if (!checked) report(checked.error().what);
  return {};
}

// No lock is held: the branch may be reset or deleted meanwhile, and the open delta of a mounted one moves on. What is
// wrong then counts only if it is still wrong at the next look.
Status Verifier::branch(const std::string& name) {
  constexpr int kMostLooks = 8;
  std::vector<std::string> seen;
  for (int look = 1;; ++look) {
    BFS_ASSIGN(const Manifest manifest, store_.read_manifest(name));
    const VerifyReport before = report_;
    const ObjectSet checked = checked_;
    BFS_TRY(look_at(name, manifest));
    if (report_.problems == before.problems) return {};
    const bool unchanged = is_unchanged(store_, name, manifest);
    const auto holder = store_.branch_holder(name);
    if (unchanged && (!holder || holder->is_null())) return {};  // a lock that cannot be asked is told by look_at
    std::vector<std::string> found(report_.lines.begin() + static_cast<std::ptrdiff_t>(before.lines.size()),
                                   report_.lines.end());
    std::vector<std::string> lasting;
    for (const std::string& line : found) {
      if (std::find(seen.begin(), seen.end(), line) != seen.end()) lasting.push_back(line);
    }
    const std::uint64_t bytes = report_.bytes;
    report_ = before;
    report_.bytes = bytes;
    if (unchanged && (!lasting.empty() || look == kMostLooks)) {
      for (const std::string& line : lasting) problem(line);
      report_.branches.insert(name);
      return {};
    }
    if (look == kMostLooks) return make_error(Kind::busy, fmt::format("branch \"{}\" changes all the time", name), "try again");
    checked_ = checked;
    seen = std::move(found);
  }
}

// What everybody who opens the store needs.
void Verifier::frame() {
  auto need = [&](const std::string& path, bool is_dir) {
    auto st = env_.stat(path);
    if (!st) return problem(st.error().what);
    if (is_dir ? !S_ISDIR(st->st_mode) : !S_ISREG(st->st_mode)) {
      problem(fmt::format("{} is not a {}", path, is_dir ? "directory" : "regular file"));
    }
  };
  for (const char* sub : Store::kDirs) need(store_.dir() + "/" + sub, true);
  need(store_.dir() + "/lock", false);
}

Status Verifier::everything() {
  frame();
  std::vector<ObjectId> layer_ids;
  BFS_ASSIGN(auto layers, env_.list(store_.layers_dir()));
  for (const DirItem& item : layers) {
    if (!item.name.ends_with(kLayerSuffix)) continue;
    auto id = ObjectId::parse(std::string_view(item.name).substr(0, item.name.size() - kLayerSuffix.size()));
    if (!id) continue;
    layer_ids.push_back(*id);
    auto st = env_.stat(store_.layer_path(*id));
    if (st) total_ += static_cast<std::uint64_t>(st->st_size);
  }
  BFS_ASSIGN(auto all, store_.list([&](const std::string& name, const Error& error) {
    problem(error.what);
    report_.branches.insert(name);
  }));
  for (const BranchInfo& info : all) {
    Status looked = branch(info.name);
    // Deleted since the list was made.
    if (!looked && store_.has_branch(info.name)) return std::move(looked).error();
  }
  // Layers that no branch reaches, too: an import may find its chunks there. Not deltas: what a crash left half made is gc's.
  std::sort(layer_ids.begin(), layer_ids.end());
  for (ObjectId id : layer_ids) {
    if (env_.exists(store_.layer_path(id))) element(id);
    BFS_TRY(advance(0));
  }
  return {};
}

}  // namespace

Result<VerifyReport> verify_branch(Store& store, const std::string& name, const Progress& progress) {
  Verifier verifier(store, progress);
  Status looked = verifier.branch(name);
  if (!looked && looked.error().kind != Kind::damaged) return std::move(looked).error();
  if (!looked) verifier.problem(looked.error().what);  // its manifest
  return verifier.take();
}

Result<VerifyReport> verify_store(Store& store, const Progress& progress) {
  Verifier verifier(store, progress);
  BFS_TRY(verifier.everything());
  return verifier.take();
}

}  // namespace branchfs
