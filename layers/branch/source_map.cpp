#include "layers/branch/source_map.h"

#include <algorithm>

namespace branchfs {

Source SourceMap::at(BlockNo block) const {
  auto it = leaves_.find(block.v / kLeaf);
  return it == leaves_.end() ? kLower : it->second.at(block.v % kLeaf);
}

SourceMap::Run SourceMap::run(BlockNo block, std::uint64_t most) const {
  Run run{at(block), 0};
  auto it = leaves_.lower_bound(block.v / kLeaf);
  std::uint64_t at_block = block.v;
  std::uint64_t end = block.v + most;
  while (at_block < end) {
    if (it == leaves_.end() || it->first > at_block / kLeaf) {  // a gap: all kLower
      if (run.source != kLower) break;
      at_block = it == leaves_.end() ? end : std::min(end, it->first * kLeaf);
      continue;
    }
    const Leaf& leaf = it->second;
    std::uint64_t leaf_end = std::min(end, (it->first + 1) * kLeaf);
    if (!leaf.blocks) {
      if (leaf.uniform != run.source) break;
      at_block = leaf_end;
    } else {
      while (at_block < leaf_end && (*leaf.blocks)[at_block % kLeaf] == run.source) ++at_block;
      if (at_block < leaf_end) break;
    }
    ++it;
  }
  run.count = at_block - block.v;
  return run;
}

void SourceMap::set(BlockRange range, Source source) {
  std::uint64_t at_block = range.first.v;
  while (at_block < range.end()) {
    std::uint64_t number = at_block / kLeaf;
    std::uint64_t leaf_end = std::min(range.end(), (number + 1) * kLeaf);
    Leaf& leaf = leaves_[number];
    if (leaf_end - at_block == kLeaf) {
      leaf.blocks.reset();
      leaf.uniform = source;
    } else if (leaf.blocks || leaf.uniform != source) {
      if (!leaf.blocks) {
        leaf.blocks = std::make_unique<std::array<Source, kLeaf>>();
        leaf.blocks->fill(leaf.uniform);
      }
      std::fill(leaf.blocks->begin() + static_cast<std::ptrdiff_t>(at_block % kLeaf),
                leaf.blocks->begin() + static_cast<std::ptrdiff_t>((leaf_end - 1) % kLeaf + 1), source);
    }
    at_block = leaf_end;
  }
}

void SourceMap::clear_from(BlockNo from) {
  auto it = leaves_.lower_bound(from.v / kLeaf);
  if (it != leaves_.end() && it->first == from.v / kLeaf && from.v % kLeaf != 0) {
    set({from, kLeaf - from.v % kLeaf}, kLower);
    ++it;
  }
  leaves_.erase(it, leaves_.end());
}

std::uint64_t SourceMap::count(Source source, std::uint64_t end) const {
  std::uint64_t total = 0;
  for (const auto& [number, leaf] : leaves_) {
    std::uint64_t first = number * kLeaf;
    if (first >= end) break;
    std::uint64_t size = std::min(kLeaf, end - first);
    if (!leaf.blocks) {
      total += leaf.uniform == source ? size : 0;
    } else {
      total += static_cast<std::uint64_t>(
          std::count(leaf.blocks->begin(), leaf.blocks->begin() + static_cast<std::ptrdiff_t>(size), source));
    }
  }
  return total;
}

bool SourceMap::any_from(BlockNo from, Source source) const {
  for (auto it = leaves_.lower_bound(from.v / kLeaf); it != leaves_.end(); ++it) {
    std::uint64_t skip = it->first == from.v / kLeaf ? from.v % kLeaf : 0;
    for (std::uint64_t i = skip; i < kLeaf; ++i) {
      if (it->second.at(i) == source) return true;
      if (!it->second.blocks) break;
    }
  }
  return false;
}

}  // namespace branchfs
