// A layer: one immutable, self-describing file of the store (layers/FORMAT.md §3), opened for reading.
//
// It answers for a whole directory tree by itself: names, inodes and, for each inode, where every block
// lives. Blocks may live in older layers (its dependencies), which are opened with it. Ownership: shared_ptr;
// a Layer keeps its dependencies alive, and its file may be unlinked while it is open. Threads: immutable,
// any thread. Trust: nothing in the file is believed before it is bounds-checked and its checksum (index
// pages on first touch, chunks on every read) holds; a violation is Kind::damaged with the layer named (P3).
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "layers/base/attr.h"
#include "layers/format/layer_format.h"
#include "layers/io/env.h"

namespace branchfs {

class Layer;
using LayerPtr = std::shared_ptr<const Layer>;

// Where an inode's block map is: `count` extent records from `first` on, in the index of `layer`.
struct MapRef {
  LayerPtr layer;  // null: the inode has no data
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

struct LayerInode {
  Attr attr;
  std::string symlink;
  MapRef map;
};

struct LayerName {
  Ino parent;
  std::string_view name;  // points into the layer's mapping
  Ino ino;
  std::uint8_t type = 0;  // DT_*
};

// `count` blocks from `block` on are the blocks from `skip` on of chunk number `chunk` of `layer`.
struct Extent {
  BlockNo block;
  std::uint64_t count = 0;
  LayerPtr layer;  // null: a hole
  std::uint32_t chunk = 0;
  std::uint32_t skip = 0;
};

// Opens layers by id, each once, with their dependencies. Threads: any.
class LayerSet {
 public:
  // `path_of` gives the file of a layer id.
  LayerSet(Env& env, std::function<std::string(ObjectId)> path_of);
  Result<LayerPtr> open(ObjectId id);
  [[nodiscard]] Env& env() const { return env_; }

 private:
  [[nodiscard]] LayerPtr already_open(ObjectId id) const;  // mutex_ held
  Result<LayerPtr> open_with_dependencies(ObjectId id);    // mutex_ held
  Env& env_;
  std::function<std::string(ObjectId)> path_of_;
  std::mutex mutex_;  // guards open_; held while files are opened, so that each is opened once
  std::unordered_map<ObjectId, std::weak_ptr<const Layer>> open_;
};

class Layer : public std::enable_shared_from_this<Layer> {
 public:
  ~Layer();
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;

  [[nodiscard]] ObjectId id() const { return id_; }
  // Every layer that holds a block or a map of this tree, ascending id; none of them is this one. Each was
  // opened with its own dependencies.
  [[nodiscard]] const std::vector<LayerPtr>& dependencies() const { return deps_; }
  [[nodiscard]] std::uint64_t file_size() const { return file_size_; }
  [[nodiscard]] std::uint64_t inode_count() const { return footer_.inodes.count; }
  [[nodiscard]] std::uint64_t name_count() const { return footer_.names.count; }
  [[nodiscard]] std::uint64_t chunk_count() const { return footer_.chunks.count; }
  [[nodiscard]] Ino max_ino() const { return Ino{footer_.max_ino}; }
  [[nodiscard]] std::int64_t created() const { return footer_.created; }

  // The inode, or nullopt when this tree has none of that number.
  Result<std::optional<LayerInode>> inode(Ino ino) const;
  Result<LayerInode> inode_at(std::uint64_t index) const;  // in ascending order of number
  Result<std::optional<LayerName>> find(Ino parent, std::string_view name) const;
  // The entries of `parent` are name_at(first) … name_at(first + count - 1), sorted by name.
  Result<std::pair<std::uint64_t, std::uint64_t>> names_of(Ino parent) const;
  Result<LayerName> name_at(std::uint64_t index) const;

  // The extent (or hole) that covers `block`, cut to start at `block`; holes reach to the next extent or to
  // UINT64_MAX.
  static Result<Extent> extent_at(const MapRef& map, BlockNo block);
  static Result<Extent> extent_number(const MapRef& map, std::uint64_t index);

  // The record of a chunk; its stored (usually compressed) bytes, checksum verified; its blocks.
  Result<ChunkRecord> chunk(std::uint32_t number) const;
  Result<std::vector<std::byte>> stored_bytes(std::uint32_t number) const;
  // Copies `count` blocks from block `skip` of the chunk on to `out` (count * kBlockSize bytes).
  Status read_chunk(std::uint32_t number, std::uint32_t skip, std::uint64_t count,
                    std::span<std::byte> out) const;

  // Checks everything: every index page, order, reference and chunk. For `verify`.
  // `report` gets one line per violation, `bad_chunk` the number of each chunk that cannot be read; returns how many
  // violations there were.
  Result<std::uint64_t> verify(const std::function<void(const std::string&)>& report,
                               const std::function<void(std::uint64_t bytes)>& progress = {},
                               const std::function<void(std::uint32_t)>& bad_chunk = {}) const;

 private:
  friend class LayerSet;
  friend class LayerVerifier;
  Layer() = default;
  // The layer alone; LayerSet resolves the dependencies before anyone else sees it.
  static Result<std::shared_ptr<Layer>> load(Env& env, std::string path, ObjectId id);
  Status read_header();
  Status read_footer();
  Status check_layout() const;
  Status read_page_sums();
  Result<std::vector<ObjectId>> dependency_ids() const;
  // `length` verified bytes of the index from the file offset `offset` on.
  Result<const std::byte*> index_bytes(std::uint64_t offset, std::uint64_t length) const;
  Status verify_page(std::uint64_t page) const;
  template <class T>
  Result<T> record(const Section& section, std::uint64_t index) const;
  Result<std::string_view> text(std::uint64_t offset, std::uint64_t length) const;
  Result<LayerInode> decode_inode(const InodeRecord& r) const;
  Result<LayerName> decode_name(const NameRecord& r) const;
  Result<Extent> decode_extent(const ExtentRecord& r) const;
  Result<std::uint64_t> first_name_from(Ino parent) const;
  Status read_stored(std::uint32_t number, const ChunkRecord& r, std::span<std::byte> out) const;
  Status unpack_chunk(std::uint32_t number, const ChunkRecord& r, std::span<std::byte> out) const;
  [[nodiscard]] Error damaged(const std::string& why) const;

  std::uint64_t serial_ = 0;  // unique in the process; ids are not, when several stores are open
  ObjectId id_;
  std::string path_;
  std::unique_ptr<File> file_;
  std::uint64_t file_size_ = 0;
  Footer footer_{};
  Mapping index_;
  std::vector<std::uint64_t> page_sums_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> verified_pages_;  // a bit for each index page
  std::vector<LayerPtr> deps_;
};

}  // namespace branchfs
