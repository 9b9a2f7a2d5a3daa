// Layers for tests: a directory that goes away, patterns as data, small trees.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "layers/format/layer.h"
#include "layers/format/layer_writer.h"
#include "tests/catch.h"
#include "tests/support/must.h"

namespace branchfs::test {

class TempDir {
 public:
  TempDir() {
    const char* base = std::getenv("TMPDIR");
    path_ = std::string(base != nullptr ? base : "/tmp") + "/branchfs-format-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) FAIL("mkdtemp " << path_);
  }
  ~TempDir() { ignore(posix_env().remove_tree(path_)); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string layer(ObjectId id) const { return path_ + "/" + id.hex() + ".layer"; }
  [[nodiscard]] std::function<std::string(ObjectId)> path_of() const {
    return [this](ObjectId id) { return layer(id); };
  }

 private:
  std::string path_;
};

using Bytes = std::vector<std::byte>;

// Blocks that compress to about half and are equal exactly when the seeds are.
inline Bytes pattern(std::uint64_t seed, std::uint64_t blocks) {
  Bytes out(blocks * kBlockSize);
  std::uint64_t x = seed * 0x9E3779B97F4A7C15ULL + 1;
  for (std::size_t i = 0; i < out.size(); ++i) {
    x = x * 6364136223846793005ULL + 1442695040888963407ULL;
    out[i] = i % 2 == 0 ? std::byte{1} : static_cast<std::byte>(x >> 56U);
  }
  return out;
}
inline Bytes noise(std::uint64_t seed, std::uint64_t blocks) {  // does not compress
  Bytes out(blocks * kBlockSize);
  std::uint64_t x = seed + 88172645463325252ULL;
  for (auto& b : out) {
    x ^= x << 13U;
    x ^= x >> 7U;
    x ^= x << 17U;
    b = static_cast<std::byte>(x >> 32U);
  }
  return out;
}
inline Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
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

inline std::unique_ptr<LayerWriter> writer_for(const TempDir& dir, ObjectId id,
                                               LayerWriterOptions options = {}) {
  options.threads = options.threads == 0 ? 2 : options.threads;
  auto writer = must(LayerWriter::create(posix_env(), dir.layer(id), id, std::move(options)));
  must(writer->add_inode(attr_of(1, S_IFDIR | 0700, 0, 2)));
  return writer;
}
inline void add_file(LayerWriter& writer, std::uint64_t ino, const std::string& name, std::uint64_t blocks) {
  must(writer.add_inode(attr_of(ino, S_IFREG | 0600, blocks * kBlockSize)));
  must(writer.add_name(kRootIno, name, Ino{ino}, DT_REG));
}

inline Result<Bytes> read_blocks(const MapRef& map, std::uint64_t first, std::uint64_t count) {
  Bytes out(count * kBlockSize);
  for (std::uint64_t done = 0; done < count;) {
    BFS_ASSIGN(auto extent, Layer::extent_at(map, BlockNo{first + done}));
    std::uint64_t n = std::min(extent.count, count - done);
    if (n == 0) return make_error(Kind::failed, "an extent of no blocks");
    if (extent.layer) {
      auto part = std::span(out).subspan(done * kBlockSize, n * kBlockSize);
      BFS_TRY(extent.layer->read_chunk(extent.chunk, extent.skip, n, part));
    }
    done += n;
  }
  return out;
}
inline Bytes file_of(const Layer& layer, std::uint64_t ino) {
  auto node = must(layer.inode(Ino{ino}));
  REQUIRE(node.has_value());
  return must(read_blocks(node->map, 0, blocks_for(node->attr.size)));
}

inline Bytes slurp(const std::string& path) {
  auto file = must(posix_env().open(path, O_RDONLY));
  Bytes out(static_cast<std::size_t>(must(file->stat()).st_size));
  REQUIRE(must(file->read_at(out, 0)) == out.size());
  return out;
}
inline void spill(const std::string& path, std::span<const std::byte> bytes) {
  // Not O_TRUNC: ext4 then writes to disk at close, which takes a test with thousands of files from 2 s to 30
  // s.
  auto file = must(posix_env().open(path, O_RDWR | O_CREAT));
  must(file->write_at(bytes, 0));
  must(file->truncate(bytes.size()));
}

inline std::vector<std::string> problems_of(const Layer& layer) {
  std::vector<std::string> lines;
  auto count = must(layer.verify([&](const std::string& line) { lines.push_back(line); }));
  REQUIRE(count == lines.size());
  return lines;
}

}  // namespace branchfs::test
