// What the targets have in common: a store in memory, made once and copied for each input, and mutations of records.
//
// Threads: one. A broken promise is __builtin_trap(): libFuzzer and ctest both see it.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "layers/format/layer.h"
#include "layers/format/layer_writer.h"
#include "tests/fault/memory_env.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace branchfs::fuzz {

using Bytes = std::vector<std::byte>;

inline void expect(bool holds) {
  if (!holds) __builtin_trap();
}
template <class T>
T need(Result<T> result) {
  if (!result) std::fprintf(stderr, "%s\n", result.error().what.c_str());
  expect(result.ok());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

inline std::span<const std::byte> as_span(const std::uint8_t* data, std::size_t size) { return std::as_bytes(std::span(data, size)); }

// The disk as it is before any input is on it. `fill` writes to it once.
class Stage {
 public:
  explicit Stage(void (*fill)(Env& env)) {
    test::MemoryDisk disk;
    test::MemoryEnv env(disk, 1, 1);
    fill(env);
    Keep keep;
    image_ = test::after_cut(disk.image(), keep);
  }
  [[nodiscard]] const test::DiskImage& image() const { return image_; }

 private:
  struct Keep final : test::Fate {
    bool keeps(const test::NameChange&) override { return true; }
    void apply(const test::DataChange& change, std::string& bytes) override {
      if (change.resize) return bytes.resize(change.offset);
      if (bytes.size() < change.offset + change.bytes.size()) bytes.resize(change.offset + change.bytes.size());
      bytes.replace(change.offset, change.bytes.size(), change.bytes);
    }
  };
  test::DiskImage image_;
};

inline void put_file(Env& env, const std::string& path, std::span<const std::byte> bytes) {
  auto file = need(env.open(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
  need(file->write_at(bytes, 0));
  need(file->sync());
}

inline Attr attr_of(std::uint64_t ino, std::uint32_t mode, std::uint64_t size, std::uint32_t nlink = 1) {
  Attr a;
  a.ino = Ino{ino};
  a.mode = mode;
  a.uid = a.gid = 1000;
  a.nlink = nlink;
  a.size = size;
  a.atime = a.mtime = a.ctime = {1'700'000'000, 0};
  return a;
}

// Blocks that compress and differ.
inline Bytes pattern(std::uint64_t seed, std::uint64_t blocks) {
  Bytes out(blocks * kBlockSize, std::byte{1});
  for (std::size_t i = 0; i < out.size(); i += 512) out[i] = static_cast<std::byte>(seed * 31 + i / 512);
  return out;
}

// A layer of five files in two directories and a symbolic link: what inputs refer to.
inline constexpr std::uint64_t kLayerBlocks = 5;  // of each file
inline void write_layer(Env& env, const std::string& path, ObjectId id) {
  LayerWriterOptions options;
  options.threads = 1;
  auto writer = need(LayerWriter::create(env, path, id, std::move(options)));
  need(writer->add_inode(attr_of(1, S_IFDIR | 0700, 0, 3)));
  need(writer->add_inode(attr_of(2, S_IFDIR | 0700, 0, 2)));
  need(writer->add_name(kRootIno, "base", Ino{2}, DT_DIR));
  for (std::uint64_t ino = 3; ino < 8; ++ino) {
    need(writer->add_inode(attr_of(ino, S_IFREG | 0600, kLayerBlocks * kBlockSize - ino)));
    need(writer->add_name(Ino{ino < 5 ? 1U : 2U}, "file" + std::to_string(ino), Ino{ino}, DT_REG));
    Bytes data = pattern(ino, kLayerBlocks);
    std::fill(data.end() - static_cast<std::ptrdiff_t>(ino), data.end(), std::byte{0});
    need(writer->add_data(Ino{ino}, BlockNo{0}, data));
  }
  need(writer->add_inode(attr_of(8, S_IFLNK | 0777, 5), "file3"));
  need(writer->add_name(Ino{2}, "link", Ino{8}, DT_LNK));
  need(writer->finish(1'700'000'000));
}

// --- mutations -----------------------------------------------------------------------------------------

using Random = std::minstd_rand;
inline std::size_t below(Random& random, std::size_t limit) { return limit == 0 ? 0 : random() % limit; }

// Numbers at which bounds go wrong, and small ones, which are references to what is there.
inline std::uint64_t number(Random& random) {
  switch (below(random, 6)) {
    case 0: return below(random, 16);
    case 1: return std::uint64_t{1} << below(random, 64);
    case 2: return (std::uint64_t{1} << below(random, 64)) - 1;
    case 3: return ~below(random, 16);
    case 4: return below(random, 300);
    default: return (std::uint64_t{random()} << 32U) ^ random();
  }
}

// One aligned field becomes another number, or that of another place.
inline void change_field(Random& random, std::span<std::byte> bytes) {
  const std::size_t size = std::size_t{1} << below(random, 4);
  if (bytes.size() < size) return;
  const std::size_t at = below(random, bytes.size() / size) * size;
  std::uint64_t value = number(random);
  if (below(random, 4) == 0) {
    std::memcpy(&value, bytes.data() + at, size);
    value += below(random, 2) == 0 ? 1 : -1;
  } else if (below(random, 4) == 0) {
    std::memcpy(&value, bytes.data() + below(random, bytes.size() / size) * size, size);
  }
  std::memcpy(bytes.data() + at, &value, size);
}

// Anything libFuzzer thinks of.
inline void mutate(Bytes& bytes, std::size_t most) {
  const std::size_t size = bytes.size();
  bytes.resize(std::max(most, size));
  bytes.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(bytes.data()), size, bytes.size()));
}

// Table rows: one is copied, goes, or swaps its place.
inline void shuffle_records(Random& random, Bytes& table, std::size_t record) {
  const std::size_t count = table.size() / record;
  if (count == 0) return table.resize(record);
  const auto at = [&](std::size_t i) { return table.begin() + static_cast<std::ptrdiff_t>(i * record); };
  const std::size_t i = below(random, count);
  const std::size_t k = below(random, count);
  const Bytes one(at(i), at(i + 1));
  switch (below(random, 3)) {
    case 0: table.insert(at(k), one.begin(), one.end()); break;
    case 1: table.erase(at(i), at(i + 1)); break;
    default: std::swap_ranges(at(i), at(i + 1), at(k)); break;
  }
}

inline std::size_t give(const Bytes& bytes, std::uint8_t* data, std::size_t most) {
  const std::size_t size = std::min(bytes.size(), most);
  if (size > 0) std::memcpy(data, bytes.data(), size);
  return size;
}

}  // namespace branchfs::fuzz
