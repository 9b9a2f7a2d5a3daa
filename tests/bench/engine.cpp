// The engine's inner loops by themselves: block map, journal, chunks, checksums (Google Benchmark). Files go below TMPDIR, on the
// filesystem whose speed is meant. A counter "per_iteration" says how many items one iteration handles.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <liburing.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "layers/base/checksum.h"
#include "layers/branch/source_map.h"
#include "layers/delta/edit.h"
#include "layers/delta/journal.h"
#include "layers/format/layer_writer.h"
#include "layers/io/host_ring.h"

namespace branchfs {
namespace {

constexpr std::uint64_t kGibBlocks = (std::uint64_t{1} << 30) / kBlockSize;
constexpr Ino kFile{2};

template <class T>
T must(Result<T> result) {
  if (result.ok()) return *std::move(result);
  std::fprintf(stderr, "engine-bench: %s\n", result.error().what.c_str());
  std::exit(1);
}
void must(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "engine-bench: %s\n", status.error().what.c_str());
  std::exit(1);
}

class Scratch {
 public:
  Scratch() {
    const char* tmp = std::getenv("TMPDIR");
    path_ = std::string(tmp != nullptr ? tmp : "/tmp") + "/engine-bench.XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) std::exit(1);
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] std::string file(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::vector<BlockNo> random_blocks() {
  std::mt19937_64 random(1);
  std::vector<BlockNo> blocks(4096);
  for (BlockNo& block : blocks) block = BlockNo{random() % kGibBlocks};
  return blocks;
}

void lookups(benchmark::State& state, const SourceMap& map) {
  const auto blocks = random_blocks();
  std::size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(map.at(blocks[i++ % blocks.size()]));
}

void map_lookup_uniform(benchmark::State& state) { lookups(state, SourceMap{}); }
BENCHMARK(map_lookup_uniform);

void map_lookup_mixed(benchmark::State& state) {
  SourceMap map;
  std::mt19937_64 random(2);
  for (int i = 0; i < 100'000; ++i) map.set({BlockNo{random() % kGibBlocks}, 1}, Source::delta(random() % 3));
  lookups(state, map);
}
BENCHMARK(map_lookup_mixed);

void map_set(benchmark::State& state) {
  SourceMap map;
  const auto blocks = random_blocks();
  std::size_t i = 0;
  for (auto _ : state) {
    map.set({blocks[i % blocks.size()], 1}, Source::delta((i / blocks.size()) & 1));
    ++i;
  }
}
BENCHMARK(map_set);

std::vector<std::byte> present(BlockNo block) {
  Edit edit;
  edit.presents.push_back({kFile, {{block, 1}}});
  return edit.encode();
}

Status ignore(RecordType, std::span<const std::byte>) { return {}; }

void append(benchmark::State& state, bool synced) {
  const Scratch scratch;
  const ObjectId id{1, 2};
  must(Journal::create(posix_env(), scratch.file("journal"), id));
  auto journal = must(Journal::open(posix_env(), scratch.file("journal"), id, true, ignore));
  std::uint64_t block = 0;
  for (auto _ : state) {
    const auto position = journal->append(RecordType::edit, present(BlockNo{block++}));
    if (synced) must(journal->sync(position));
    else if (block % 256 == 0) must(journal->flush());
  }
}
void journal_append(benchmark::State& state) { append(state, false); }
BENCHMARK(journal_append);
void journal_append_sync(benchmark::State& state) { append(state, true); }
BENCHMARK(journal_append_sync)->UseRealTime();

void journal_replay(benchmark::State& state) {
  const Scratch scratch;
  const ObjectId id{1, 2};
  constexpr int kRecords = 20'000;
  must(Journal::create(posix_env(), scratch.file("journal"), id));
  {
    auto journal = must(Journal::open(posix_env(), scratch.file("journal"), id, true, ignore));
    JournalPosition end = 0;
    for (int i = 0; i < kRecords; ++i) end = journal->append(RecordType::edit, present(BlockNo{static_cast<std::uint64_t>(i) * 7}));
    must(journal->sync(end));
  }
  for (auto _ : state) {
    SourceMap map;
    must(Journal::open(posix_env(), scratch.file("journal"), id, false, [&](RecordType, std::span<const std::byte> payload) -> Status {
      BFS_ASSIGN(const Edit edit, Edit::decode(payload));
      for (const PresentItem& item : edit.presents)
        for (const BlockRange& range : item.ranges) map.set(range, Source::delta(0));
      return {};
    }));
    benchmark::DoNotOptimize(map.empty());
  }
  state.counters["per_iteration"] = kRecords;
}
BENCHMARK(journal_replay);

// A file of `blocks` blocks, half of each of which compresses.
class OneFileLayer {
 public:
  explicit OneFileLayer(std::uint64_t blocks)
      : set_(posix_env(), [this](ObjectId) { return scratch_.file("layer"); }) {
    const ObjectId id{3, 4};
    auto writer = must(LayerWriter::create(posix_env(), scratch_.file("layer"), id, {}));
    std::mt19937_64 random(3);
    std::vector<std::byte> block(kBlockSize);
    for (std::uint64_t i = 0; i < blocks; ++i) {
      for (std::size_t at = 0; at < kBlockSize / 2; at += 8) {
        const std::uint64_t word = random();
        std::memcpy(block.data() + at, &word, sizeof word);
      }
      must(writer->add_data(kFile, BlockNo{i}, block));
    }
    Attr attr;
    attr.ino = kRootIno;
    attr.mode = S_IFDIR | 0755;
    attr.nlink = 2;
    must(writer->add_inode(attr));
    attr.ino = kFile;
    attr.mode = S_IFREG | 0644;
    attr.nlink = 1;
    attr.size = blocks * kBlockSize;
    must(writer->add_inode(attr));
    must(writer->add_name(kRootIno, "file", kFile, 8));
    must(writer->finish(0));
    layer_ = must(set_.open(id));
  }
  [[nodiscard]] const Layer& layer() const { return *layer_; }

 private:
  Scratch scratch_;
  LayerSet set_;
  LayerPtr layer_;
};

void layer_extent(benchmark::State& state) {
  const OneFileLayer one(16'384);
  const MapRef map = must(one.layer().inode(kFile))->map;
  const auto blocks = random_blocks();
  std::size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(must(Layer::extent_at(map, BlockNo{blocks[i++ % blocks.size()].v % 16'384})));
}
BENCHMARK(layer_extent);

void read_chunks(benchmark::State& state, std::uint64_t blocks) {
  const OneFileLayer one(4096);
  std::vector<std::byte> out(blocks * kBlockSize);
  std::uint32_t chunk = 0;
  for (auto _ : state) {
    must(one.layer().read_chunk(chunk, 0, blocks, out));
    chunk = (chunk + 1) % static_cast<std::uint32_t>(one.layer().chunk_count());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(out.size()));
}
void chunk_read(benchmark::State& state) { read_chunks(state, kDefaultChunkBlocks); }
BENCHMARK(chunk_read);
void chunk_read_block(benchmark::State& state) { read_chunks(state, 1); }
BENCHMARK(chunk_read_block);

void checksums(benchmark::State& state, std::size_t size) {
  std::vector<std::byte> bytes(size, std::byte{7});
  for (auto _ : state) benchmark::DoNotOptimize(checksum(bytes));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(size));
}
void checksum_8k(benchmark::State& state) { checksums(state, kBlockSize); }
BENCHMARK(checksum_8k);
void checksum_128k(benchmark::State& state) { checksums(state, std::size_t{128} << 10); }
BENCHMARK(checksum_128k);

// --- host files: system calls one after the other, and one submission to io_uring ---------------------

class HostFiles {
 public:
  HostFiles(std::size_t count, std::size_t bytes) {
    const std::vector<std::byte> content(bytes, std::byte{7});
    for (std::size_t i = 0; i < count; ++i) {
      files_.push_back(must(posix_env().open(scratch_.file(std::to_string(i).c_str()), O_RDWR | O_CREAT | O_EXCL)));
      must(files_.back()->write_at(content, 0));
      must(files_.back()->sync());
    }
  }
  [[nodiscard]] File& operator[](std::size_t i) const { return *files_[i]; }
  [[nodiscard]] std::vector<File*> all() const {
    std::vector<File*> out;
    for (const auto& file : files_) out.push_back(file.get());
    return out;
  }

 private:
  Scratch scratch_;
  std::vector<std::unique_ptr<File>> files_;
};

void sync_files(benchmark::State& state, bool at_once) {
  const HostFiles files(64, 64U << 10U);
  const std::vector<File*> all = files.all();
  const std::vector<std::byte> block(kBlockSize, std::byte{8});
  for (auto _ : state) {
    state.PauseTiming();
    for (File* file : all) must(file->write_at(block, 0));
    state.ResumeTiming();
    if (at_once) {
      must(posix_env().sync_data(all));
    } else {
      must(posix_env().Env::sync_data(all));
    }
  }
}
void sync_64_files(benchmark::State& state) { sync_files(state, false); }
BENCHMARK(sync_64_files)->UseRealTime();
void sync_64_files_at_once(benchmark::State& state) { sync_files(state, true); }
BENCHMARK(sync_64_files_at_once)->UseRealTime();

void write_and_sync(benchmark::State& state) {
  const HostFiles files(1, 1U << 20U);
  const std::vector<std::byte> block(kBlockSize, std::byte{8});
  for (auto _ : state) {
    must(files[0].write_at(block, 0));
    must(files[0].sync_data());
  }
}
BENCHMARK(write_and_sync)->UseRealTime();
void write_and_sync_linked(benchmark::State& state) {
  const HostFiles files(1, 1U << 20U);
  const std::vector<std::byte> block(kBlockSize, std::byte{8});
  ::io_uring ring{};
  if (::io_uring_queue_init(8, &ring, 0) != 0) return state.SkipWithError("no io_uring here");
  for (auto _ : state) {
    ::io_uring_sqe* write = ::io_uring_get_sqe(&ring);
    ::io_uring_prep_write(write, files[0].fd(), block.data(), kBlockSize, 0);
    ::io_uring_sqe_set_flags(write, IOSQE_IO_LINK);
    ::io_uring_prep_fsync(::io_uring_get_sqe(&ring), files[0].fd(), IORING_FSYNC_DATASYNC);
    ::io_uring_submit_and_wait(&ring, 2);
    for (int i = 0; i < 2; ++i) {
      ::io_uring_cqe* done = nullptr;
      ::io_uring_wait_cqe(&ring, &done);
      if (done->res < 0) std::exit(1);
      ::io_uring_cqe_seen(&ring, done);
    }
  }
  ::io_uring_queue_exit(&ring);
}
BENCHMARK(write_and_sync_linked)->UseRealTime();

// 16 blocks that lie apart, as a read of 128 KiB meets them in a delta after scattered updates.
void scattered(benchmark::State& state, bool at_once, bool cold) {
  constexpr std::size_t kPieces = 16;
  constexpr std::size_t kSize = std::size_t{64} << 20U;
  const HostFiles files(1, kSize);
  std::vector<std::byte> out(kPieces * kBlockSize);
  std::mt19937_64 random(1);
  for (auto _ : state) {
    state.PauseTiming();
    if (cold) ::posix_fadvise(files[0].fd(), 0, 0, POSIX_FADV_DONTNEED);
    std::array<std::uint64_t, kPieces> at{};
    for (std::uint64_t& offset : at) offset = random() % (kSize / kBlockSize) * kBlockSize;
    state.ResumeTiming();
    HostRing* ring = at_once ? HostRing::of_this_thread() : nullptr;
    if (at_once && ring == nullptr) return state.SkipWithError("no io_uring here");
    std::array<HostRing::Op, kPieces> ops;
    for (std::size_t i = 0; i < kPieces; ++i) {
      const std::span<std::byte> piece = std::span(out).subspan(i * kBlockSize, kBlockSize);
      if (at_once) {
        ops[i] = {HostRing::Op::Kind::read, files[0].fd(), piece, at[i], HostRing::kNeverRan};
      } else {
        must(files[0].read_at(piece, at[i]));
      }
    }
    if (at_once) ring->run(ops);
  }
}
void read_16_apart(benchmark::State& state) { scattered(state, false, false); }
BENCHMARK(read_16_apart)->UseRealTime();
void read_16_apart_at_once(benchmark::State& state) { scattered(state, true, false); }
BENCHMARK(read_16_apart_at_once)->UseRealTime();
void read_16_apart_cold(benchmark::State& state) { scattered(state, false, true); }
BENCHMARK(read_16_apart_cold)->UseRealTime();
void read_16_apart_cold_at_once(benchmark::State& state) { scattered(state, true, true); }
BENCHMARK(read_16_apart_cold_at_once)->UseRealTime();

}  // namespace
}  // namespace branchfs

BENCHMARK_MAIN();
