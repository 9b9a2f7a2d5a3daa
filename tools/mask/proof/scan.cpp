// Reads all of a branch once, in pieces that threads take in turn, and looks for witnesses in it.
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>
#include <unordered_set>

#include "layers/jobs/tree_reader.h"
#include "tools/mask/proof/byte_runs.h"
#include "tools/mask/proof/compressed.h"
#include "tools/mask/proof/findings.h"
#include "tools/mask/proof/toast.h"
#include "tools/mask/proof/wal_scan.h"

namespace branchfs::mask {
namespace {

constexpr std::uint64_t kPiece = 32U << 20U;  // of a file, for one thread; a segment of 1 GiB is 32
constexpr std::size_t kRead = 256U << 10U;    // at once: it stays in the second-level cache

struct ScanFile {
  std::string path;
  Ino ino;
  std::uint64_t size = 0;
  bool is_relation = false;
  ToastRelation* toast = nullptr;
  ToastFile toast_file{};
};
struct Piece {
  const ScanFile* file = nullptr;
  std::uint64_t begin = 0, end = 0;
};
// The same of a WAL segment, for the second look at it; `next`: the segment after it, or null.
struct WalPiece {
  Piece piece;
  const ScanFile* next = nullptr;
};
constexpr std::uint64_t kWalPiece = 4U << 20U;

// "base/5/16390.3" is the fourth segment of "base/5/16390".
std::string without_segment(const std::string& path) {
  const std::size_t dot = path.find_last_of("./");
  return dot != path.npos && path[dot] == '.' ? path.substr(0, dot) : path;
}

class BranchScan {
 public:
  BranchScan(TreeReader& reader, const WitnessSet& witnesses, const ScanOptions& options)
      : reader_(reader), options_(options), findings_(witnesses, options), overlap_(witnesses.longest() - 1) {}
  Result<ScanResult> run();

 private:
  Status list();
  void add_pieces();
  void work();
  Status finish_toast();
  Status scan_wal(const WalPiece& piece);
  Status append_pages(const ScanFile& file, std::uint64_t begin, std::uint64_t end, std::vector<std::byte>& pages);
  void look_into_page(const ScanFile& file, std::uint64_t offset, std::span<const std::byte> page);
  Status scan_piece(const Piece& piece, std::vector<std::byte>& buffer);
  Status scan_range(const Piece& piece, std::uint64_t begin, std::uint64_t end, std::vector<std::byte>& buffer);

  TreeReader& reader_;
  const ScanOptions& options_;
  Findings findings_;
  const std::size_t overlap_;
  std::vector<ScanFile> files_;
  std::vector<Piece> pieces_;
  std::vector<WalPiece> wal_pieces_;
  std::map<std::string, ToastRelation> toast_;  // by the path without its segment
  std::atomic<std::size_t> next_{0};
};

Result<ScanResult> BranchScan::run() {
  const auto start = std::chrono::steady_clock::now();
  BFS_TRY(list());
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < options_.threads; ++i) threads.emplace_back([this] { work(); });
  work();
  for (std::thread& thread : threads) thread.join();
  if (!findings_.stopped()) BFS_TRY(finish_toast());
  BFS_ASSIGN(ScanResult result, findings_.take(files_.size()));
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

// Names and symlink targets are looked at here; the pieces of the files are left for the threads, the largest files first.
Status BranchScan::list() {
  std::unordered_set<Ino> seen;
  auto add = [&](const TreeReader::Entry& entry) -> Status {
    const std::size_t slash = entry.path.rfind('/');
    const std::string name = entry.path.substr(slash + 1);
    const std::string directory = slash == entry.path.npos ? "" : entry.path.substr(0, slash);
    findings_.scan_value(std::as_bytes(std::span(name)), directory, 0, Place::name);
    findings_.scan_value(std::as_bytes(std::span(entry.symlink)), entry.path, 0, Place::symlink);
    if (S_ISREG(entry.attr.mode) && seen.insert(entry.attr.ino).second) {
      ScanFile file{entry.path, entry.attr.ino, entry.attr.size};
      file.is_relation = !is_wal_segment(entry.path) && (!options_.is_relation || options_.is_relation(entry.path));
      files_.push_back(std::move(file));
    }
    return {};
  };
  BFS_TRY(reader_.entries(add));
  add_pieces();
  return {};
}

void BranchScan::add_pieces() {
  auto read = [this](Ino ino, std::uint64_t offset, std::span<std::byte> out) { return reader_.read(ino, offset, out); };
  std::sort(files_.begin(), files_.end(), [](const ScanFile& a, const ScanFile& b) { return a.size > b.size; });
  std::vector<const ScanFile*> segments;
  for (ScanFile& file : files_) {
    for (std::uint64_t at = 0; at < file.size; at += kPiece) pieces_.push_back({&file, at, std::min(at + kPiece, file.size)});
    if (is_wal_segment(file.path)) segments.push_back(&file);
    if (!options_.is_toast || !options_.is_toast(file.path)) continue;
    file.toast = &toast_.try_emplace(without_segment(file.path), findings_, read).first->second;
    file.toast_file = {&file.path, file.ino};
  }
  std::sort(segments.begin(), segments.end(), [](const ScanFile* a, const ScanFile* b) { return a->path < b->path; });
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const ScanFile& file = *segments[i];
    const ScanFile* next = i + 1 < segments.size() ? segments[i + 1] : nullptr;
    for (std::uint64_t at = 0; at < file.size; at += kWalPiece) {
      wal_pieces_.push_back({{&file, at, std::min(at + kWalPiece, file.size)}, next});
    }
  }
}

void BranchScan::work() {
  std::vector<std::byte> buffer(overlap_ + kRead);
  const std::size_t all = pieces_.size() + wal_pieces_.size();
  for (std::size_t i = next_++; i < all && !findings_.stopped(); i = next_++) {
    const bool is_wal = i >= pieces_.size();
    const Piece& piece = is_wal ? wal_pieces_[i - pieces_.size()].piece : pieces_[i];
    Status scanned = is_wal ? scan_wal(wal_pieces_[i - pieces_.size()]) : scan_piece(piece, buffer);
    if (!scanned) return findings_.fail(std::move(scanned).error().context("scan " + piece.file->path));
  }
}

Status BranchScan::finish_toast() {
  for (auto& [path, relation] : toast_) {
    Status finished = relation.finish();
    if (!finished) return std::move(finished).error().context("scan " + path);
  }
  return {};
}

Status BranchScan::append_pages(const ScanFile& file, std::uint64_t begin, std::uint64_t end, std::vector<std::byte>& pages) {
  if (begin >= end) return {};
  const std::size_t before = pages.size();
  pages.resize(before + (end - begin));
  return reader_.read(file.ino, begin, std::span(pages).subspan(before));
}

Status BranchScan::scan_wal(const WalPiece& wal) {
  const auto& [file, begin, end] = wal.piece;
  std::vector<std::byte> pages;
  const std::uint64_t whole = file->size / kPageSize * kPageSize;
  const std::uint64_t own = std::min(end, whole);
  const std::uint64_t tail = std::min(own + kWalTail * kPageSize, whole);
  BFS_TRY(append_pages(*file, begin, tail, pages));
  if (wal.next != nullptr && tail == whole) {
    BFS_TRY(append_pages(*wal.next, 0, std::min<std::uint64_t>(kWalTail * kPageSize, wal.next->size / kPageSize * kPageSize), pages));
  }
  if (begin < own) scan_wal_pages(pages, (own - begin) / kPageSize, file->path, begin, findings_);
  return {};
}

void BranchScan::look_into_page(const ScanFile& file, std::uint64_t offset, std::span<const std::byte> page) {
  if ((!file.is_relation && file.toast == nullptr) || all_zero(page)) return;
  const std::uint64_t count = for_each_compressed(page, 4, [&](std::size_t at, std::span<const std::byte> value) {
    findings_.scan_value(value, file.path, offset + at, Place::compressed);
  });
  if (count > 0) findings_.count_compressed(count);
  if (file.toast == nullptr) return;
  Status added = file.toast->add_page(file.toast_file, offset, page);
  if (!added) findings_.fail(std::move(added).error().context("scan " + file.path));
}

// Around data in a sparse file some zeros are scanned with it: a pattern may begin or end with zeros. Occurrences that begin in the piece
// are this piece's, wherever they end.
Status BranchScan::scan_piece(const Piece& piece, std::vector<std::byte>& buffer) {
  const std::uint64_t limit = std::min(piece.end + overlap_, piece.file->size);
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  auto widen = [&](std::uint64_t first, std::uint64_t last) -> Status {
    first = offset_of(block_of(first - std::min<std::uint64_t>(overlap_, first)));
    first = std::max(first, piece.begin);
    last = std::min(offset_of(BlockNo{blocks_for(last + overlap_)}), limit);
    if (first > end || begin == end) {
      BFS_TRY(scan_range(piece, begin, end, buffer));
      begin = first;
    }
    end = last;
    return {};
  };
  BFS_TRY(reader_.data(piece.file->ino, piece.begin, limit, widen));
  BFS_TRY(scan_range(piece, begin, end, buffer));
  findings_.count_bytes(piece.end - piece.begin);
  return {};
}

// Read by read; what the last `overlap_` bytes of a read may begin is looked for again with the next.
Status BranchScan::scan_range(const Piece& piece, std::uint64_t begin, std::uint64_t end, std::vector<std::byte>& buffer) {
  std::size_t kept = 0;
  for (std::uint64_t at = begin; at < end && !findings_.stopped();) {
    const std::size_t size = std::min<std::uint64_t>(kRead, end - at);
    BFS_TRY(reader_.read(piece.file->ino, at, std::span(buffer).subspan(kept, size)));
    findings_.count_read(size);
    const auto window = std::span<const std::byte>(buffer).first(kept + size);
    const std::uint64_t base = at - kept;
    for (std::size_t page = 0; page < size && at + page < piece.end; page += kPageSize) {
      look_into_page(*piece.file, at + page, window.subspan(kept + page, std::min(kPageSize, size - page)));
    }
    at += size;
    const std::size_t keep = at == end ? 0 : std::min(overlap_, window.size());
    const std::uint64_t mine = std::min(piece.end, base + window.size() - keep);
    findings_.witnesses().scan(window, [&](const WitnessSet::Hit& hit) {
      if (base + hit.offset < mine) findings_.add(hit, piece.file->path, base + hit.offset, Place::content);
      return !findings_.stopped();
    });
    std::copy(window.end() - static_cast<std::ptrdiff_t>(keep), window.end(), buffer.begin());
    kept = keep;
  }
  return {};
}

}  // namespace

Result<ScanResult> scan_branch(std::shared_ptr<Store> store, const std::string& branch, const WitnessSet& witnesses,
                               const ScanOptions& options) {
  BFS_ASSIGN(auto reader, TreeReader::open(std::move(store), branch));
  return BranchScan(*reader, witnesses, options).run();
}

}  // namespace branchfs::mask
