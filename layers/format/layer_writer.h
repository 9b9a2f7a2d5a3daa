// Writes one layer file (layers/FORMAT.md §3).
//
// Feed it data, inodes and names in any order between inodes; within one inode blocks ascend. Data is cut
// into chunks, compressed and checksummed on `threads` workers, and written in the order it was given, so
// that equal input gives equal bytes. The file is created at `path` (a temporary name; publishing it is the
// store's affair) and removed again by the destructor unless finish() succeeded. Threads: one thread feeds.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "layers/base/attr.h"
#include "layers/format/layer.h"

namespace branchfs {

struct LayerWriterOptions {
  unsigned threads = 0;  // compression workers; 0: one per core
  std::uint32_t chunk_blocks = kDefaultChunkBlocks;
  // Chunks equal to one in these layers are referenced instead of stored (compared byte by byte).
  std::vector<LayerPtr> dedup_against{};
  bool dedup_within = true;
  // Layers that must stay dependencies although no new extent names them (kept maps name them).
  std::vector<LayerPtr> dependencies{};
};

struct LayerWriterStats {
  std::uint64_t data_bytes = 0;    // block bytes given
  std::uint64_t zero_bytes = 0;    // of which became holes
  std::uint64_t shared_bytes = 0;  // of which were already stored
  std::uint64_t file_bytes = 0;    // size of the layer file (after finish)
};

class LayerWriter {
 public:
  static Result<std::unique_ptr<LayerWriter>> create(Env& env, std::string path, ObjectId id,
                                                     LayerWriterOptions options);
  virtual ~LayerWriter() = default;

  // Whole blocks (a last partial block zero-padded by the caller); all-zero blocks become holes.
  virtual Status add_data(Ino ino, BlockNo first, std::span<const std::byte> blocks) = 0;
  // Blocks that some layer already stores.
  virtual Status add_extent(Ino ino, const Extent& extent) = 0;
  // The inode keeps the whole map it has in another layer. Excludes add_data/add_extent for it.
  virtual Status keep_map(Ino ino, const MapRef& map) = 0;
  virtual Status add_inode(const Attr& attr, std::string_view symlink = {}) = 0;
  virtual Status add_name(Ino parent, std::string_view name, Ino ino, std::uint8_t type) = 0;
  // Writes the index, syncs the file. The caller renames it into place and syncs the directory.
  virtual Status finish(std::int64_t created) = 0;
  [[nodiscard]] virtual LayerWriterStats stats() const = 0;
};

}  // namespace branchfs
