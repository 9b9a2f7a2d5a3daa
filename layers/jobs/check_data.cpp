#include "layers/jobs/check_data.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "layers/delta/delta.h"
#include "layers/io/descriptors.h"

namespace branchfs {
namespace {

constexpr std::uint64_t kPieceBlocks = 128;

void add_block(std::vector<BlockRange>& ranges, BlockNo block) {
  if (!ranges.empty() && ranges.back().end() == block.v) {
    ++ranges.back().count;
  } else {
    ranges.push_back({block, 1});
  }
}

// Next range that is not zeros, or was not. Where the host cannot tell all of it may be.
DataRange next_range(File& file, const Sums& sums, Ino ino, std::uint64_t offset, std::uint64_t limit) {
  const auto host = next_data(file, offset, limit);
  if (!host) return {offset, limit};
  const DataRange known = sums.next_data(ino, offset, limit);
  return known.begin < host->begin ? known : *host;
}

// The bytes that the host gave; behind them zeros.
Result<std::size_t> read_blocks(File& file, BlockNo block, std::span<std::byte> out) {
  BFS_ASSIGN(const std::size_t got, file.read_at(out, offset_of(block)));
  std::fill(out.begin() + static_cast<std::ptrdiff_t>(got), out.end(), std::byte{0});
  return got;
}

bool matches(File& file, const Sums& sums, Ino ino, BlockNo first, std::span<std::byte> out) {
  auto got = read_blocks(file, first, out);
  return got && sums.check(ino, first, out, *got);
}

Status check_file(File& file, const Sums& sums, std::uint64_t blocks, DamagedData& found,
                  const std::function<bool(std::uint64_t)>& read) {
  std::vector<std::byte> buffer(kPieceBlocks * kBlockSize);
  const std::uint64_t limit = offset_of(BlockNo{blocks});
  for (std::uint64_t at = 0; at < limit;) {
    const DataRange range = next_range(file, sums, found.ino, at, limit);
    const std::uint64_t end = std::min(blocks_for(range.end), blocks);
    for (BlockNo block = block_of(range.begin); block.v < end;) {
      const std::uint64_t count = std::min(kPieceBlocks, end - block.v);
      auto piece = std::span(buffer).first(count * kBlockSize);
      if (!matches(file, sums, found.ino, block, piece)) {
        for (std::uint64_t i = 0; i < count; ++i) {
          const BlockNo one{block.v + i};
          if (!matches(file, sums, found.ino, one, piece.first(kBlockSize))) add_block(found.blocks, one);
        }
      }
      if (!read(piece.size())) return Error{Kind::failed, ECANCELED, "stopped", {}};
      block.v += count;
    }
    at = std::max(range.end, at + 1);
  }
  return {};
}

// Without what lies behind `size`.
Status copy_file(File& from, File& to, std::uint64_t size) {
  std::vector<std::byte> buffer(kPieceBlocks * kBlockSize);
  BFS_TRY(to.truncate(size));
  for (std::uint64_t at = 0; at < size;) {
    BFS_ASSIGN(const DataRange range, next_data(from, at, size));
    for (std::uint64_t piece = range.begin; piece < range.end;) {
      auto out = std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), range.end - piece));
      BFS_ASSIGN(const std::size_t got, from.read_at(out, piece));
      BFS_TRY(to.write_at(out.first(got), piece));
      piece += out.size();
    }
    at = std::max(range.end, at + 1);
  }
  return {};
}

}  // namespace

std::string DamagedData::text() const {
  std::string text = fmt::format("the data of inode {}", ino.v);
  if (size != right_size) text += fmt::format(" is {} bytes long, and was {}", size, right_size);
  if (blocks.empty()) return text;
  text += fmt::format("{} does not match its checksums, blocks ", size != right_size ? ";" : "");
  for (const BlockRange& range : blocks) {
    if (&range != blocks.data()) text += ", ";
    text += range.count == 1 ? fmt::format("{}", range.first.v)
                             : fmt::format("{}-{}", range.first.v, range.end() - 1);
  }
  return text;
}

Result<std::vector<DamagedData>> check_data(Env& env, const std::string& delta_dir, const Sums& sums,
                                            const std::function<bool(std::uint64_t)>& read) {
  struct Entry {
    Ino ino;
    std::uint64_t size = 0;
    std::uint64_t blocks = 0;
  };
  std::vector<Entry> files;
  sums.for_each_file([&](Ino ino, std::uint64_t size, std::uint64_t blocks) {
    files.push_back({ino, size, blocks});
  });
  std::sort(files.begin(), files.end(), [](const Entry& a, const Entry& b) { return a.ino < b.ino; });
  std::vector<DamagedData> damaged;
  for (const Entry& known : files) {
    auto file = env.open(delta_dir + "/f/" + Delta::file_name(known.ino), O_RDONLY | O_NONBLOCK);
    if (!file && (file.error().sys == ENOENT || file.error().sys == ELOOP))
      continue;  // told by whoever needs it
    if (!file && means_no_descriptor(file.error().sys)) return std::move(file).error();
    if (!file) {
      DamagedData all{known.ino, known.size, known.size, known.blocks == blocks_for(known.size), {}};
      if (known.blocks > 0) all.blocks.push_back({BlockNo{0}, known.blocks});
      damaged.push_back(std::move(all));
      continue;
    }
    BFS_ASSIGN(struct ::stat st, (*file)->stat());
    if (!S_ISREG(st.st_mode)) continue;
    DamagedData found{known.ino,
                      static_cast<std::uint64_t>(st.st_size),
                      known.size,
                      known.blocks == blocks_for(known.size),
                      {}};
    BFS_TRY(check_file(**file, sums, known.blocks, found, read));
    if (found.size != found.right_size || !found.blocks.empty()) damaged.push_back(std::move(found));
  }
  return damaged;
}

Result<DamagedData> mend_data(Env& env, const std::string& path, const Sums& sums, const DamagedData& damaged,
                              SetAside& aside, SearchBudget& budget, bool dry) {
  BFS_ASSIGN(auto file, env.open(path, O_RDONLY));
  // What lies behind the sums of a file that has become shorter nobody knows.
  const bool resizes =
      damaged.size != damaged.right_size && (damaged.is_known || damaged.size > damaged.right_size);
  DamagedData left = damaged;
  left.blocks.clear();
  if (resizes) left.size = damaged.right_size;
  std::vector<Patch> patches;
  for (const BlockRange& range : damaged.blocks) {
    for (BlockNo block = range.first; block.v < range.end(); ++block.v) {
      std::vector<std::byte> bytes(kBlockSize);
      const auto got = read_blocks(*file, block, bytes);
      const std::uint64_t start = offset_of(block);
      auto inside = std::span(bytes).first(std::min<std::uint64_t>(kBlockSize, damaged.right_size - start));
      // Where there is nothing at all it was not one bit.
      const bool is_there =
          got && std::any_of(inside.begin(), inside.end(), [](std::byte b) { return b != std::byte{0}; });
      const auto good = [&] { return sums.check(damaged.ino, block, bytes, bytes.size()).ok(); };
      if (is_there && mend_one_bit(inside, budget, good)) {
        patches.push_back({start, {inside.begin(), inside.end()}});
      } else {
        add_block(left.blocks, block);
      }
    }
  }
  if (dry || (patches.empty() && !resizes)) return left;
  const std::string temporary = path + "." + env.new_id().hex() + ".tmp";
  auto write = [&]() -> Status {
    BFS_ASSIGN(auto to, env.open(temporary, O_RDWR | O_CREAT | O_EXCL, 0600));
    BFS_TRY(copy_file(*file, *to, left.size));
    BFS_ASSIGN(struct ::stat st, file->stat());
    for (const Patch& patch : patches) BFS_TRY(to->write_at(patch.bytes, patch.offset));
    const ::timespec times[2] = {st.st_atim, st.st_mtim};
    BFS_TRY(to->set_times(times));
    return to->sync();
  };
  Status written = write();
  if (!written) {
    ignore(env.unlink(temporary));  // the first error is the one to report
    return std::move(written).error();
  }
  BFS_TRY(aside.exchange(temporary, path));
  return left;
}

}  // namespace branchfs
