// For each block of an inode: which element of the stack holds it. Dense where a file was touched, absent elsewhere.
//
// 2 bytes per block in leaves of 1,024 blocks (8 MiB of file); a leaf whose blocks all agree is one word. Owner: a
// Node, under its lock. Source numbers: see Source.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>

#include "layers/base/types.h"

namespace branchfs {

// Where a block comes from. A delta's number is its place in the view, oldest 0.
struct Source {
  std::uint16_t v = 0;
  bool operator==(const Source&) const = default;
  static constexpr std::uint16_t kFirstDelta = 3;
  static Source delta(std::size_t index) { return {static_cast<std::uint16_t>(kFirstDelta + index)}; }
  [[nodiscard]] bool is_delta() const { return v >= kFirstDelta; }
  [[nodiscard]] std::size_t index() const { return v - kFirstDelta; }
};
inline constexpr Source kLower{0};  // what lies below every touch: the owner's file or the base layer
inline constexpr Source kZeros{1};
inline constexpr Source kCloned{2};  // see Node::clones
inline constexpr std::size_t kMaxDeltas = 65'000;

class SourceMap {
 public:
  [[nodiscard]] Source at(BlockNo block) const;
  // The source of `block` and for how many blocks (at most `most`) it stays the same.
  struct Run {
    Source source;
    std::uint64_t count = 0;
  };
  [[nodiscard]] Run run(BlockNo block, std::uint64_t most) const;
  void set(BlockRange range, Source source);
  void clear_from(BlockNo from);
  void clear() { leaves_.clear(); }
  [[nodiscard]] bool empty() const { return leaves_.empty(); }
  // How many blocks of [0, end) have this source; whether any at or after `from` has.
  [[nodiscard]] std::uint64_t count(Source source, std::uint64_t end) const;
  [[nodiscard]] bool any_from(BlockNo from, Source source) const;

 private:
  static constexpr std::uint64_t kLeaf = 1024;
  struct Leaf {
    Source uniform;
    std::unique_ptr<std::array<Source, kLeaf>> blocks;  // null: all are `uniform`
    [[nodiscard]] Source at(std::uint64_t i) const { return blocks ? (*blocks)[i] : uniform; }
  };
  std::map<std::uint64_t, Leaf> leaves_;  // by block / kLeaf
};

}  // namespace branchfs
