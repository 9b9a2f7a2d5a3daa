#include "layers/delta/sums.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "layers/base/checksum.h"
#include "layers/base/codec.h"
#include "layers/delta/delta.h"
#include "layers/delta/journal.h"

namespace branchfs {
namespace {

constexpr std::uint64_t kMostKept = 256U << 10U;  // bytes of sums in memory: of 256 MiB of data
constexpr std::uint64_t kMostSums = 512;          // in a record; between two of them a maker can be stopped
constexpr std::uint64_t kLeastHole =
    16;  // blocks: a shorter one costs less as zeros with sums than as a record
constexpr std::uint64_t kPieceBlocks = 128;               // read at once
constexpr std::size_t kHead = 4 * sizeof(std::uint64_t);  // of a payload: inode, size, first block, count
constexpr std::size_t kMostPayload = kHead + kMostSums * sizeof(std::uint64_t);
constexpr std::size_t kMostRecord = Journal::kRecordHeader + kMostPayload + Journal::kRecordTail;

bool all_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

std::string path_in(const std::string& delta_dir) { return delta_dir + "/sums"; }

Result<std::uint64_t> size_of_regular(File& file, const std::string& path) {
  BFS_ASSIGN(struct ::stat st, file.stat());
  if (!S_ISREG(st.st_mode)) return make_error(Kind::damaged, path + " is not a regular file");
  return static_cast<std::uint64_t>(st.st_size);
}

// The records of a file of any size, a window of it in memory.
class RecordReader {
 public:
  RecordReader(File& file, std::uint64_t size, ObjectId id) : file_(file), size_(size), id_(id) {}

  Result<bool> begins_with(std::span<const std::byte> header) {
    BFS_TRY(load(0));
    return window_.size() >= header.size() && std::equal(header.begin(), header.end(), window_.begin());
  }
  // The valid record at `offset`, if there is one. Its payload is there until the next call.
  Result<std::optional<JournalRecord>> at(std::uint64_t offset) {
    const bool is_there = offset >= begin_ && offset - begin_ + kMostRecord <= window_.size();
    const bool ends_here = offset >= begin_ && begin_ + window_.size() >= size_;
    if (!is_there && !ends_here) BFS_TRY(load(offset));
    auto record = Journal::record_at(window_, offset, id_, begin_);
    if (record && record->payload.size() > kMostPayload) return std::optional<JournalRecord>{};
    return record;
  }
  [[nodiscard]] std::uint64_t offset_in_file(const JournalRecord& record) const {
    return begin_ + static_cast<std::uint64_t>(record.payload.data() - window_.data());
  }
  // As Journal::was_durable, of what begins at `from`.
  Result<bool> was_durable(std::uint64_t from, const std::function<bool()>& stop) {
    for (std::uint64_t offset = from + 8; offset < size_; offset += 8) {
      if (offset % kMostKept == 0 && stop()) return Error{Kind::failed, ECANCELED, "stopped", {}};
      BFS_ASSIGN(const auto record, at(offset));
      if (record && record->synced > from) return true;
    }
    return false;
  }
  // The file, if it is small.
  std::vector<std::byte> take() { return size_ <= kMostKept && begin_ == 0 ? std::move(window_) : std::vector<std::byte>(); }

 private:
  Status load(std::uint64_t from) {
    window_.resize(std::min(kMostKept, size_ - std::min(size_, from)));
    BFS_ASSIGN(const std::size_t got, file_.read_at(window_, from));
    window_.resize(got);
    begin_ = from;
    return {};
  }

  File& file_;
  std::uint64_t size_;
  ObjectId id_;
  std::vector<std::byte> window_;
  std::uint64_t begin_ = 0;
};

}  // namespace

// --- reading -----------------------------------------------------------------------------------------

Result<std::unique_ptr<Sums>> Sums::open(Env& env, const std::string& delta_dir, ObjectId id) {
  const std::string path = path_in(delta_dir);
  auto file = env.open(path, O_RDONLY | O_NONBLOCK);
  if (!file && file.error().sys == ENOENT) return std::unique_ptr<Sums>{};
  if (!file && file.error().sys == ELOOP) return make_error(Kind::damaged, path + " is not a regular file");
  if (!file) return std::move(file).error();
  BFS_ASSIGN(const std::uint64_t size, size_of_regular(**file, path));
  std::unique_ptr<Sums> sums(new Sums(id, path));
  BFS_TRY(sums->parse(**file, size, [] { return false; }));
  if (sums->valid_size_ <= Journal::header_bytes(id).size()) return std::unique_ptr<Sums>{};
  if (sums->bytes_.empty()) sums->file_ = *std::move(file);
  return sums;
}

Status Sums::parse(File& file, std::uint64_t size, const std::function<bool()>& stop) {
  RecordReader reader(file, size, id_);
  const auto header = Journal::header_bytes(id_);
  BFS_ASSIGN(const bool is_ours, reader.begins_with(header));
  if (!is_ours) {
    return make_error(Kind::damaged, path_ + ": the header is not that of delta " + id_.hex());
  }
  valid_size_ = header.size();
  for (std::uint64_t n = 0;; ++n) {
    if (n % kMostSums == kMostSums - 1 && stop()) return Error{Kind::failed, ECANCELED, "stopped", {}};
    BFS_ASSIGN(const auto record, reader.at(valid_size_));
    if (!record) break;
    if (record->type != RecordType::sums)
      return make_error(Kind::damaged, path_ + ": a record of a type that does not belong here");
    Status added = add(record->payload, reader.offset_in_file(*record));
    if (!added) return std::move(added).error().context(path_);
    valid_size_ += record->total;
  }
  if (valid_size_ < size) {
    BFS_ASSIGN(const bool was_durable, reader.was_durable(valid_size_, stop));
    if (was_durable) {
      return make_error(Kind::damaged, fmt::format("{}: the record at {} is damaged", path_, valid_size_));
    }
  }
  bytes_ = reader.take();
  return {};
}

Status Sums::add(std::span<const std::byte> payload, std::uint64_t at) {
  Decoder d(payload);
  const Ino ino{d.get<std::uint64_t>()};
  const auto size = d.get<std::uint64_t>();
  const auto first = d.get<std::uint64_t>();
  const auto count = d.get<std::uint64_t>();
  auto wrong = [&] {
    return make_error(Kind::damaged, fmt::format("the record at {} says what cannot be", at));
  };
  if (!d.ok() || complete_) return wrong();
  if (ino == kNoIno) {
    complete_ = size == 0 && first == 0 && count == 0 && d.at_end();
    return complete_ ? Status{} : wrong();
  }
  const bool is_new = files_.try_emplace(ino, Known{size, 0, {}}).second;
  Known& known = files_[ino];
  // In order and without gaps; an empty file has one record that says no more than its size.
  const std::uint64_t blocks = blocks_for(size);
  if (size > kMaxFileSize || known.size != size || known.end != first || count > blocks - first ||
      (count == 0 && !(is_new && size == 0))) {
    return wrong();
  }
  const bool zeros = d.at_end();
  if (!zeros && (count > kMostSums || d.left() != count * sizeof(std::uint64_t))) return wrong();
  if (count > 0) known.runs.push_back({first, zeros ? 0 : at + kHead});
  known.end = first + count;
  return {};
}

std::optional<std::uint64_t> Sums::size_of(Ino ino) const {
  auto known = files_.find(ino);
  return known == files_.end() ? std::nullopt : std::optional(known->second.size);
}

void Sums::for_each_file(const std::function<void(Ino, std::uint64_t, std::uint64_t)>& visit) const {
  for (const auto& [ino, known] : files_) visit(ino, known.size, known.end);
}

DataRange Sums::next_data(Ino ino, std::uint64_t offset, std::uint64_t limit) const {
  auto known = files_.find(ino);
  if (known == files_.end()) return {limit, limit};
  const auto& runs = known->second.runs;
  auto run = std::upper_bound(runs.begin(), runs.end(), block_of(offset).v,
                              [](std::uint64_t block, const Run& r) { return block < r.first; });
  if (run != runs.begin()) --run;
  for (; run != runs.end() && offset_of(BlockNo{run->first}) < limit; ++run) {
    const std::uint64_t end =
        offset_of(BlockNo{run + 1 == runs.end() ? known->second.end : (run + 1)->first});
    if (run->at != 0 && end > offset)
      return {std::max(offset, offset_of(BlockNo{run->first})), std::min(end, limit)};
  }
  return {limit, limit};
}

Error Sums::mismatch(Ino ino, BlockNo block) const {
  return make_error(Kind::damaged,
                    fmt::format("delta {}: the data of inode {} does not match its checksum, block {}",
                                id_.hex(), ino.v, block.v));
}

// The run's sums come from one record, whose checksum was right when it was read.
bool Sums::is_readable(const Run& run) const {
  const std::uint64_t record = run.at - kHead - Journal::kRecordHeader;
  std::vector<std::byte> bytes(kMostRecord);
  auto got = file_->read_at(bytes, record);
  return got && Journal::record_at(std::span(bytes).first(*got), record, id_, record).has_value();
}

Status Sums::check_run(std::span<const std::byte> blocks, Ino ino, BlockNo first, const Run& run) const {
  std::array<std::uint64_t, kPieceBlocks> sums{};
  const std::uint64_t count = blocks.size() / kBlockSize;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t in_piece = i % sums.size();
    if (in_piece == 0) {
      auto piece =
          std::as_writable_bytes(std::span(sums).first(std::min<std::uint64_t>(sums.size(), count - i)));
      const std::uint64_t from = run.at + (first.v - run.first + i) * sizeof(std::uint64_t);
      if (file_) {
        auto got = file_->read_at(piece, from);
        if (!got || *got != piece.size()) return {};
      } else {
        std::memcpy(piece.data(), bytes_.data() + from, piece.size());
      }
    }
    const bool is_right = checksum(blocks.subspan(i * kBlockSize, kBlockSize)) == sums[in_piece];
    if (is_right) continue;
    if (file_ && !is_readable(run)) return {};
    return mismatch(ino, BlockNo{first.v + i});
  }
  return {};
}

Status Sums::check(Ino ino, BlockNo first, std::span<std::byte> blocks, std::size_t got) const {
  auto found = files_.find(ino);
  if (found == files_.end()) return {};
  const Known& known = found->second;
  if (const std::uint64_t start = offset_of(first); known.size < start + blocks.size()) {
    auto behind = blocks.subspan(known.size > start ? known.size - start : 0);
    std::fill(behind.begin(), behind.end(), std::byte{0});
  }
  const std::uint64_t end = std::min(known.end, first.v + blocks.size() / kBlockSize);
  // The host's file has become shorter: where its sums end, that is all there is to tell it by.
  const std::uint64_t there = offset_of(first) + got;
  const bool is_cut = got < blocks.size() && there < known.size && known.end < blocks_for(known.size);
  if (is_cut && offset_of(first) + blocks.size() > offset_of(BlockNo{known.end})) {
    return mismatch(ino, std::max(block_of(there), BlockNo{known.end}));
  }
  auto run = std::upper_bound(known.runs.begin(), known.runs.end(), first.v,
                              [](std::uint64_t block, const Run& r) { return block < r.first; });
  for (std::uint64_t block = first.v; block < end; ++run) {
    const Run& here = *(run - 1);  // there is one: they begin at block 0
    const std::uint64_t stop = std::min(end, run == known.runs.end() ? known.end : run->first);
    auto part = blocks.subspan((block - first.v) * kBlockSize, (stop - block) * kBlockSize);
    if (here.at != 0) {
      BFS_TRY(check_run(part, ino, BlockNo{block}, here));
    } else {
      for (std::uint64_t i = 0; i < stop - block; ++i) {
        if (!all_zero(part.subspan(i * kBlockSize, kBlockSize))) return mismatch(ino, BlockNo{block + i});
      }
    }
    block = stop;
  }
  return {};
}

// --- making ------------------------------------------------------------------------------------------

class Sums::Maker {
 public:
  Maker(Env& env, const std::string& delta_dir, ObjectId id, const std::function<bool()>& stop)
      : env_(env),
        dir_(delta_dir),
        id_(id),
        stop_(stop),
        sums_(id, path_in(delta_dir)),
        buffer_(kPieceBlocks * kBlockSize) {}

  Result<Made> run();

 private:
  Status create();
  Status begin();
  Status item(const DirItem& item);
  Status file(Ino ino, File& data);
  Result<std::uint64_t> data_end(File& data, std::uint64_t from, std::uint64_t limit);
  Status sum(Ino ino, File& data, std::uint64_t size, BlockRange range);
  void record(Ino ino, std::uint64_t size, std::uint64_t first, std::uint64_t count,
              std::span<const std::uint64_t> sums);
  Status flush();
  Status sync();

  Env& env_;
  std::string dir_;
  ObjectId id_;
  const std::function<bool()>& stop_;
  Sums sums_;  // those that are there already
  std::unique_ptr<File> file_;
  std::vector<std::byte> pending_;  // records; the first byte has the offset end_
  std::uint64_t end_ = 0;
  std::uint64_t synced_ = 0;
  std::vector<std::byte> buffer_;
  bool stopped_ = false;
};

// The file gets its name with its header: one that is there and has none is damaged, not half made.
Status Sums::Maker::create() {
  const std::string temporary = path_in(dir_) + "." + env_.new_id().hex() + ".tmp";
  Status made = Journal::create(env_, temporary, id_);
  if (made) made = env_.rename(temporary, path_in(dir_), 1U /* RENAME_NOREPLACE */);
  if (made) return env_.sync_dir(dir_);
  ignore(env_.unlink(temporary));
  return made.error().sys == EEXIST ? Status{} : made;
}

// What an interrupted maker left is gone on with.
Status Sums::Maker::begin() {
  BFS_ASSIGN(const std::uint64_t size, size_of_regular(*file_, path_in(dir_)));
  BFS_TRY(sums_.parse(*file_, size, stop_));
  end_ = sums_.valid_size_;
  if (end_ == size) return {};
  BFS_TRY(file_->truncate(end_));
  return file_->sync_data();  // else a power cut could join what we append to valid records of the old tail
}

Status Sums::Maker::flush() {
  if (pending_.empty()) return {};
  BFS_TRY(file_->write_at(pending_, end_));
  end_ += pending_.size();
  pending_.clear();
  return {};
}

Status Sums::Maker::sync() {
  BFS_TRY(flush());
  BFS_TRY(file_->sync_data());
  synced_ = end_;
  return {};
}

void Sums::Maker::record(Ino ino, std::uint64_t size, std::uint64_t first, std::uint64_t count,
                         std::span<const std::uint64_t> sums) {
  Encoder e;
  for (std::uint64_t field : {ino.v, size, first, count}) e.put(field);
  for (std::uint64_t sum : sums) e.put(sum);
  const auto bytes = Journal::record_bytes(id_, end_ + pending_.size(), RecordType::sums, e.bytes(), synced_);
  pending_.insert(pending_.end(), bytes.begin(), bytes.end());
}

Status Sums::Maker::sum(Ino ino, File& data, std::uint64_t size, BlockRange range) {
  std::vector<std::uint64_t> sums;
  sums.reserve(range.count);
  for (std::uint64_t block = range.first.v; block < range.end();) {
    stopped_ = stop_();
    if (stopped_) return {};
    const std::uint64_t count = std::min(kPieceBlocks, range.end() - block);
    auto piece = std::span(buffer_).first(count * kBlockSize);
    BFS_ASSIGN(std::size_t got, data.read_at(piece, offset_of(BlockNo{block})));
    std::fill(piece.begin() + static_cast<std::ptrdiff_t>(got), piece.end(), std::byte{0});
    for (std::uint64_t i = 0; i < count; ++i)
      sums.push_back(checksum(piece.subspan(i * kBlockSize, kBlockSize)));
    block += count;
  }
  record(ino, size, range.first.v, range.count, sums);
  return flush();
}

// Where the data that begins at block `from` ends, across holes that are not worth a record.
Result<std::uint64_t> Sums::Maker::data_end(File& data, std::uint64_t from, std::uint64_t limit) {
  std::uint64_t end = from;
  for (;;) {
    BFS_ASSIGN(DataRange range, branchfs::next_data(data, offset_of(BlockNo{end}), limit));
    if (range.begin >= limit || block_of(range.begin).v >= end + kLeastHole) return end;
    end = blocks_for(range.end);
    if (range.end >= limit || end - from >= kMostSums) return std::min(end, from + kMostSums);
  }
}

Status Sums::Maker::file(Ino ino, File& data) {
  BFS_ASSIGN(struct ::stat st, data.stat());
  const auto size = static_cast<std::uint64_t>(st.st_size);
  std::uint64_t from = 0;
  if (auto known = sums_.files_.find(ino); known != sums_.files_.end()) {
    if (known->second.size != size) {
      return make_error(Kind::damaged,
                        fmt::format("delta {}: the data of inode {} is {} bytes long, and was {}", id_.hex(),
                                    ino.v, size, known->second.size));
    }
    from = known->second.end;
  } else if (size == 0) {
    record(ino, 0, 0, 0, {});
  }
  for (const std::uint64_t blocks = blocks_for(size); from < blocks;) {
    BFS_ASSIGN(const std::uint64_t end, data_end(data, from, size));
    if (end > from) {
      BFS_TRY(sum(ino, data, size, {BlockNo{from}, end - from}));
      if (stopped_) return {};
      from = end;
      continue;
    }
    BFS_ASSIGN(const DataRange next, branchfs::next_data(data, offset_of(BlockNo{from}), size));
    const std::uint64_t stop = next.begin >= size ? blocks : block_of(next.begin).v;
    if (stop <= from) continue;  // the host has changed its mind: it may count what is only in its cache
    record(ino, size, from, stop - from, {});
    from = stop;
  }
  return {};
}

Status Sums::Maker::item(const DirItem& item) {
  Ino ino;
  auto parsed = std::from_chars(item.name.data(), item.name.data() + item.name.size(), ino.v, 16);
  if (parsed.ec != std::errc{} || ino == kNoIno || item.name != Delta::file_name(ino)) return {};
  auto known = sums_.files_.find(ino);
  if (known != sums_.files_.end() && known->second.end == blocks_for(known->second.size)) return {};
  auto data = env_.open(dir_ + "/f/" + item.name, O_RDONLY | O_NONBLOCK);
  if (!data && data.error().sys == ENOENT) return {};
  if (!data) return std::move(data).error();
  BFS_ASSIGN(struct ::stat st, (*data)->stat());
  if (!S_ISREG(st.st_mode))
    return make_error(Kind::damaged, dir_ + "/f/" + item.name + " is not a regular file");
  return file(ino, **data);
}

Result<Sums::Made> Sums::Maker::run() {
  if (!env_.exists(path_in(dir_))) BFS_TRY(create());
  BFS_ASSIGN(file_, env_.open(path_in(dir_), O_RDWR | O_NONBLOCK));
  BFS_ASSIGN(const bool is_ours, file_->try_lock(LockMode::exclusive));
  if (!is_ours) return Made::by_another;
  Status begun = begin();
  if (!begun && begun.error().sys == ECANCELED) return Made::stopped;
  BFS_TRY(begun);
  if (sums_.complete()) return Made::all;
  BFS_ASSIGN(auto items, env_.list(dir_ + "/f"));
  Status first_error;
  for (const DirItem& one : items) {
    stopped_ = stopped_ || stop_();
    if (stopped_) break;
    Status done = item(one);
    if (!done && means_full(done.error().sys)) return std::move(done).error();
    if (!done && first_error) first_error = std::move(done);
  }
  if (stopped_) {
    BFS_TRY(flush());
    return Made::stopped;
  }
  BFS_TRY(sync());
  if (!first_error) return std::move(first_error).error();
  record(kNoIno, 0, 0, 0, {});  // says that all before it had been durable
  BFS_TRY(sync());
  return Made::all;
}

Result<Sums::Made> Sums::make(Env& env, const std::string& delta_dir, ObjectId id,
                              const std::function<bool()>& stop) {
  return Maker(env, delta_dir, id, stop).run();
}

}  // namespace branchfs
