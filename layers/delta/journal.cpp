#include "layers/delta/journal.h"

#include <fcntl.h>

#include <algorithm>

#include <fmt/format.h>

#include "layers/base/checksum.h"
#include "layers/base/codec.h"

namespace branchfs {
namespace {

constexpr char kMagic[8] = {'B', 'F', 'S', 'J', 'O', 'U', 'R', 'N'};
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeaderSize = 48;
constexpr std::size_t kMaxPayload = 64U << 20U;
constexpr std::size_t kFlushAt = 256U << 10U;

std::size_t padded(std::size_t size) { return (size + 7) & ~std::size_t{7}; }

// Binding the checksum to the journal and the place keeps records of another file or place from being valid here.
std::uint64_t seed_of(ObjectId id, std::uint64_t offset) { return id.hi ^ id.lo ^ offset; }

Result<std::vector<std::byte>> read_all(File& file, const std::string& path) {
  BFS_ASSIGN(struct ::stat st, file.stat());
  if (!S_ISREG(st.st_mode)) return make_error(Kind::damaged, path + " is not a regular file");
  std::vector<std::byte> bytes(static_cast<std::size_t>(st.st_size));
  BFS_ASSIGN(std::size_t got, file.read_at(bytes, 0));
  bytes.resize(got);
  return bytes;
}

Status check_header(std::span<const std::byte> journal, ObjectId id, const std::string& path) {
  auto expected = Journal::header_bytes(id);
  if (journal.size() < expected.size() || !std::equal(expected.begin(), expected.end(), journal.begin())) {
    return make_error(Kind::damaged, path + ": the header is not that of journal " + id.hex());
  }
  return {};
}

Result<JournalScan> replay(std::span<const std::byte> journal, ObjectId id, const std::string& path,
                           const Journal::Visitor& visitor) {
  BFS_TRY(check_header(journal, id, path));
  JournalScan scan;
  scan.file_size = journal.size();
  auto end = Journal::for_each_record(journal, id, [&](RecordType type, std::span<const std::byte> payload) {
    ++scan.records;
    return visitor(type, payload);
  });
  if (!end) return std::move(end).error().context(path);
  const std::uint64_t at = *end;
  if (at < journal.size() && Journal::was_durable(journal, at, id)) {
    return make_error(Kind::damaged, fmt::format("{}: the record at {} is damaged", path, at));
  }
  scan.valid_size = at;
  return scan;
}

}  // namespace

std::optional<JournalRecord> Journal::record_at(std::span<const std::byte> journal, std::uint64_t offset, ObjectId id, std::uint64_t begin) {
  if (offset < begin || offset - begin > journal.size()) return std::nullopt;
  auto rest = journal.subspan(offset - begin);
  if (rest.size() < kRecordHeader + kRecordTail) return std::nullopt;
  Decoder d(rest);
  JournalRecord record;
  auto size = d.get<std::uint32_t>();
  auto type = d.get<std::uint16_t>();
  auto zero = d.get<std::uint16_t>();
  record.synced = d.get<std::uint64_t>();
  if (type < 1 || type > 5 || zero != 0 || size > kMaxPayload) return std::nullopt;
  std::size_t body = kRecordHeader + padded(size);
  if (rest.size() < body + kRecordTail) return std::nullopt;
  Decoder tail(rest.subspan(body));
  if (tail.get<std::uint64_t>() != checksum(rest.first(body), seed_of(id, offset))) return std::nullopt;
  record.type = static_cast<RecordType>(type);
  record.payload = rest.subspan(kRecordHeader, size);
  record.total = body + kRecordTail;
  return record;
}

Result<std::uint64_t> Journal::for_each_record(std::span<const std::byte> journal, ObjectId id, const Visitor& visitor) {
  std::uint64_t at = kHeaderSize;
  while (auto record = record_at(journal, at, id)) {
    if (Status visited = visitor(record->type, record->payload); !visited) {
      return std::move(visited).error().context(fmt::format("record at {}", at));
    }
    at += record->total;
  }
  return at;
}

bool Journal::was_durable(std::span<const std::byte> journal, std::uint64_t from, ObjectId id) {
  for (std::uint64_t at = from + 8; at + kRecordHeader + kRecordTail <= journal.size(); at += 8) {
    if (auto record = record_at(journal, at, id); record && record->synced > from) return true;
  }
  return false;
}

std::vector<std::byte> Journal::header_bytes(ObjectId id) {
  Encoder e;
  for (char c : kMagic) e.put(c);
  e.put(kVersion);
  e.put(std::uint32_t{kBlockSize});
  e.put(id.hi);
  e.put(id.lo);
  e.put(std::uint64_t{0});  // feature bits
  e.put(checksum(e.bytes()));
  return std::move(e.bytes());
}

std::vector<std::byte> Journal::record_bytes(ObjectId id, std::uint64_t offset, RecordType type,
                                             std::span<const std::byte> payload, std::uint64_t synced) {
  Encoder e;
  e.bytes().reserve(kRecordHeader + padded(payload.size()) + kRecordTail);
  e.put(static_cast<std::uint32_t>(payload.size()));
  e.put(type);
  e.put(std::uint16_t{0});
  e.put(synced);
  e.bytes().insert(e.bytes().end(), payload.begin(), payload.end());
  e.bytes().resize(kRecordHeader + padded(payload.size()));
  e.put(checksum(e.bytes(), seed_of(id, offset)));
  return std::move(e.bytes());
}

Status Journal::create(Env& env, const std::string& path, ObjectId id) {
  BFS_ASSIGN(auto file, env.open(path, O_RDWR | O_CREAT | O_EXCL, 0600));
  BFS_TRY(file->write_at(header_bytes(id), 0));
  return file->sync();
}

Result<JournalScan> Journal::scan(Env& env, const std::string& path, ObjectId id, const Visitor& visitor) {
  BFS_ASSIGN(auto file, env.open(path, O_RDONLY));
  BFS_ASSIGN(const auto bytes, read_all(*file, path));
  return replay(bytes, id, path, visitor);
}

Result<std::unique_ptr<Journal>> Journal::open(Env& env, const std::string& path, ObjectId id, bool writable,
                                               const Visitor& visitor) {
  BFS_ASSIGN(auto file, env.open(path, writable ? O_RDWR : O_RDONLY));
  BFS_ASSIGN(bool locked, file->try_lock(LockMode::shared));
  if (!locked) return make_error(Kind::busy, path + ": being removed");
  BFS_ASSIGN(struct ::stat st, file->stat());
  // Removed between our open and our lock: its data files are elsewhere by now.
  BFS_ASSIGN(struct ::stat named, env.stat(path));
  if (named.st_ino != st.st_ino || named.st_dev != st.st_dev) return make_error(Kind::busy, path + ": being removed");
  BFS_ASSIGN(const auto bytes, read_all(*file, path));
  BFS_ASSIGN(JournalScan scan, replay(bytes, id, path, visitor));
  if (writable && scan.valid_size < scan.file_size) {
    BFS_TRY(file->truncate(scan.valid_size));
    BFS_TRY(file->sync_data());  // else a power cut could join what we append to valid records of the old tail
  }
  return std::unique_ptr<Journal>(new Journal(std::move(file), id, scan.valid_size));
}

Journal::Journal(std::unique_ptr<File> file, ObjectId id, std::uint64_t size)
    : file_(std::move(file)), id_(id), written_(size) {
  // What replayed may sit in the page cache only: nothing counts as synced before the first sync of this process.
}

JournalPosition Journal::append(RecordType type, std::span<const std::byte> payload) {
  std::lock_guard lock(mutex_);
  std::uint64_t offset = written_ + buffer_.size();
  auto bytes = record_bytes(id_, offset, type, payload, synced_);
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  JournalPosition end = offset + bytes.size();
  // An error stays in failed_ and is reported by the next sync.
  if (buffer_.size() >= kFlushAt) ignore(flush_locked());
  return end;
}

Status Journal::flush_locked() {
  if (failed_) return *failed_;
  if (held_ || buffer_.empty()) return {};
  if (Status written = file_->write_at(buffer_, written_); !written) {
    failed_ = written.error();
    return written;
  }
  written_ += buffer_.size();
  buffer_.clear();
  return {};
}

void Journal::hold() {
  std::lock_guard lock(mutex_);
  held_ = true;
}

void Journal::release() {
  std::lock_guard lock(mutex_);
  held_ = false;
  idle_.notify_all();
}

Status Journal::reserve(std::uint64_t bytes) {
  std::lock_guard lock(mutex_);
  if (buffer_.empty() && bytes == 0) return {};
  Status taken = file_->allocate(FALLOC_FL_KEEP_SIZE, written_, buffer_.size() + bytes);
  return taken || !means_full(taken.error().sys) ? Status{} : std::move(taken);
}

Status Journal::flush() {
  std::lock_guard lock(mutex_);
  return flush_locked();
}

Status Journal::sync(JournalPosition position) {
  std::unique_lock lock(mutex_);
  while (synced_ < position) {
    if (failed_) return *failed_;
    if (busy_ || held_) {  // another thread's fdatasync is under way: it, or the next one, covers us
      idle_.wait(lock);
      continue;
    }
    BFS_TRY(flush_locked());
    std::uint64_t target = written_;
    busy_ = true;
    lock.unlock();
    Status done = file_->sync_data();
    lock.lock();
    busy_ = false;
    if (done) {
      synced_ = std::max(synced_, target);
    } else {
      failed_ = done.error();
    }
    idle_.notify_all();
  }
  return failed_ ? Status{*failed_} : Status{};
}

JournalPosition Journal::end() const {
  std::lock_guard lock(mutex_);
  return written_ + buffer_.size();
}

JournalPosition Journal::synced_end() const {
  std::lock_guard lock(mutex_);
  return synced_;
}

bool Journal::empty() const { return end() <= kHeaderSize; }

}  // namespace branchfs
