#include "layers/delta/sums.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "layers/base/checksum.h"
#include "layers/base/codec.h"
#include "layers/delta/journal.h"

namespace branchfs {
namespace {

constexpr std::uint64_t kMostKept = 256U << 10U;  // bytes of sums in memory: of 256 MiB of data
constexpr std::uint64_t kMostSums = 512;          // in a record; between two of them a maker can be stopped
constexpr std::uint64_t kLeastHole =
    16;  // blocks: a shorter one costs less as zeros with sums than as a record
constexpr std::uint64_t kPieceBlocks = 128;                    // read at once
constexpr std::uint64_t kMostBytes = std::uint64_t{4} << 30U;  // of the file: sums of 4 TiB
constexpr std::size_t kHead = 4 * sizeof(std::uint64_t);  // of a payload: inode, size, first block, count

bool all_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

std::string path_in(const std::string& delta_dir) { return delta_dir + "/sums"; }

Result<std::vector<std::byte>> read_all(File& file, const std::string& path) {
  BFS_ASSIGN(struct ::stat st, file.stat());
  if (!S_ISREG(st.st_mode)) return make_error(Kind::damaged, path + " is not a regular file");
  if (static_cast<std::uint64_t>(st.st_size) > kMostBytes)
    return make_error(Kind::damaged, fmt::format("{}: {} bytes cannot be", path, st.st_size));
  std::vector<std::byte> bytes(static_cast<std::size_t>(st.st_size));
  BFS_ASSIGN(const std::size_t got, file.read_at(bytes, 0));
  bytes.resize(got);
  return bytes;
}

}  // namespace

// --- reading -----------------------------------------------------------------------------------------

Result<std::unique_ptr<Sums>> Sums::open(Env& env, const std::string& delta_dir, ObjectId id) {
  const std::string path = path_in(delta_dir);
  auto file = env.open(path, O_RDONLY | O_NONBLOCK);
  if (!file && file.error().sys == ENOENT) return std::unique_ptr<Sums>{};
  if (!file && file.error().sys == ELOOP) return make_error(Kind::damaged, path + " is not a regular file");
  if (!file) return std::move(file).error();
  BFS_ASSIGN(std::vector<std::byte> bytes, read_all(**file, path));
  std::unique_ptr<Sums> sums(new Sums(id, path));
  BFS_TRY(sums->parse(bytes));
  if (sums->valid_size_ <= Journal::header_bytes(id).size()) return std::unique_ptr<Sums>{};
  if (bytes.size() <= kMostKept) {
    sums->bytes_ = std::move(bytes);
  } else {
    sums->file_ = *std::move(file);
  }
  return sums;
}

Status Sums::parse(std::span<const std::byte> bytes) {
  const auto header = Journal::header_bytes(id_);
  if (bytes.size() < header.size() || !std::equal(header.begin(), header.end(), bytes.begin())) {
    return make_error(Kind::damaged, path_ + ": the header is not that of delta " + id_.hex());
  }
  valid_size_ = header.size();
  while (auto record = Journal::record_at(bytes, valid_size_, id_)) {
    if (record->type != RecordType::sums)
      return make_error(Kind::damaged, path_ + ": a record of a type that does not belong here");
    const auto at = static_cast<std::uint64_t>(record->payload.data() - bytes.data());
    if (Status added = add(record->payload, at); !added) return std::move(added).error().context(path_);
    valid_size_ += record->total;
  }
  if (valid_size_ < bytes.size() && Journal::was_durable(bytes, valid_size_, id_)) {
    return make_error(Kind::damaged, fmt::format("{}: the record at {} is damaged", path_, valid_size_));
  }
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

// `at`: of the sum of the first block.
Status Sums::check_run(std::span<const std::byte> blocks, Ino ino, BlockNo first, std::uint64_t at) const {
  std::array<std::uint64_t, kPieceBlocks> sums{};
  const std::uint64_t count = blocks.size() / kBlockSize;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t in_piece = i % sums.size();
    if (in_piece == 0) {
      auto piece =
          std::as_writable_bytes(std::span(sums).first(std::min<std::uint64_t>(sums.size(), count - i)));
      const std::uint64_t from = at + i * sizeof(std::uint64_t);
      if (file_) {
        auto got = file_->read_at(piece, from);
        if (!got || *got != piece.size()) return {};
      } else {
        std::memcpy(piece.data(), bytes_.data() + from, piece.size());
      }
    }
    if (checksum(blocks.subspan(i * kBlockSize, kBlockSize)) != sums[in_piece])
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
      BFS_TRY(check_run(part, ino, BlockNo{block}, here.at + (block - here.first) * sizeof(std::uint64_t)));
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
  Status sum(Ino ino, File& data, std::uint64_t first, std::uint64_t end);
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
  BFS_ASSIGN(const auto bytes, read_all(*file_, path_in(dir_)));
  BFS_TRY(sums_.parse(bytes));
  end_ = sums_.valid_size_;
  if (end_ == bytes.size()) return {};
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

Status Sums::Maker::sum(Ino ino, File& data, std::uint64_t first, std::uint64_t end) {
  BFS_ASSIGN(struct ::stat st, data.stat());
  std::vector<std::uint64_t> sums;
  sums.reserve(end - first);
  for (std::uint64_t block = first; block < end;) {
    stopped_ = stop_();
    if (stopped_) return {};
    const std::uint64_t count = std::min(kPieceBlocks, end - block);
    auto piece = std::span(buffer_).first(count * kBlockSize);
    BFS_ASSIGN(std::size_t got, data.read_at(piece, offset_of(BlockNo{block})));
    std::fill(piece.begin() + static_cast<std::ptrdiff_t>(got), piece.end(), std::byte{0});
    for (std::uint64_t i = 0; i < count; ++i)
      sums.push_back(checksum(piece.subspan(i * kBlockSize, kBlockSize)));
    block += count;
  }
  record(ino, static_cast<std::uint64_t>(st.st_size), first, end - first, sums);
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
      BFS_TRY(sum(ino, data, from, end));
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
  if (parsed.ec != std::errc{} || parsed.ptr != item.name.data() + item.name.size() || ino == kNoIno)
    return {};
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
  BFS_TRY(begin());
  if (sums_.complete()) return Made::all;
  BFS_ASSIGN(auto items, env_.list(dir_ + "/f"));
  Status first_error;
  for (const DirItem& one : items) {
    stopped_ = stopped_ || stop_();
    if (stopped_) break;
    if (Status done = item(one); !done && first_error) first_error = std::move(done);
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
