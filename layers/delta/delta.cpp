#include "layers/delta/delta.h"

#include <fcntl.h>

#include <algorithm>

#include <fmt/format.h>

#include "layers/base/checksum.h"
#include "layers/base/codec.h"
#include "layers/io/descriptors.h"

namespace branchfs {
namespace {

std::uint64_t hash_boot_id(Env& env) {
  std::string id = env.boot_id();
  return checksum(std::as_bytes(std::span(id)));
}

}  // namespace

std::string Delta::file_name(Ino ino) { return fmt::format("{:016x}", ino.v); }

std::string Delta::file_path(Ino ino) const { return dir_ + "/f/" + file_name(ino); }

Status Delta::create(Env& env, const std::string& dir, ObjectId id) {
  BFS_TRY(env.make_dir(dir));
  auto fill = [&]() -> Status {
    BFS_TRY(env.make_dir(dir + "/f"));
    BFS_TRY(Journal::create(env, dir + "/journal", id));
    BFS_TRY(env.sync_dir(dir));
    return env.sync_dir(dir.substr(0, dir.rfind('/')));
  };
  Status filled = fill();
  if (!filled) ignore(env.remove_tree(dir));  // the first error is the one to report
  return filled;
}

Result<bool> Delta::is_empty(Env& env, const std::string& dir, ObjectId id) {
  // By size alone: a torn record makes it look written to, which costs an element in a stack and nothing else.
  BFS_ASSIGN(struct ::stat st, env.stat(dir + "/journal"));
  return static_cast<std::uint64_t>(st.st_size) <= Journal::header_bytes(id).size();
}

Result<std::unique_ptr<Delta>> Delta::open(Env& env, const std::string& dir, ObjectId id, bool writable,
                                           const Apply& apply) {
  std::unique_ptr<Delta> delta(new Delta(env, dir, id));
  delta->boot_ = hash_boot_id(env);
  BFS_TRY(delta->read_marks());
  BFS_ASSIGN(delta->journal_,
             Journal::open(env, dir + "/journal", id, writable, [&](RecordType type, std::span<const std::byte> payload) {
               return delta->visit(type, payload, apply);
             }));
  if (delta->journal_->end() < delta->sealed_size_) {
    return make_error(Kind::damaged, fmt::format("{}/journal: {} bytes are valid, {} were when it was sealed", dir,
                                                 delta->journal_->end(), delta->sealed_size_));
  }
  if (!writable) delta->load_sums();
  return delta;
}

Status Delta::read_marks() {
  for (const char* name : {"/confirm", "/sealed"}) {
    auto file = env_.open(dir_ + name, O_RDONLY);
    if (!file && file.error().sys == ENOENT) continue;
    if (!file) return std::move(file).error();
    BFS_ASSIGN(auto scan, Journal::scan(env_, dir_ + name, id_, [&](RecordType type, std::span<const std::byte> payload) {
                 Decoder d(payload);
                 auto value = d.get<std::uint64_t>();
                 auto boot = d.get<std::uint64_t>();
                 if (!d.ok()) return Status{};
                 if (type == RecordType::confirm) confirmed_.insert({Ino{value}, boot});
                 if (type != RecordType::sealed) return Status{};
                 sealed_ = true;
                 sealed_boots_.insert(boot);
                 sealed_size_ = std::max(sealed_size_, value);
                 return Status{};
               }));
    if (scan.records == 0 && scan.file_size > Journal::header_bytes(id_).size()) {
      return make_error(Kind::damaged, dir_ + name + ": its first record is damaged");
    }
    // Another process may have written it and not synced it yet; we are going to rely on it.
    if (scan.records > 0) BFS_TRY((*file)->sync_data());
    if (scan.records > 0) BFS_TRY(env_.sync_dir(dir_));
  }
  return {};
}

// Where they cannot be read the data may well be right: it is read unchecked, and `verify` says so.
void Delta::load_sums() {
  auto sums = Sums::open(env_, dir_, id_);
  if (!sums || !*sums) return;
  sums_.push_back(*std::move(sums));
  known_sums_.store(sums_.back().get(), std::memory_order_release);
}

Result<Sums::Made> Delta::make_sums(const std::function<bool()>& stop) {
  if (sums() != nullptr && sums()->complete()) return Sums::Made::all;
  BFS_ASSIGN(const Sums::Made made, Sums::make(env_, dir_, id_, stop));
  if (made == Sums::Made::all) load_sums();
  return made;
}

Status Delta::visit(RecordType type, std::span<const std::byte> payload, const Apply& apply) {
  if (type == RecordType::edit) {
    BFS_ASSIGN(Edit edit, Edit::decode(payload));
    return apply(edit, Told::durable);
  }
  if (type != RecordType::unsynced || payload.size() < 16) {
    return make_error(Kind::damaged, "a record of a type that does not belong here");
  }
  Decoder d(payload);
  auto boot = d.get<std::uint64_t>();
  Ino ino{d.get<std::uint64_t>()};
  // A mark vouches only for what was written since the boot in which it was made: what a power cut took before, a later
  // sync cannot have made durable.
  bool durable = reached_disk(ino, boot);
  if (!durable && boot != boot_) return {};  // the host lost power before this data was synced
  BFS_ASSIGN(Edit edit, Edit::decode(payload.subspan(16)));
  if (!durable) unsynced_.insert(ino);
  return apply(edit, durable ? Told::vouched : Told::unsynced);
}

Result<std::shared_ptr<File>> Delta::open_file(Ino ino, bool writable, bool create) {
  std::string path = file_path(ino);
  int flags = writable ? O_RDWR : O_RDONLY;
  auto file = env_.open(path, flags);
  if (!file && file.error().sys == ENOENT) {
    if (!create) return std::shared_ptr<File>{};
    file = env_.open(path, flags | O_CREAT, 0600);
    files_created_.fetch_add(1, std::memory_order_release);
  }
  if (!file) return std::move(file).error();
  BFS_ASSIGN(struct ::stat st, (*file)->stat());
  if (!S_ISREG(st.st_mode)) return make_error(Kind::damaged, path + " is not a regular file");
  return std::shared_ptr<File>(*std::move(file));
}

Status Delta::remove_file(Ino ino) {
  Status removed = env_.unlink(file_path(ino));
  if (!removed && removed.error().sys == ENOENT) return {};
  return removed;
}

Status Delta::sync_names() {
  std::uint64_t created = files_created_.load(std::memory_order_acquire);
  if (files_synced_.load(std::memory_order_acquire) >= created) return {};
  BFS_TRY(env_.sync_dir(dir_ + "/f"));
  std::uint64_t known = files_synced_.load();
  while (known < created && !files_synced_.compare_exchange_weak(known, created)) {
  }
  return {};
}

JournalPosition Delta::append(const Edit& edit) { return journal_->append(RecordType::edit, edit.encode()); }

JournalPosition Delta::append_unsynced(Ino ino, const Edit& edit) {
  Encoder e;
  e.put(boot_);
  e.put(ino.v);
  auto body = edit.encode();
  e.bytes().insert(e.bytes().end(), body.begin(), body.end());
  {
    std::lock_guard lock(mutex_);
    unsynced_.insert(ino);
  }
  return journal_->append(RecordType::unsynced, e.bytes());
}

Status Delta::append_mark(const std::string& name, RecordType type, std::uint64_t value) {
  // Several processes may come here for the same delta: whoever makes the file writes its header under a temporary
  // name, and the lock orders appends because a record's checksum covers its offset.
  std::string path = dir_ + "/" + name;
  Encoder e;
  e.put(value);
  e.put(boot_);
  auto write_at = [&](File& file, std::uint64_t offset) -> Status {
    BFS_TRY(file.write_at(Journal::record_bytes(id_, offset, type, e.bytes(), 0), offset));
    return file.sync_data();
  };
  if (!env_.exists(path)) {
    // The first record comes with the name: a file whose first one is not valid is damaged, not half made.
    std::string temporary = path + "." + env_.new_id().hex() + ".tmp";
    auto make = [&]() -> Status {
      BFS_TRY(Journal::create(env_, temporary, id_));
      BFS_ASSIGN(auto file, env_.open(temporary, O_RDWR));
      BFS_TRY(write_at(*file, Journal::header_bytes(id_).size()));
      return env_.rename(temporary, path, 1U /* RENAME_NOREPLACE */);
    };
    Status made = make();
    if (made) return env_.sync_dir(dir_);
    ignore(env_.unlink(temporary));
    if (made.error().sys != EEXIST) return made;
  }
  BFS_TRY(env_.sync_dir(dir_));  // another process made the name: it may not have come that far yet
  BFS_ASSIGN(auto file, env_.open(path, O_RDWR));
  BFS_TRY(file->lock(LockMode::exclusive));
  BFS_ASSIGN(JournalScan scan,
             Journal::scan(env_, path, id_, [](RecordType, std::span<const std::byte>) { return Status{}; }));
  return write_at(*file, scan.valid_size);
}

bool Delta::is_durable(Ino ino) {
  if (sealed()) return true;
  std::lock_guard lock(mutex_);
  return !unsynced_.contains(ino) || confirmed_.contains({ino, boot_});
}

Status Delta::confirm(Ino ino) {
  if (sealed()) return {};
  BFS_ASSIGN(auto file, open_file(ino, false, false));
  if (file) BFS_TRY(file->sync_data());
  if (!names_durable_.load(std::memory_order_acquire)) {  // frozen: no name is added any more, so once is enough
    BFS_TRY(env_.sync_dir(dir_ + "/f"));
    BFS_TRY(journal_->sync(journal_->end()));
    names_durable_.store(true, std::memory_order_release);
  }
  {
    std::lock_guard lock(mutex_);
    if (!unsynced_.contains(ino) || confirmed_.contains({ino, boot_})) return {};
  }
  BFS_TRY(append_mark("confirm", RecordType::confirm, ino.v));
  std::lock_guard lock(mutex_);
  confirmed_.insert({ino, boot_});
  return {};
}

Status Delta::seal() {
  BFS_TRY(make_durable());
  return mark_sealed();
}

Status Delta::make_durable() {
  if (sealed()) return {};
  BFS_ASSIGN(auto items, env_.list(dir_ + "/f"));
  constexpr std::size_t kAtOnce = 64;  // descriptors
  std::vector<std::unique_ptr<File>> files;
  std::vector<File*> batch;
  for (auto item = items.begin(); item != items.end();) {
    files.clear();
    batch.clear();
    for (; item != items.end() && batch.size() < kAtOnce; ++item) {
      auto file = env_.open(dir_ + "/f/" + item->name, O_RDONLY);
      if (!file && file.error().sys == ENOENT) continue;
      if (!file && means_no_descriptor(file.error().sys) && !batch.empty()) break;  // fewer at once
      if (!file) return std::move(file).error();
      batch.push_back(file->get());
      files.push_back(*std::move(file));
    }
    BFS_TRY(env_.sync_data(batch));
  }
  BFS_TRY(env_.sync_dir(dir_ + "/f"));
  return journal_->sync(journal_->end());
}

Status Delta::mark_sealed() {
  if (sealed()) return {};
  BFS_TRY(append_mark("sealed", RecordType::sealed, journal_->end()));
  sealed_.store(true, std::memory_order_release);
  return {};
}

}  // namespace branchfs
