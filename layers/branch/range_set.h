// A set of block numbers as disjoint ranges. Plain value; no threads.
#pragma once

#include <algorithm>
#include <map>
#include <vector>

#include "layers/base/types.h"

namespace branchfs {

class RangeSet {
 public:
  void add(BlockRange range) {
    if (range.count == 0) return;
    std::uint64_t first = range.first.v;
    std::uint64_t end = range.end();
    auto it = ranges_.upper_bound(first);
    if (it != ranges_.begin() && std::prev(it)->second >= first) --it;
    while (it != ranges_.end() && it->first <= end) {
      first = std::min(first, it->first);
      end = std::max(end, it->second);
      it = ranges_.erase(it);
    }
    ranges_[first] = end;
  }
  void add(const RangeSet& other) {
    for (auto [first, end] : other.ranges_) add(BlockRange{BlockNo{first}, end - first});
  }
  void erase(BlockRange range) {
    std::uint64_t first = range.first.v;
    std::uint64_t end = range.end();
    auto it = ranges_.upper_bound(first);
    if (it != ranges_.begin()) --it;
    while (it != ranges_.end() && it->first < end) {
      auto [from, to] = *it;
      if (to <= first) {
        ++it;
        continue;
      }
      it = ranges_.erase(it);
      if (from < first) ranges_[from] = first;
      if (to > end) ranges_[end] = to;
    }
  }
  void erase_from(BlockNo from) { erase({from, UINT64_MAX - from.v}); }
  void clear() { ranges_.clear(); }
  [[nodiscard]] bool empty() const { return ranges_.empty(); }
  [[nodiscard]] std::size_t range_count() const { return ranges_.size(); }
  [[nodiscard]] std::vector<BlockRange> to_vector() const {
    std::vector<BlockRange> out;
    out.reserve(ranges_.size());
    for (auto [first, end] : ranges_) out.push_back({BlockNo{first}, end - first});
    return out;
  }

 private:
  std::map<std::uint64_t, std::uint64_t> ranges_;  // first → end
};

}  // namespace branchfs
