// verify --repair: see jobs.h for what it promises and layers/FORMAT.md §6 for what can be brought back of which file.
//
// Every change is a new file, synced, that takes the place of the old one in one rename; the old one goes to lost+found. A crash
// leaves the old file or the new one, and repairing again goes on from there.
#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "layers/base/checksum.h"
#include "layers/base/codec.h"
#include "layers/delta/delta.h"
#include "layers/io/descriptors.h"
#include "layers/jobs/check_data.h"
#include "layers/jobs/jobs.h"
#include "layers/jobs/reach.h"
#include "layers/jobs/salvage.h"
#include "layers/jobs/set_aside.h"

namespace branchfs {

namespace {

using Bytes = std::vector<std::byte>;
constexpr std::int64_t kMostSumsMended = std::int64_t{256} << 20U;  // bytes; of a larger file (256 GiB of data) no bit is looked for

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

class Repairer {
 public:
  Repairer(Env& env, std::string dir, const RepairOptions& options, const Progress& progress)
      : env_(env), dir_(std::move(dir)), options_(options), progress_(progress), aside_(env, dir_), budget_(options.search_bytes), data_budget_(options.search_bytes) {}

  Result<RepairReport> run(const std::string& name);

 private:
  // Before there is a Store to work with.
  Status frame();
  Status directory(const std::string& path);
  Status lock_file();
  Status store_file();
  Result<VerifyReport> look(const std::string& name);

  Status claim(const std::string& name);
  Status manifests(const std::string& only);
  Status journals();
  Status journal(ObjectId id);
  Status cut(ObjectId id, const JournalSalvage& salvage, std::uint64_t sealed_size);
  Result<bool> mark(ObjectId id, const std::string& name, const Bytes& journal);
  [[nodiscard]] bool depends_on_marks(ObjectId id, const Bytes& journal) const;
  Status unneeded_data(ObjectId id, const Bytes& kept);
  Status sums(ObjectId id);
  Status leftovers(const std::string& dir, std::string_view beginning);
  Status data(ObjectId id, const Sums& sums);
  Status salvaged(ObjectId id);
  Status damaged_layers();
  Status layer(ObjectId id);
  Status rewrite_layer(ObjectId id, const LayerSalvage& salvage);
  [[nodiscard]] bool has_delta(ObjectId id) const;
  std::optional<Bytes> same_chunk(ObjectId damaged, const ChunkRecord& wanted);
  Status orphans();

  // The bytes of a regular file; nullopt when there is none.
  Result<std::optional<Bytes>> content(const std::string& path);
  Status replace(const std::string& path, std::span<const std::byte> content);
  void done(std::string line) { report_.done.push_back(std::move(line)); }
  void lost(std::string line) { report_.lost.push_back(std::move(line)); }

  Env& env_;
  std::string dir_;
  const RepairOptions& options_;
  const Progress& progress_;
  SetAside aside_;
  SearchBudget budget_;
  SearchBudget data_budget_;  // of its own: much bad data must not cost a journal that one bit would mend
  RepairReport report_;
  std::shared_ptr<Store> store_;
  std::optional<StoreLock> lock_;
  std::map<std::string, Manifest> branches_;          // that can be read
  std::vector<BranchLock> held_;
  bool lost_manifest_ = false;
  struct Place {
    LayerPtr layer;
    std::uint32_t chunk = 0;
  };
  std::optional<std::unordered_multimap<std::uint64_t, Place>> chunks_;  // of the whole store, by checksum
};

// --- what makes a directory a store ----------------------------------------------------------------------

Status Repairer::directory(const std::string& path) {
  auto st = env_.stat(path);
  if (st && S_ISDIR(st->st_mode)) return {};
  if (!st && st.error().sys != ENOENT) return std::move(st).error();
  done(fmt::format("{} is made again", path));
  if (options_.dry) return {};
  if (st) BFS_TRY(aside_.move(path));
  return env_.make_dir(path);
}

Status Repairer::lock_file() {
  const std::string path = dir_ + "/lock";
  auto st = env_.stat(path);
  if (st && S_ISREG(st->st_mode)) return {};
  if (!st && st.error().sys != ENOENT) return std::move(st).error();
  done(fmt::format("{} is made again", path));
  if (options_.dry) return {};
  if (st) BFS_TRY(aside_.move(path));
  return env_.replace_file(path, "");
}

// All that is in it and matters is the format, and a store of another format than this one's says so in its other files.
Status Repairer::store_file() {
  auto opened = Store::open(env_, dir_);
  if (opened || opened.error().kind == Kind::refused) return opened ? Status{} : Status{std::move(opened).error()};
  const std::string path = dir_ + "/store";
  auto st = env_.stat(path);
  if (!st && st.error().sys != ENOENT) return std::move(st).error();
  done(fmt::format("{} is written anew; the store has a new id", path));
  if (options_.dry) return {};
  if (st) BFS_TRY(aside_.move(path));
  return Store::write_store_file(env_, dir_);
}

Status Repairer::frame() {
  // Otherwise any directory would become a store.
  bool any = env_.exists(dir_ + "/store");
  bool all = true;
  for (const char* sub : Store::kDirs) {
    auto st = env_.stat(dir_ + "/" + sub);
    const bool is_dir = st && S_ISDIR(st->st_mode);
    all = all && is_dir;
  }
  if (!any && !all) return make_error(Kind::not_found, "there is no store at " + dir_, "branchfs init " + dir_);
  for (const char* sub : Store::kDirs) BFS_TRY(directory(dir_ + "/" + sub));
  BFS_TRY(lock_file());
  return store_file();
}

// --- in general ------------------------------------------------------------------------------------------

Result<std::optional<Bytes>> Repairer::content(const std::string& path) {
  auto st = env_.stat(path);
  if (!st && (st.error().sys == ENOENT || st.error().sys == ENOTDIR)) return std::optional<Bytes>{};
  if (!st) return std::move(st).error();
  if (!S_ISREG(st->st_mode)) return std::optional<Bytes>{};
  BFS_ASSIGN(auto file, env_.open(path, O_RDONLY));
  Bytes bytes(static_cast<std::size_t>(st->st_size));
  BFS_ASSIGN(std::size_t got, file->read_at(bytes, 0));
  bytes.resize(got);
  return std::optional<Bytes>(std::move(bytes));
}

Status Repairer::replace(const std::string& path, std::span<const std::byte> content) {
  const std::string temporary = path + "." + env_.new_id().hex() + ".tmp";
  auto write = [&]() -> Status {
    BFS_ASSIGN(auto file, env_.open(temporary, O_RDWR | O_CREAT | O_EXCL, 0600));
    BFS_TRY(file->write_at(content, 0));
    return file->sync();
  };
  Status written = write();
  if (written) return aside_.exchange(temporary, path);
  ignore(env_.unlink(temporary));  // the first error is the one to report
  return written;
}

Result<VerifyReport> Repairer::look(const std::string& name) {
  return name.empty() ? verify_store(*store_, progress_) : verify_branch(*store_, name, progress_);
}

// Nobody uses what is about to change.
Status Repairer::claim(const std::string& name) {
  if (!options_.dry) {
    BFS_ASSIGN(lock_, store_->lock());
  }
  BFS_ASSIGN(auto all, store_->list());
  for (BranchInfo& info : all) branches_.emplace(info.name, std::move(info.manifest));
  std::set<std::string> affected = report_.before.branches;
  if (!name.empty()) affected.insert(name);
  for (const auto& [branch, manifest] : branches_) {
    const bool shares = std::any_of(manifest.stack.begin(), manifest.stack.end(),
                                    [&](ObjectId id) { return report_.before.damaged.contains(id); });
    if (shares) affected.insert(branch);
  }
  for (const std::string& branch : affected) {
    auto st = env_.stat(store_->branch_dir(branch) + "/lock");
    if (st && !S_ISREG(st->st_mode)) {
      done(fmt::format("branch \"{}\": its lock file is made again", branch));
      if (!options_.dry) BFS_TRY(aside_.move(store_->branch_dir(branch) + "/lock"));
    }
    if (options_.dry) continue;
    auto held = store_->lock_branch(branch, LockMode::exclusive);
    if (held) {
      held_.push_back(*std::move(held));
    } else if (held.error().kind != Kind::not_found) {
      return std::move(held).error();
    }
  }
  return {};
}

// --- manifests -------------------------------------------------------------------------------------------

Status Repairer::manifests(const std::string& only) {
  std::vector<std::string> unreadable;
  BFS_ASSIGN(auto readable, store_->list([&](const std::string& name, const Error&) { unreadable.push_back(name); }));
  // One that is whole and in another's place says whose it is.
  std::map<std::string, std::string> whole;
  for (const std::string& name : unreadable) {
    BFS_ASSIGN(const auto bytes, content(store_->branch_dir(name) + "/manifest"));
    if (!bytes) continue;
    auto mended = salvage_manifest({reinterpret_cast<const char*>(bytes->data()), bytes->size()}, budget_);
    if (!mended) continue;
    BFS_ASSIGN(const Manifest manifest, Manifest::decode(*mended));
    const bool is_own = manifest.name.empty() || manifest.renamed_from == name;
    whole.insert_or_assign(is_own ? name : manifest.name, *std::move(mended));
  }
  for (const std::string& name : unreadable) {
    if (!only.empty() && name != only) continue;
    if (auto own = whole.find(name); own != whole.end()) {
      done(fmt::format("branch \"{}\": its manifest is mended", name));
      if (!options_.dry) BFS_TRY(replace(store_->branch_dir(name) + "/manifest", bytes_of(own->second)));
      BFS_ASSIGN(Manifest manifest, Manifest::decode(own->second));
      branches_.insert_or_assign(name, std::move(manifest));
      continue;
    }
    lost(fmt::format("branch \"{}\": its manifest is destroyed, and nothing else says what belonged to it; what no other branch needs "
                     "is kept in lost+found", name));
    lost_manifest_ = true;
    if (!options_.dry) BFS_TRY(aside_.move(store_->branch_dir(name)));
  }
  return {};
}

// What the lost branch may have had: gc would take it for garbage.
Status Repairer::orphans() {
  if (!lost_manifest_ || options_.dry) return {};
  Reach reach(*store_);
  ObjectSet reached;
  for (const auto& [name, manifest] : branches_) {
    // What cannot be told stays where it is, and gc removes nothing either.
    if (!reach.add(manifest, reached)) return {};
  }
  auto keep = [&](const std::string& path, const std::string& lock_path) -> Status {
    auto file = env_.open(lock_path, O_RDONLY | O_NONBLOCK);
    if (file) {
      BFS_ASSIGN(bool is_free, (*file)->try_lock(LockMode::exclusive));
      if (!is_free) return {};
    }
    return aside_.move(path);
  };
  BFS_ASSIGN(auto layers, env_.list(store_->layers_dir()));
  for (const DirItem& item : layers) {
    constexpr std::string_view kSuffix = ".layer";
    if (!item.name.ends_with(kSuffix)) continue;
    auto id = ObjectId::parse(std::string_view(item.name).substr(0, item.name.size() - kSuffix.size()));
    if (id && !reached.contains(*id)) BFS_TRY(keep(store_->layer_path(*id), store_->layer_path(*id)));
  }
  BFS_ASSIGN(auto deltas, env_.list(store_->deltas_dir()));
  for (const DirItem& item : deltas) {
    auto id = ObjectId::parse(item.name);
    if (id && !reached.contains(*id)) BFS_TRY(keep(store_->delta_dir(*id), store_->delta_dir(*id) + "/journal"));
  }
  return {};
}

// --- deltas ----------------------------------------------------------------------------------------------

Status Repairer::journals() {
  std::set<ObjectId> seen;
  for (const auto& [name, manifest] : branches_) {
    if (!report_.before.branches.contains(name)) continue;
    for (ObjectId id : manifest.stack) {
      if (env_.exists(store_->layer_path(id)) || !seen.insert(id).second) continue;
      if (env_.exists(store_->delta_dir(id))) {
        BFS_TRY(journal(id));
        BFS_TRY(sums(id));
      } else {
        // Nothing says whether it was a layer, with a whole tree in it, or a delta.
        lost(fmt::format("element {} of the stack of branch \"{}\" is gone", id.hex(), name));
      }
    }
    if (manifest.delta.valid() && seen.insert(manifest.delta).second) BFS_TRY(journal(manifest.delta));
  }
  return {};
}

// Whether records of it hold only because a mark says so: those made before the machine was started.
bool Repairer::depends_on_marks(ObjectId id, const Bytes& journal) const {
  const std::uint64_t now = checksum(bytes_of(env_.boot_id()));
  bool depends = false;
  ignore(Journal::for_each_record(journal, id, [&](RecordType type, std::span<const std::byte> payload) {
    Decoder d(payload);
    depends = depends || (type == RecordType::unsynced && d.get<std::uint64_t>() != now);
    return Status{};
  }));
  return depends;
}

// False when it says what nothing else does and cannot be read.
Result<bool> Repairer::mark(ObjectId id, const std::string& name, const Bytes& journal) {
  const std::string path = store_->delta_dir(id) + "/" + name;
  BFS_ASSIGN(const bool is_there, env_.is_there(path));
  if (!is_there) return true;
  BFS_ASSIGN(const auto bytes, content(path));
  JournalSalvage salvage;
  if (bytes) salvage = salvage_journal(*bytes, id, 0, budget_);
  const std::size_t head = Journal::header_bytes(id).size();
  const bool readable = bytes && salvage.cut_from == 0 && (salvage.bytes.size() == head || Journal::record_at(salvage.bytes, head, id));
  if (readable && salvage.mended.empty()) return true;
  if (readable) {
    done(fmt::format("delta {}: its file \"{}\": {} mended", id.hex(), name, fmt::join(salvage.mended, ", ")));
    if (!options_.dry) BFS_TRY(replace(path, salvage.bytes));
    return true;
  }
  if (depends_on_marks(id, journal)) {
    lost(fmt::format("delta {}: its file \"{}\" is destroyed, so which of its last writes had reached the disk cannot be told", id.hex(), name));
    return false;
  }
  done(fmt::format("delta {}: its file \"{}\" is set aside; nothing depends on it", id.hex(), name));
  if (!options_.dry) BFS_TRY(aside_.move(path));
  return true;
}

Status Repairer::journal(ObjectId id) {
  const std::string path = store_->delta_dir(id) + "/journal";
  BFS_TRY(leftovers(store_->delta_dir(id), "journal."));
  BFS_ASSIGN(const auto bytes, content(path));
  const Bytes have = bytes.value_or(Bytes{});
  std::uint64_t sealed_size = 0;
  BFS_ASSIGN(const bool has_confirm, mark(id, "confirm", have));
  BFS_ASSIGN(const bool has_sealed, mark(id, "sealed", have));
  if (!has_confirm || !has_sealed) return {};
  if (auto sealed = content(store_->delta_dir(id) + "/sealed"); sealed && *sealed) {
    const Bytes mended = salvage_journal(**sealed, id, 0, budget_).bytes;
    ignore(Journal::for_each_record(mended, id, [&](RecordType, std::span<const std::byte> payload) {
      Decoder d(payload);
      sealed_size = std::max(sealed_size, d.get<std::uint64_t>());
      return Status{};
    }));
  }
  JournalSalvage salvage = salvage_journal(have, id, sealed_size, budget_);
  if (!bytes) salvage.cut_from = salvage.bytes.size();
  if (salvage.cut_from != 0) return cut(id, salvage, sealed_size);
  if (salvage.mended.empty()) return {};
  done(fmt::format("delta {}: its journal: {} mended", id.hex(), fmt::join(salvage.mended, ", ")));
  return options_.dry ? Status{} : replace(path, salvage.bytes);
}

// Each record is one change that happened as a whole, so what is left is a state that the branch once had.
Status Repairer::cut(ObjectId id, const JournalSalvage& salvage, std::uint64_t sealed_size) {
  for (const auto& [name, manifest] : branches_) {
    const bool below = std::find(manifest.stack.begin(), manifest.stack.end(), id) != manifest.stack.end();
    // What masked the data may be what is gone.
    if (below && !manifest.masking.empty()) {
      lost(fmt::format("delta {}: its journal is damaged at {}; it is not cut there, because \"{}\" is anonymized and might show what it hides",
                       id.hex(), salvage.cut_from, name));
      return {};
    }
  }
  lost(fmt::format("delta {}: the last {} bytes of its journal, from {} on: later changes are gone", id.hex(), salvage.cut_bytes,
                   salvage.cut_from));
  const std::string dir = store_->delta_dir(id);
  // First, so that no branch shows the older state without saying so, whenever this is killed.
  BFS_TRY(salvaged(id));
  if (!options_.dry) {
    for (const std::string& made : {dir, dir + "/f"}) {
      auto st = env_.stat(made);
      if (st && S_ISDIR(st->st_mode)) continue;
      if (st) BFS_TRY(aside_.move(made));
      BFS_TRY(env_.make_dir(made));
    }
    BFS_TRY(unneeded_data(id, salvage.bytes));
    if (sealed_size != 0) BFS_TRY(aside_.move(dir + "/sealed"));
    BFS_TRY(replace(dir + "/journal", salvage.bytes));
    BFS_TRY(env_.sync_dir(store_->deltas_dir()));
  }
  return {};
}

// The next opening for writing would remove it.
Status Repairer::unneeded_data(ObjectId id, const Bytes& kept) {
  std::set<std::string> needed;
  BFS_TRY(Journal::for_each_record(kept, id, [&](RecordType type, std::span<const std::byte> payload) -> Status {
    constexpr std::size_t kUnsyncedHead = 16;
    if (type == RecordType::unsynced && payload.size() >= kUnsyncedHead) payload = payload.subspan(kUnsyncedHead);
    BFS_ASSIGN(const Edit edit, Edit::decode(payload));
    for (const InodeItem& item : edit.inodes) needed.insert(Delta::file_name(item.attr.ino));
    for (const PresentItem& item : edit.presents) needed.insert(Delta::file_name(item.ino));
    return {};
  }));
  const std::string files = store_->delta_dir(id) + "/f";
  BFS_ASSIGN(auto items, env_.list(files));
  for (const DirItem& item : items) {
    if (!needed.contains(item.name)) BFS_TRY(aside_.move(files + "/" + item.name));
  }
  return {};
}

// The data has no other witness: what one flipped bit does not explain stays, and is not checked where its sums are gone.
Status Repairer::sums(ObjectId id) {
  const std::string dir = store_->delta_dir(id);
  const std::string path = dir + "/sums";
  BFS_TRY(leftovers(dir + "/f", ""));
  auto known = Sums::open(env_, dir, id);
  if (known) return *known && report_.before.damaged.contains(id) ? data(id, **known) : Status{};
  if (means_no_descriptor(known.error().sys)) return std::move(known).error();
  BFS_ASSIGN(const struct ::stat st, env_.stat(path));
  const bool is_small = st.st_size <= kMostSumsMended;
  auto bytes = is_small ? content(path) : Result<std::optional<Bytes>>(std::optional<Bytes>());
  JournalSalvage salvage;
  if (bytes && *bytes) salvage = salvage_journal(**bytes, id, 0, data_budget_);
  if (bytes && *bytes && salvage.cut_from == 0 && !salvage.mended.empty()) {
    done(fmt::format("delta {}: its file \"sums\": {} mended", id.hex(), fmt::join(salvage.mended, ", ")));
    if (options_.dry) return {};
    BFS_TRY(replace(path, salvage.bytes));
    known = Sums::open(env_, dir, id);
    if (known) return *known ? data(id, **known) : Status{};
  }
  done(fmt::format("delta {}: its file \"sums\" is set aside; its data is not checked until it is made again", id.hex()));
  return options_.dry ? Status{} : aside_.move(path);
}

// Of a repair that was killed while it put a copy in a file's place: one of the two.
Status Repairer::leftovers(const std::string& dir, std::string_view beginning) {
  auto items = env_.list(dir);
  if (!items) return {};
  for (const DirItem& item : *items) {
    if (!item.name.starts_with(beginning) || !item.name.ends_with(".tmp")) continue;
    done(fmt::format("{}/{} is set aside", dir, item.name));
    if (!options_.dry) BFS_TRY(aside_.move(dir + "/" + item.name));
  }
  return {};
}

Status Repairer::data(ObjectId id, const Sums& sums) {
  const std::string dir = store_->delta_dir(id);
  std::uint64_t looked_at = 0;
  BFS_ASSIGN(const auto damaged, check_data(env_, dir, sums, [&](std::uint64_t bytes) {
               looked_at += bytes;
               return !progress_ || progress_(looked_at, 0);
             }));
  for (const DamagedData& file : damaged) {
    const std::string path = dir + "/f/" + Delta::file_name(file.ino);
    const auto left = mend_data(env_, path, sums, file, aside_, data_budget_, options_.dry);
    if (!left) {
      lost(fmt::format("delta {}: {}; it cannot be mended: {}", id.hex(), file.text(), left.error().what));
      continue;
    }
    if (file.size != left->size || left->blocks != file.blocks) done(fmt::format("delta {}: the data of inode {} is mended", id.hex(), file.ino.v));
    if (!left->blocks.empty() || left->size != left->right_size) lost(fmt::format("delta {}: {}", id.hex(), left->text()));
  }
  return {};
}

Status Repairer::salvaged(ObjectId id) {
  for (auto& [name, manifest] : branches_) {
    const bool uses = manifest.delta == id || std::find(manifest.stack.begin(), manifest.stack.end(), id) != manifest.stack.end();
    if (!uses || manifest.state == kSalvaged) continue;
    lost(fmt::format("branch \"{}\" shows an older state and is marked \"salvaged\": it can be mounted read-only, reset or deleted", name));
    manifest.state = kSalvaged;
    if (!options_.dry) BFS_TRY(store_->write_manifest(*lock_, name, manifest));
  }
  return {};
}

// --- layers ----------------------------------------------------------------------------------------------

bool Repairer::has_delta(ObjectId id) const {
  auto scan = Journal::scan(env_, store_->delta_dir(id) + "/journal", id, [](RecordType, std::span<const std::byte>) { return Status{}; });
  return scan.ok();
}

std::optional<Bytes> Repairer::same_chunk(ObjectId damaged, const ChunkRecord& wanted) {
  if (!chunks_) {
    chunks_.emplace();
    auto items = env_.list(store_->layers_dir());
    for (const DirItem& item : items ? *items : std::vector<DirItem>{}) {
      auto id = ObjectId::parse(std::string_view(item.name).substr(0, item.name.find('.')));
      if (!id || !item.name.ends_with(".layer")) continue;
      auto opened = store_->layers().open(*id);
      for (std::uint32_t i = 0; opened && i < (*opened)->chunk_count(); ++i) {
        if (auto r = (*opened)->chunk(i)) chunks_->emplace(r->checksum, Place{*opened, i});
      }
    }
  }
  auto range = chunks_->equal_range(wanted.checksum);
  for (auto it = range.first; it != range.second; ++it) {
    const auto& [layer, number] = it->second;
    auto r = layer->chunk(number);
    if (!r || r->stored_size != wanted.stored_size || r->blocks != wanted.blocks || r->codec != wanted.codec) continue;
    auto bytes = layer->stored_bytes(number);
    if (bytes && !(layer->id() == damaged && r->offset == wanted.offset)) return *std::move(bytes);
  }
  return std::nullopt;
}

Status Repairer::damaged_layers() {
  for (ObjectId id : report_.before.damaged) {
    if (env_.exists(store_->layer_path(id))) BFS_TRY(layer(id));
  }
  return {};
}

Status Repairer::layer(ObjectId id) {
  const std::string path = store_->layer_path(id);
  auto st = env_.stat(path);
  if (!st) return std::move(st).error();
  BFS_ASSIGN(const LayerSalvage salvage,
             salvage_layer(env_, path, id, [&](const ChunkRecord& r) { return same_chunk(id, r); }, budget_));
  if (!salvage.lost.empty() && has_delta(id)) {
    done(fmt::format("layer {} is set aside: the delta that it was packed from is still there", id.hex()));
    return options_.dry ? Status{} : aside_.move(path);
  }
  if (!salvage.lost.empty()) lost(fmt::format("layer {}: {}", id.hex(), fmt::join(salvage.lost, ", ")));
  if (!salvage.opens || !salvage.changes(static_cast<std::uint64_t>(st->st_size))) return {};
  done(fmt::format("layer {}: {} mended", id.hex(), fmt::join(salvage.mended, ", ")));
  return options_.dry ? Status{} : rewrite_layer(id, salvage);
}

// A published file is never written again: a copy takes its place.
Status Repairer::rewrite_layer(ObjectId id, const LayerSalvage& salvage) {
  constexpr std::size_t kPiece = 1U << 20U;
  const std::string temporary = store_->layer_tmp_path(id);
  auto write = [&]() -> Status {
    BFS_ASSIGN(auto from, env_.open(store_->layer_path(id), O_RDONLY));
    BFS_ASSIGN(auto to, env_.open(temporary, O_RDWR | O_CREAT | O_TRUNC, 0600));
    Bytes buffer(kPiece);
    for (std::uint64_t at = 0; at < salvage.size; at += kPiece) {
      auto piece = std::span(buffer).first(std::min<std::uint64_t>(kPiece, salvage.size - at));
      BFS_ASSIGN(std::size_t got, from->read_at(piece, at));
      BFS_TRY(to->write_at(piece.first(got), at));
    }
    for (const Patch& patch : salvage.patches) BFS_TRY(to->write_at(patch.bytes, patch.offset));
    return to->sync();
  };
  Status written = write();
  if (written) return aside_.exchange(temporary, store_->layer_path(id));
  ignore(env_.unlink(temporary));  // the first error is the one to report
  return written;
}

Result<RepairReport> Repairer::run(const std::string& name) {
  BFS_TRY(frame());
  auto opened = Store::open(env_, dir_);
  if (!opened && options_.dry) return std::move(report_);  // what lies behind can be told once there is a store again
  if (!opened) return std::move(opened).error();
  store_ = *std::move(opened);
  BFS_ASSIGN(report_.before, look(name));
  if (report_.before.problems > 0) {
    BFS_TRY(claim(name));
    BFS_TRY(manifests(name));
    BFS_TRY(journals());
    BFS_TRY(damaged_layers());
    BFS_TRY(orphans());
  }
  report_.after = report_.before;
  if (options_.dry || (report_.before.problems == 0 && report_.done.empty())) return std::move(report_);
  chunks_.reset();
  held_.clear();
  lock_.reset();
  BFS_ASSIGN(store_, Store::open(env_, dir_));  // nothing of what was open before
  BFS_ASSIGN(report_.after, look(name.empty() || env_.exists(store_->branch_dir(name)) ? name : ""));
  BFS_TRY(aside_.write_report(report_.before.lines, report_.done, report_.lost));
  report_.kept = aside_.dir();
  return std::move(report_);
}

}  // namespace

Result<RepairReport> repair_store(Env& env, const std::string& dir, const std::string& name, const RepairOptions& options,
                                  const Progress& progress) {
  return Repairer(env, dir, options, progress).run(name);
}

}  // namespace branchfs
