// Collects the tables of a layer file's index and writes them, the page sums and the footer (layers/FORMAT.md
// §3). Owner: a LayerWriter; one thread. Memory: about 32 bytes for each extent, 112 for each inode, 32 and
// the name for each name.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "layers/base/attr.h"
#include "layers/format/append_buffer.h"
#include "layers/format/layer.h"

namespace branchfs {

class IndexBuilder {
 public:
  // Layers are referred to by slot: 0 is the file itself, others as add_layer() returns them.
  explicit IndexBuilder(ObjectId id) : id_(id) {}
  Result<std::uint32_t> add_layer(const LayerPtr& layer);
  void require_layer(std::uint32_t slot) { layers_[slot].required = true; }
  void add_extent(Ino ino, const ExtentRecord& extent) {
    extents_.push_back({ino, extent});
  }  // .layer is a slot
  void keep_map(Ino ino, std::uint32_t slot, const MapRef& map);
  Status add_inode(const Attr& attr, std::string_view symlink);
  Status add_name(Ino parent, std::string_view name, Ino ino, std::uint8_t type);
  // Maps of inodes that were never added are dropped.
  Status write(AppendBuffer& out, const std::vector<ChunkRecord>& chunks, std::int64_t created);

 private:
  struct Dependency {
    LayerPtr layer;  // slot 0: null
    bool required = false;
    std::uint32_t number = 0;  // in the dependency table, from 1
  };
  struct Placed {
    Ino ino;
    ExtentRecord extent;
  };
  struct Kept {
    std::uint32_t slot;
    std::uint64_t first;
    std::uint64_t count;
  };
  struct Text {
    std::size_t offset;
    std::size_t size;
  };
  struct Name {
    Ino parent;
    Ino ino;
    Text name;
    std::uint8_t type;
  };
  struct Node {
    InodeRecord record;
    Text symlink;
  };
  [[nodiscard]] std::string_view view(const Text& t) const {
    return std::string_view(text_).substr(t.offset, t.size);
  }
  Text remember(std::string_view s);
  Status sort_tables();
  Status join_maps();
  Status add_map(Node& node, std::size_t& next);
  std::vector<DepRecord> number_dependencies();
  void place_text(std::string& text, std::vector<NameRecord>& names);

  ObjectId id_;
  std::vector<Dependency> layers_{1};
  std::unordered_map<ObjectId, std::uint32_t> slots_;
  std::vector<Placed> extents_;
  std::vector<ExtentRecord> maps_;  // after join_maps(): the extents table
  std::unordered_map<Ino, Kept> kept_;
  std::vector<Node> nodes_;
  std::vector<Name> names_;
  std::string text_;
};

}  // namespace branchfs
