#include "layers/io/data_ranges.h"

#include <unistd.h>

#include <algorithm>

namespace branchfs {

Result<DataRange> next_data(File& file, std::uint64_t offset, std::uint64_t limit) {
  auto data = file.seek(offset, SEEK_DATA);
  if (!data && data.error().sys == ENXIO) return DataRange{limit, limit};
  if (!data && data.error().sys == EINVAL) return DataRange{offset, limit};
  if (!data) return std::move(data).error();
  if (*data >= limit) return DataRange{limit, limit};
  BFS_ASSIGN(std::uint64_t hole, file.seek(*data, SEEK_HOLE));
  return DataRange{*data, std::min(hole, limit)};
}

}  // namespace branchfs
