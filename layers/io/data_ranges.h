// Where a host file has data (SEEK_DATA, SEEK_HOLE), so that long holes need not be read. Only ever an
// economy: what is in no range reads as zeros. A filesystem that cannot tell gives one range. No state, any
// thread.
#pragma once

#include "layers/io/env.h"

namespace branchfs {

struct DataRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};
// The first range with data at or after `offset`, cut to [offset, limit); empty (begin == end == limit) when
// none is left.
Result<DataRange> next_data(File& file, std::uint64_t offset, std::uint64_t limit);

}  // namespace branchfs
