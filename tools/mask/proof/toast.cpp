#include "tools/mask/proof/toast.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "tools/mask/proof/compressed.h"

namespace branchfs::mask {
namespace {

constexpr std::size_t kPageHeader = 24;
constexpr std::size_t kRowAlign = 8;
constexpr std::size_t kRowHeader = 24;  // 23 bytes and padding: no column is NULL
constexpr std::size_t kData = kRowHeader + 8;
constexpr std::uint32_t kFullChunk = 1996;  // TOAST_MAX_CHUNK_SIZE with 8 KiB pages; a large object's is 2048

template <class T>
T load(const std::byte* at) {
  T value{};
  std::memcpy(&value, at, sizeof value);
  return value;
}

// The bytes of the varlena at `at`, and whether they are a compressed value of their own.
struct Payload {
  std::size_t begin = 0, size = 0;
  bool compressed = false;
};
std::optional<Payload> payload_at(std::span<const std::byte> page, std::size_t at) {
  const auto first = static_cast<std::uint8_t>(page[at]);
  std::size_t header = 4;
  std::size_t size = 0;
  if ((first & 1U) != 0) {  // 1-byte header; 1 alone is a pointer to elsewhere
    header = 1;
    size = first >> 1U;
  } else {
    if (at + 4 > page.size()) return std::nullopt;
    size = load<std::uint32_t>(page.data() + at) >> 2U;
  }
  if (size <= header || size > page.size() - at) return std::nullopt;
  return Payload{at + header, size - header, (first & 3U) == 2};
}

// Three columns, none NULL, one of variable length.
bool looks_like_row(const std::byte* row) {
  const auto columns = load<std::uint16_t>(row + 18) & 0x7FFU;
  const auto flags = load<std::uint16_t>(row + 20) & 3U;
  return columns == 3 && flags == 2 && load<std::uint8_t>(row + 22) == kRowHeader;
}

}  // namespace

std::vector<ToastRelation::Row> ToastRelation::rows_of(const ToastFile& file, std::uint64_t offset, std::span<const std::byte> page) {
  std::vector<Row> rows;
  for (std::size_t at = kPageHeader; at + kData < page.size(); at += kRowAlign) {
    if (!looks_like_row(page.data() + at)) continue;
    const auto payload = payload_at(page, at + kData);
    if (!payload) continue;
    Row& row = rows.emplace_back();
    row.id = load<std::uint32_t>(page.data() + at + kRowHeader);
    row.sequence = load<std::uint32_t>(page.data() + at + kRowHeader + 4);
    row.chunk.file = &file;
    row.chunk.offset = offset + payload->begin;
    row.chunk.size = static_cast<std::uint32_t>(payload->size);
    row.chunk.compressed = payload->compressed;
    const auto bytes = page.subspan(payload->begin, payload->size);
    row.chunk.bytes.assign(bytes.begin(), bytes.end());
    row.chunk.held = true;
  }
  return rows;
}

bool ToastRelation::is_complete(const Value& value) {
  const auto last = std::prev(value.end());
  return last->second.size < kFullChunk && last->first == value.size() - 1;
}

// Under the lock.
void ToastRelation::insert(Row row, std::vector<Value>& complete) {
  Value& value = values_[row.id];
  if (held_ + row.chunk.size > most_held_) {
    row.chunk.held = false;
    row.chunk.bytes = {};
  } else {
    held_ += row.chunk.size;
  }
  value.emplace(row.sequence, std::move(row.chunk));
  if (!is_complete(value)) return;
  for (const auto& [sequence, chunk] : value) held_ -= chunk.held ? chunk.size : 0;
  complete.push_back(std::move(value));
  values_.erase(row.id);
}

Status ToastRelation::add_page(const ToastFile& file, std::uint64_t offset, std::span<const std::byte> page) {
  std::vector<Row> rows = rows_of(file, offset, page);
  if (rows.empty()) return {};
  std::vector<Value> complete;
  {
    std::lock_guard lock(mutex_);
    for (Row& row : rows) insert(std::move(row), complete);
  }
  for (Value& value : complete) BFS_TRY(look_at(value));
  return {};
}

Status ToastRelation::finish() {
  for (auto& [id, value] : values_) {
    if (findings_.stopped()) break;
    BFS_TRY(look_at(value));
  }
  values_.clear();
  return {};
}

// Chunks of successive numbers belong together. Where a number occurs n times, n values are made of them: the k-th of each.
Status ToastRelation::look_at(Value& value) {
  std::size_t most = 1;
  for (auto it = value.begin(); it != value.end(); it = value.upper_bound(it->first)) most = std::max(most, value.count(it->first));
  for (std::size_t k = 0; k < most; ++k) {
    std::vector<Chunk*> run;
    std::uint32_t first = 0;
    for (auto it = value.begin(); it != value.end(); it = value.upper_bound(it->first)) {
      if (!run.empty() && it->first != first + run.size()) {
        BFS_TRY(look_at_run(run, first == 0));
        run.clear();
      }
      if (run.empty()) first = it->first;
      run.push_back(&std::next(it, static_cast<std::ptrdiff_t>(std::min(k, value.count(it->first) - 1)))->second);
    }
    BFS_TRY(look_at_run(run, first == 0));
  }
  return {};
}

Status ToastRelation::append(Chunk& chunk, std::vector<std::byte>& joined) {
  if (!chunk.held) {
    chunk.bytes.resize(chunk.size);
    BFS_TRY(read_(chunk.file->ino, chunk.offset, chunk.bytes));
  }
  std::span<const std::byte> bytes(chunk.bytes);
  thread_local std::vector<std::byte> buffer;
  if (chunk.compressed) {
    const auto raw = decompress_value(bytes, buffer);
    if (!raw.empty()) bytes = raw;
  }
  joined.insert(joined.end(), bytes.begin(), bytes.end());
  if (!chunk.held) chunk.bytes = {};
  return {};
}

Status ToastRelation::look_at_run(const std::vector<Chunk*>& run, bool from_first) {
  thread_local std::vector<std::byte> joined;
  thread_local std::vector<std::byte> raw_buffer;
  joined.clear();
  std::vector<std::size_t> borders;
  bool plain = true;
  for (Chunk* chunk : run) {
    BFS_TRY(append(*chunk, joined));
    borders.push_back(joined.size());
    plain = plain && !chunk->compressed;
  }
  const std::string& path = *run.front()->file->path;
  const std::uint64_t offset = run.front()->offset;
  const auto raw = from_first ? decompress_value(joined, raw_buffer) : std::span<const std::byte>();
  if (!raw.empty()) {
    findings_.count_compressed(1);
    findings_.scan_value(raw, path, offset, Place::toast);
    return {};
  }
  if (plain && run.size() == 1) return {};
  findings_.witnesses().scan(joined, [&](const WitnessSet::Hit& hit) {
    // What lies within a chunk is found in its page.
    const auto border = std::upper_bound(borders.begin(), borders.end(), hit.offset);
    if (!plain || *border < hit.offset + hit.size) findings_.add(hit, path, offset, Place::toast);
    return !findings_.stopped();
  });
  return {};
}

}  // namespace branchfs::mask
