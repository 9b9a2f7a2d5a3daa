// The bytes of a layer file. layers/FORMAT.md §3 is normative; this header is its transcription.
// All integers little-endian (checked at build time); all structs have no padding.
#pragma once

#include <bit>
#include <cstdint>

namespace branchfs {

static_assert(std::endian::native == std::endian::little, "the store's integers are little-endian");

inline constexpr char kLayerMagic[8] = {'B', 'F', 'S', 'L', 'A', 'Y', 'E', 'R'};
inline constexpr char kFooterMagic[8] = {'B', 'F', 'S', 'L', 'F', 'O', 'O', 'T'};
inline constexpr std::uint32_t kLayerVersion = 1;
inline constexpr std::uint64_t kLayerHeaderSize = 4096;
inline constexpr std::uint64_t kIndexAlign = 4096;
inline constexpr std::uint64_t kIndexPage = 65536;       // unit of the index checksums
inline constexpr std::uint32_t kMaxChunkBlocks = 32;     // a chunk holds 1 … 32 blocks
inline constexpr std::uint32_t kDefaultChunkBlocks = 4;  // what writers make
inline constexpr std::uint64_t kMaxIndexSize = 1ULL << 40;
inline constexpr std::uint64_t kMaxDependencies = 4096;
inline constexpr std::uint64_t kMaxNameSize = 255;
inline constexpr std::uint64_t kMaxSymlinkSize = 4095;
inline constexpr std::uint64_t kMaxBlocks = 1ULL << (63 - 13);  // of a file: 2^63 bytes

enum class Codec : std::uint16_t { raw = 1, lz4 = 2 };

struct LayerHeader {
  char magic[8];
  std::uint32_t version;
  std::uint32_t block_size;
  std::uint64_t id_hi;
  std::uint64_t id_lo;
  std::uint64_t features;  // unknown bits: refuse
  std::uint64_t checksum;  // of the 40 bytes before
};
static_assert(sizeof(LayerHeader) == 48);

struct Section {
  std::uint64_t offset;  // from the start of the file; 8-byte aligned
  std::uint64_t count;   // records (text: bytes)
};

struct Footer {
  char magic[8];
  std::uint32_t version;
  std::uint32_t reserved;
  std::uint64_t id_hi;
  std::uint64_t id_lo;
  std::uint64_t index_offset;  // kIndexAlign-aligned; chunks end at or before it
  std::uint64_t index_size;
  std::uint64_t max_ino;
  std::int64_t created;  // seconds since 1970
  Section deps;          // DepRecord
  Section chunks;        // ChunkRecord
  Section inodes;        // InodeRecord, ascending ino
  Section extents;       // ExtentRecord
  Section names;         // NameRecord, ascending (parent, name)
  Section text;          // names and symlink targets
  Section page_sums;     // u64 per kIndexPage of the index; starts where the index ends
  std::uint64_t page_sums_checksum;
  std::uint64_t checksum;  // of the bytes before it
};
static_assert(sizeof(Footer) == 192);

struct DepRecord {
  std::uint64_t id_hi;
  std::uint64_t id_lo;
};

struct ChunkRecord {
  std::uint64_t offset;
  std::uint32_t stored_size;
  std::uint16_t blocks;
  std::uint16_t codec;
  std::uint64_t
      checksum;  // of the stored bytes, seeded with nothing: equal bytes have equal sums (deduplication)
};
static_assert(sizeof(ChunkRecord) == 24);

struct InodeRecord {
  std::uint64_t ino;
  std::uint64_t size;
  std::uint64_t rdev;
  std::int64_t atime_sec, mtime_sec, ctime_sec;
  std::uint32_t atime_nsec, mtime_nsec, ctime_nsec;
  std::uint32_t mode, uid, gid, nlink;
  std::uint32_t map_layer;  // 0: this layer, k: dependency k-1
  std::uint64_t map_first;
  std::uint64_t map_count;
  std::uint64_t symlink_offset;  // into text
  std::uint64_t symlink_size;
};
static_assert(sizeof(InodeRecord) == 112);

struct ExtentRecord {
  std::uint64_t block;
  std::uint32_t count;
  std::uint32_t layer;  // 0: this layer, k: dependency k-1
  std::uint32_t chunk;
  std::uint32_t skip;
};
static_assert(sizeof(ExtentRecord) == 24);

struct NameRecord {
  std::uint64_t parent;
  std::uint64_t ino;
  std::uint64_t name_offset;  // into text
  std::uint32_t name_size;
  std::uint32_t type;
};
static_assert(sizeof(NameRecord) == 32);

}  // namespace branchfs
