// The engine's inner loops by themselves: block map, journal, chunks, checksums (Google Benchmark). Files go below TMPDIR, on the
// filesystem whose speed is meant. A counter "per_iteration" says how many items one iteration handles.
#include <benchmark/benchmark.h>
#include <sys/stat.h>
#include <unistd.h>

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

}  // namespace
}  // namespace branchfs

BENCHMARK_MAIN();
