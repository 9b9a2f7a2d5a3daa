#include "layers/format/chunk_pipeline.h"

#include <lz4.h>

#include <algorithm>

#include "layers/base/checksum.h"

namespace branchfs {

namespace {

void compress(ChunkBatch& batch, void* state) {
  batch.compressed.resize(batch.data.size());
  std::size_t at = 0;
  for (auto& c : batch.chunks) {
    auto plain = batch.plain(c);
    // One byte less than raw: what does not fit is not smaller, and is stored raw.
    int size =
        LZ4_compress_fast_extState(state, reinterpret_cast<const char*>(plain.data()),
                                   reinterpret_cast<char*>(batch.compressed.data() + at),
                                   static_cast<int>(plain.size()), static_cast<int>(plain.size() - 1), 1);
    c.codec = size > 0 ? Codec::lz4 : Codec::raw;
    c.stored_offset = at;
    c.stored_size = size > 0 ? static_cast<std::uint32_t>(size) : static_cast<std::uint32_t>(plain.size());
    c.checksum = checksum(batch.stored(c));
    if (size > 0) at += static_cast<std::size_t>(size);
  }
}

}  // namespace

ChunkPipeline::ChunkPipeline(unsigned threads, Sink sink)
    : threads_(threads != 0 ? threads : std::max(1U, std::thread::hardware_concurrency())),
      sink_(std::move(sink)) {}

ChunkPipeline::~ChunkPipeline() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_ready_.notify_all();
  head_ready_.notify_all();
  for (auto& worker : workers_) worker.join();
}

Status ChunkPipeline::error_locked() const {
  if (error_) return *error_;
  return {};
}

std::unique_ptr<ChunkBatch> ChunkPipeline::empty_batch() {
  std::lock_guard lock(mutex_);
  if (spare_.empty()) return std::make_unique<ChunkBatch>();
  auto batch = std::move(spare_.back());
  spare_.pop_back();
  return batch;
}

void ChunkPipeline::start() {
  for (unsigned i = 0; i < threads_; ++i) workers_.emplace_back([this] { work(); });
  workers_.emplace_back([this] { deliver(); });
}

Status ChunkPipeline::submit(std::unique_ptr<ChunkBatch> batch) {
  if (workers_.empty()) start();
  std::unique_lock lock(mutex_);
  room_.wait(lock, [&] { return items_.size() < 2 * std::size_t{threads_} + 2 || error_; });
  BFS_TRY(error_locked());
  items_.push_back({std::move(batch)});
  lock.unlock();
  work_ready_.notify_one();
  return {};
}

Status ChunkPipeline::drain() {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [&] { return items_.empty() || error_; });
  return error_locked();
}

void ChunkPipeline::work() {
  std::vector<std::byte> state(static_cast<std::size_t>(LZ4_sizeofState()) + 16);
  void* aligned = state.data();
  std::size_t space = state.size();
  std::align(16, static_cast<std::size_t>(LZ4_sizeofState()), aligned, space);
  std::unique_lock lock(mutex_);
  for (;;) {
    auto next = items_.end();
    work_ready_.wait(lock, [&] {
      next = std::find_if(items_.begin(), items_.end(), [](const Item& i) { return !i.taken; });
      return stop_ || next != items_.end();
    });
    if (stop_) return;
    next->taken = true;
    Item& item = *next;
    lock.unlock();
    compress(*item.batch, aligned);
    lock.lock();
    item.compressed = true;
    if (items_.front().compressed) head_ready_.notify_one();
  }
}

void ChunkPipeline::deliver() {
  std::unique_lock lock(mutex_);
  for (;;) {
    head_ready_.wait(lock, [&] { return stop_ || (!items_.empty() && items_.front().compressed); });
    if (stop_) return;
    ChunkBatch& batch = *items_.front().batch;
    lock.unlock();
    Status status = sink_(batch);
    lock.lock();
    if (!status) {
      error_ = std::move(status).error();
      lock.unlock();
      room_.notify_all();
      return;
    }
    auto used = std::move(items_.front().batch);
    items_.pop_front();
    used->data.clear();
    used->chunks.clear();
    spare_.push_back(std::move(used));
    room_.notify_all();
  }
}

}  // namespace branchfs
