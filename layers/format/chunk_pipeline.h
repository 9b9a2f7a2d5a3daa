// Chunks on their way into a layer file: compressed and checksummed by several workers, delivered to one sink
// in the order in which they were submitted.
//
// Owner: a LayerWriter. Threads: one submits; workers and the sink's thread live inside. Bounded: submit()
// waits while the queue is full. The first error of the sink ends the work and is what submit() and drain()
// return from then on.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "layers/format/layer_format.h"
#include "layers/io/env.h"

namespace branchfs {

// Chunks of about a MiB of data together: small enough to keep all workers busy, large enough that locking
// costs nothing.
struct ChunkBatch {
  struct Chunk {
    Ino ino;
    BlockNo block;
    std::uint32_t blocks = 0;
    std::size_t data_offset = 0;
    // Filled in by a worker:
    Codec codec = Codec::raw;
    std::size_t stored_offset = 0;
    std::uint32_t stored_size = 0;
    std::uint64_t checksum = 0;
  };
  std::vector<std::byte> data;
  std::vector<std::byte> compressed;
  std::vector<Chunk> chunks;

  [[nodiscard]] std::span<const std::byte> plain(const Chunk& c) const {
    return std::span(data).subspan(c.data_offset, std::size_t{c.blocks} * kBlockSize);
  }
  [[nodiscard]] std::span<const std::byte> stored(const Chunk& c) const {
    return c.codec == Codec::raw ? plain(c) : std::span(compressed).subspan(c.stored_offset, c.stored_size);
  }
};

class ChunkPipeline {
 public:
  using Sink = std::function<Status(const ChunkBatch&)>;
  ChunkPipeline(unsigned threads, Sink sink);
  ~ChunkPipeline();  // drops what was not delivered
  ChunkPipeline(const ChunkPipeline&) = delete;
  ChunkPipeline& operator=(const ChunkPipeline&) = delete;

  [[nodiscard]] std::unique_ptr<ChunkBatch> empty_batch();  // reuses buffers of delivered ones
  Status submit(std::unique_ptr<ChunkBatch> batch);
  Status drain();  // until everything submitted was delivered

 private:
  struct Item {
    std::unique_ptr<ChunkBatch> batch;
    bool taken = false;
    bool compressed = false;
  };
  void start();
  void work();
  void deliver();
  Status error_locked() const;

  unsigned threads_;
  Sink sink_;
  mutable std::mutex mutex_;  // guards all below
  std::condition_variable work_ready_, head_ready_, room_;
  std::deque<Item> items_;  // a deque: workers keep references to items while others are added
  std::vector<std::unique_ptr<ChunkBatch>> spare_;
  std::optional<Error> error_;
  bool stop_ = false;
  std::vector<std::thread> workers_;  // the last one delivers
};

}  // namespace branchfs
