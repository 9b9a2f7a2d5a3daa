#include "layers/format/layer_writer.h"

#include <fcntl.h>

#include <atomic>
#include <cstring>

#include "layers/base/checksum.h"
#include "layers/format/append_buffer.h"
#include "layers/format/chunk_pipeline.h"
#include "layers/format/chunk_table.h"
#include "layers/format/index_builder.h"

namespace branchfs {

namespace {

constexpr std::size_t kBatchSize = 1U << 20U;

bool all_zero(std::span<const std::byte> block) {
  return block[0] == std::byte{0} && std::memcmp(block.data(), block.data() + 1, block.size() - 1) == 0;
}

class Writer final : public LayerWriter {
 public:
  Writer(Env& env, std::string path, ObjectId id, LayerWriterOptions options, std::unique_ptr<File> file)
      : env_(env),
        path_(std::move(path)),
        options_(std::move(options)),
        file_(std::move(file)),
        out_(*file_),
        index_(id),
        pipeline_(options_.threads, [this](const ChunkBatch& batch) { return store(batch); }) {}
  ~Writer() override {
    // Removed while still locked: nobody else can take it for a dead one meanwhile.
    if (!finished_) ignore(env_.unlink(path_));
  }

  Status begin(ObjectId id);
  Status add_data(Ino ino, BlockNo first, std::span<const std::byte> blocks) override;
  Status add_extent(Ino ino, const Extent& extent) override;
  Status keep_map(Ino ino, const MapRef& map) override;
  Status add_inode(const Attr& attr, std::string_view symlink) override {
    return index_.add_inode(attr, symlink);
  }
  Status add_name(Ino parent, std::string_view name, Ino ino, std::uint8_t type) override {
    return index_.add_name(parent, name, ino, type);
  }
  Status finish(std::int64_t created) override;
  [[nodiscard]] LayerWriterStats stats() const override {
    return {data_bytes_, zero_bytes_, shared_bytes_, file_bytes_};
  }

 private:
  struct Stored {
    Ino ino;
    ExtentRecord extent;
  };
  Status submit();
  // In the pipeline's thread:
  Status store(const ChunkBatch& batch);
  bool find_equal(const ChunkBatch::Chunk& c, std::span<const std::byte> stored, ChunkTable::Place& place);
  bool is_equal(const ChunkTable::Place& place, const ChunkBatch::Chunk& c,
                std::span<const std::byte> stored);

  Env& env_;
  std::string path_;
  LayerWriterOptions options_;
  std::unique_ptr<File> file_;
  AppendBuffer out_;
  IndexBuilder index_;
  std::unique_ptr<ChunkBatch> batch_;
  bool finished_ = false;
  std::atomic<std::uint64_t> data_bytes_{0}, zero_bytes_{0}, shared_bytes_{0}, file_bytes_{0};

  // Of the pipeline's thread until it is drained:
  ChunkTable known_;  // Place::layer: 0 is this file, k is options_.dedup_against[k - 1]
  std::vector<ChunkRecord> chunks_;
  std::vector<Stored> stored_;  // .extent.layer as in known_
  std::vector<std::byte> comparison_;

  ChunkPipeline pipeline_;  // last: its threads end before what they use
};

Status Writer::begin(ObjectId id) {
  LayerHeader h{};
  std::memcpy(h.magic, kLayerMagic, sizeof h.magic);
  h.version = kLayerVersion;
  h.block_size = kBlockSize;
  h.id_hi = id.hi;
  h.id_lo = id.lo;
  auto bytes = std::as_bytes(std::span(&h, 1));
  h.checksum = checksum(bytes.first(offsetof(LayerHeader, checksum)));
  BFS_TRY(out_.append(bytes));
  BFS_TRY(out_.pad_to(kLayerHeaderSize));
  for (const LayerPtr& layer : options_.dependencies) {
    BFS_ASSIGN(auto slot, index_.add_layer(layer));
    index_.require_layer(slot);
  }
  for (std::uint32_t k = 0; k < options_.dedup_against.size(); ++k) {
    const Layer& layer = *options_.dedup_against[k];
    for (std::uint32_t i = 0; i < layer.chunk_count(); ++i) {
      auto r = layer.chunk(i);
      if (r) known_.add(r->checksum, {k + 1, i});  // a damaged chunk is no candidate, and no reason to stop
    }
  }
  return {};
}

Status Writer::submit() {
  if (!batch_ || batch_->chunks.empty()) return {};
  return pipeline_.submit(std::move(batch_));
}

Status Writer::add_data(Ino ino, BlockNo first, std::span<const std::byte> blocks) {
  if (blocks.size() % kBlockSize != 0)
    return make_error(Kind::usage, "write a layer: data is not whole blocks");
  data_bytes_ += blocks.size();
  for (BlockNo block = first; !blocks.empty(); ++block.v, blocks = blocks.subspan(kBlockSize)) {
    auto bytes = blocks.first(kBlockSize);
    if (all_zero(bytes)) {
      zero_bytes_ += kBlockSize;
      continue;
    }
    ChunkBatch::Chunk* open = batch_ && !batch_->chunks.empty() ? &batch_->chunks.back() : nullptr;
    // Chunks begin at multiples of their size in the file: the same file imported again gives the same
    // chunks.
    bool continues = open != nullptr && open->ino == ino && open->block.v + open->blocks == block.v &&
                     block.v % options_.chunk_blocks != 0;
    if (!continues) {
      if (batch_ && batch_->data.size() >= kBatchSize) BFS_TRY(submit());
      if (!batch_) batch_ = pipeline_.empty_batch();
      batch_->chunks.push_back({ino, block, 0, batch_->data.size()});
      open = &batch_->chunks.back();
    }
    batch_->data.insert(batch_->data.end(), bytes.begin(), bytes.end());
    ++open->blocks;
  }
  return {};
}

Status Writer::add_extent(Ino ino, const Extent& extent) {
  if (!extent.layer || extent.count == 0) return {};
  if (extent.count > kMaxChunkBlocks)
    return make_error(Kind::usage, "write a layer: an extent is longer than a chunk");
  BFS_ASSIGN(auto slot, index_.add_layer(extent.layer));
  index_.add_extent(
      ino, {extent.block.v, static_cast<std::uint32_t>(extent.count), slot, extent.chunk, extent.skip});
  return {};
}

Status Writer::keep_map(Ino ino, const MapRef& map) {
  if (!map.layer || map.count == 0) return {};
  BFS_ASSIGN(auto slot, index_.add_layer(map.layer));
  index_.keep_map(ino, slot, map);
  return {};
}

bool Writer::is_equal(const ChunkTable::Place& place, const ChunkBatch::Chunk& c,
                      std::span<const std::byte> stored) {
  auto same_shape = [&](const ChunkRecord& r) {
    return r.checksum == c.checksum && r.stored_size == c.stored_size && r.blocks == c.blocks &&
           r.codec == static_cast<std::uint16_t>(c.codec);
  };
  if (place.layer == 0) {
    const ChunkRecord& r = chunks_[place.chunk];
    comparison_.resize(c.stored_size);
    if (!same_shape(r) || !out_.read_back(r.offset, comparison_)) return false;
  } else {
    const Layer& layer = *options_.dedup_against[place.layer - 1];
    auto r = layer.chunk(place.chunk);
    if (!r || !same_shape(*r)) return false;
    auto bytes = layer.stored_bytes(place.chunk);
    if (!bytes) return false;  // damaged there: store it here
    comparison_ = *std::move(bytes);
  }
  return std::memcmp(comparison_.data(), stored.data(), stored.size()) == 0;
}

bool Writer::find_equal(const ChunkBatch::Chunk& c, std::span<const std::byte> stored,
                        ChunkTable::Place& place) {
  return known_.find(c.checksum, [&](const ChunkTable::Place& candidate) {
    if (!is_equal(candidate, c, stored)) return false;
    place = candidate;
    return true;
  });
}

Status Writer::store(const ChunkBatch& batch) {
  for (const auto& c : batch.chunks) {
    auto stored = batch.stored(c);
    ChunkTable::Place place;
    if (find_equal(c, stored, place)) {
      shared_bytes_ += std::uint64_t{c.blocks} * kBlockSize;
    } else {
      if (chunks_.size() == UINT32_MAX)
        return make_error(Kind::failed, "write a layer: too many chunks in one layer");
      place = {0, static_cast<std::uint32_t>(chunks_.size())};
      chunks_.push_back({out_.position(), c.stored_size, static_cast<std::uint16_t>(c.blocks),
                         static_cast<std::uint16_t>(c.codec), c.checksum});
      if (options_.dedup_within) known_.add(c.checksum, place);
      BFS_TRY(out_.append(stored));
      BFS_TRY(out_.pad_to(8));
    }
    stored_.push_back({c.ino, {c.block.v, c.blocks, place.layer, place.chunk, 0}});
  }
  return {};
}

Status Writer::finish(std::int64_t created) {
  BFS_TRY(submit());
  BFS_TRY(pipeline_.drain());
  std::vector<std::uint32_t> slots{0};
  for (const LayerPtr& layer : options_.dedup_against) {
    BFS_ASSIGN(auto slot, index_.add_layer(layer));
    slots.push_back(slot);
  }
  for (Stored& s : stored_) {
    s.extent.layer = slots[s.extent.layer];
    index_.add_extent(s.ino, s.extent);
  }
  stored_ = {};
  BFS_TRY(index_.write(out_, chunks_, created));
  BFS_TRY(out_.flush());
  BFS_TRY(file_->sync());
  file_bytes_ = out_.position();
  finished_ = true;
  return {};
}

// Nobody else writes a file of that name: ids are random, and packers of one delta come one after the other. What
// is there may be what a crash left, and gc, which collects such files, locks each for a moment to see whether it
// is one: wait for that. The name may have gone by then: try again.
Result<std::unique_ptr<File>> open_locked(Env& env, const std::string& path) {
  for (;;) {
    BFS_ASSIGN(auto file, env.open(path, O_RDWR | O_CREAT));
    BFS_TRY(file->lock(LockMode::exclusive));
    BFS_ASSIGN(auto mine, file->stat());
    auto named = env.stat(path);
    if (!named && named.error().sys != ENOENT) return std::move(named).error();
    if (!named || named->st_ino != mine.st_ino || named->st_dev != mine.st_dev) continue;
    BFS_TRY(file->truncate(0));
    return file;
  }
}

}  // namespace

Result<std::unique_ptr<LayerWriter>> LayerWriter::create(Env& env, std::string path, ObjectId id,
                                                         LayerWriterOptions options) {
  if (!id.valid() || options.chunk_blocks == 0 || options.chunk_blocks > kMaxChunkBlocks) {
    return make_error(Kind::usage, "write a layer: impossible id or chunk size");
  }
  BFS_ASSIGN(auto file, open_locked(env, path));
  auto writer = std::make_unique<Writer>(env, std::move(path), id, std::move(options), std::move(file));
  BFS_TRY(writer->begin(id));
  return std::unique_ptr<LayerWriter>(std::move(writer));
}

}  // namespace branchfs
