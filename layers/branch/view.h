// A view: what a stack shows. The base layer (the newest packed element), overlaid by the deltas above it, replayed into memory.
//
// Only what the deltas touched is in memory (Node); everything else is answered by the base layer, so opening costs
// what the deltas changed and reading costs the same at any depth (P6). Owner: Branch, or a job that packs or
// verifies. Threads: node() and the reading functions are safe at once; names and apply() need the owner's
// names lock (see Branch); a Node's fields need its lock.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "layers/branch/file_cache.h"
#include "layers/branch/range_set.h"
#include "layers/branch/source_map.h"
#include "layers/delta/delta.h"
#include "layers/format/layer.h"
#include "layers/store/store.h"

namespace branchfs {

inline constexpr std::size_t kNoDelta = SIZE_MAX;

// Blocks shared from another place of the stack (copy_file_range).
struct CloneRef {
  std::uint64_t count = 0;
  ObjectId element;          // the stack element in whose view `source` is meant
  Ino source;
  BlockNo source_first;
  std::size_t delta = kNoDelta;  // resolved: the data file of this delta …
  MapRef map;                    // … or this map of a layer
};

struct Node {
  explicit Node(Ino number) { attr.ino = number; }

  std::shared_mutex mutex;           // everything below, except where noted
  Attr attr;
  std::string symlink;
  std::atomic<bool> touched{false};  // some delta says something about it: it must stay in memory; no lock
  std::atomic<std::uint64_t> references{0};

  // --- data ---
  MapRef base;                       // in the base layer
  std::size_t owner = kNoDelta;      // the delta whose file is all there is below `sources`
  std::uint64_t limit = UINT64_MAX;  // kLower blocks at or after this are zeros (FORMAT.md: cut)
  bool is_lost = false;              // the data file that holds blocks of it is missing: no hole, and no write may make it one (P3)
  SourceMap sources;
  std::map<std::uint64_t, CloneRef> clones;  // by first block; valid where sources says kCloned

  // --- of the open delta; unused in read-only views ---
  std::uint64_t journaled_size = 0;  // the size that edits may state: its data is durable or below
  std::uint64_t durable_size = 0;    // of a file that the open delta owns: what edits state instead
  RangeSet pending;                  // in the open delta's file, not yet in its journal
  RangeSet syncing;                  // as pending, being made durable by a sync
  std::uint64_t told_size = 0;       // replay: what the last record said that was told before its data
  std::size_t told_in = kNoDelta;    // the delta in whose journal there is one that no cut has taken back since
  bool dirty = false;                // in Branch's list of nodes to flush
  std::uint64_t changes = 0;         // of data or size, counted: tells a sync whether it has seen them all
  bool unsynced_told = false;        // the journal has an unsynced record for all of pending and for the size
  std::atomic<std::size_t> to_write_out{0};  // bytes since the host was last told to begin; no lock
  std::mutex sync_mutex;             // one sync at a time; taken before `mutex`
  BlockNo synced_to;                 // where the last fdatasync's blocks ended (see OpenBranch::prepare_ahead)
  std::uint64_t ahead = 0;           // how many blocks that looks ahead by now
  // Where the journal of delta `recorded_in` last says something about it; no lock, written in this order.
  std::atomic<std::uint64_t> recorded{0};
  std::atomic<std::size_t> recorded_in{kNoDelta};

  // --- directories; guarded by the owner's names lock ---
  struct Name {
    Ino ino;                         // kNoIno: whiteout
    std::uint8_t type = 0;
  };
  std::unordered_map<std::string, Name> names;  // differences from the base layer
  Ino parent;
  bool in_base = false;

  // Without the lock: the type never changes once others can see the node. The permissions beside it do (OpenBranch::setattr).
  [[nodiscard]] std::uint32_t type() const {
    return std::atomic_ref(const_cast<std::uint32_t&>(attr.mode)).load(std::memory_order_relaxed) & S_IFMT;
  }
  [[nodiscard]] bool is_dir() const { return type() == S_IFDIR; }
  [[nodiscard]] bool is_regular() const { return type() == S_IFREG; }
};
using NodePtr = std::shared_ptr<Node>;

// A stretch of a file that comes from one place.
struct Run {
  enum class From : std::uint8_t { zeros, delta, layer };
  From from = From::zeros;
  std::uint64_t count = 0;       // blocks
  std::size_t delta = kNoDelta;  // from delta: its data file …
  Ino ino;                       // … of this inode …
  BlockNo block;                 // … from this block on
  Extent extent;                 // from layer
};

class View {
 public:
  // `stack` newest first. Frozen deltas above the newest layer are replayed; `open_delta` (may be invalid) on top,
  // opened for writing when `writable`.
  static Result<std::unique_ptr<View>> open(std::shared_ptr<Store> store, const std::vector<ObjectId>& stack,
                                            ObjectId open_delta, bool writable);

  [[nodiscard]] Store& store() const { return *store_; }
  [[nodiscard]] const LayerPtr& base() const { return base_; }  // null: the stack has no layer yet
  [[nodiscard]] std::size_t delta_count() const { return delta_count_.load(std::memory_order_acquire); }
  [[nodiscard]] Delta& delta(std::size_t index) const { return *deltas_[index]; }
  Result<std::size_t> add_delta(std::unique_ptr<Delta> delta);
  [[nodiscard]] Ino next_ino() const { return next_ino_; }

  // --- inodes ------------------------------------------------------------------------------------
  // The node, loaded from the base layer if need be; null when there is no such inode.
  Result<NodePtr> node(Ino ino);
  [[nodiscard]] NodePtr cached(Ino ino) const;
  NodePtr add_node(Ino ino);               // a new inode
  Result<NodePtr> reference(Ino ino);      // node(), counting a reference
  // Takes `count` references back; true when none is left (an untouched node is then dropped from memory).
  bool unreference(Ino ino, std::uint64_t count);
  void drop_node(Ino ino);                 // it is gone
  void mark_dead(Ino ino);
  [[nodiscard]] bool is_dead(Ino ino) const;
  [[nodiscard]] std::vector<NodePtr> touched_nodes() const;  // ascending inode numbers

  // --- names (names lock) --------------------------------------------------------------------------
  Result<std::optional<Node::Name>> find(Node& dir, std::string_view name);
  Status for_each_name(Node& dir, const std::function<Status(std::string_view name, Node::Name)>& visit);
  void set_name(Node& dir, const std::string& name, Node::Name value, bool base_has_it);
  Result<bool> base_has(const Node& dir, std::string_view name) const;

  // --- data ----------------------------------------------------------------------------------------
  // The run that starts at `block`; the caller holds the node's lock (shared).
  Result<Run> resolve(const Node& node, BlockNo block, std::uint64_t most);
  // Reads [offset, offset + out.size()) of the node's blocks without regard to its size; takes its lock itself.
  Status read(Node& node, std::uint64_t offset, std::span<std::byte> out);
  Status read_run(const Run& run, Ino ino, BlockNo block, std::uint64_t skip_bytes, std::span<std::byte> out);
  // Next range of a run's data file that may hold anything but zeros (data_ranges.h), in offsets of that file.
  Result<DataRange> next_data(const Run& run, File& file, std::uint64_t offset, std::uint64_t limit) const;
  // Data file of an inode in a delta; null when there is none.
  Result<std::shared_ptr<File>> data_file(std::size_t delta, Ino ino, bool create);
  void forget_file(std::size_t delta, Ino ino) { files_.drop({delta, ino}); }

  // Applies an edit of delta number `index` to the nodes.
  Status apply(const Edit& edit, std::size_t index, Told told);
  // The clone's element, looked up in this stack; EXDEV when it is not there.
  Status resolve_clone(CloneRef& ref);
  static void insert_clone(Node& node, BlockNo first, CloneRef ref);
  static void set_owned(Node& node, std::size_t owner);

 private:
  // What one run of a file's blocks gives to one read.
  struct Piece {
    Run run;
    BlockNo block;            // the run's first, in the file that is read
    std::uint64_t skip = 0;   // bytes of it
    std::span<std::byte> out;
    const Sums* sums = nullptr;  // of what lies in a delta: to be checked against, looked up once
    [[nodiscard]] bool at_once() const;
  };
  // `pieces`: empty; holds what was read from afterwards.
  Status read_pieces(Node& node, std::uint64_t offset, std::span<std::byte> out, std::vector<Piece>& pieces);
  Status read_deltas(std::span<Piece> pieces, Ino ino);
  Status read_delta(const Run& run, const Sums* sums, std::uint64_t skip_bytes, std::span<std::byte> out);
  [[nodiscard]] const Sums* sums_of(const Run& run) const;  // null: its data is read unchecked
  [[nodiscard]] Error missing_data(const Run& run) const;
  [[nodiscard]] Error lost_data(const Node& node, BlockNo block) const;

  View(std::shared_ptr<Store> store, bool writable);
  Status open_stack(const std::vector<ObjectId>& stack, ObjectId open_delta);
  Status replay(ObjectId id, bool writable);
  Status settle_owned_sizes(std::size_t index);
  Status apply_inode(const InodeItem& item, std::size_t index, Told told);
  Status apply_name(const NameItem& item);
  Result<NodePtr> node_to_change(Ino ino);

  std::shared_ptr<Store> store_;
  bool writable_;
  bool replaying_open_ = false;
  LayerPtr base_;
  std::unique_ptr<std::unique_ptr<Delta>[]> deltas_;  // kMaxDeltas slots; filled ones never move
  std::atomic<std::size_t> delta_count_{0};
  Ino next_ino_{2};
  mutable std::shared_mutex nodes_mutex_;             // the next two
  std::unordered_map<Ino, NodePtr> nodes_;
  std::unordered_set<Ino> dead_;                      // inodes of the base layer that are gone
  FileCache files_;
};

}  // namespace branchfs
