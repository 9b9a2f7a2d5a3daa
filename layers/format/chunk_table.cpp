#include "layers/format/chunk_table.h"

namespace branchfs {

void ChunkTable::add(std::uint64_t checksum, Place place) {
  if (slots_.empty() || used_ * 3 >= slots_.size() * 2) {
    std::vector<Slot> old(slots_.empty() ? 1024 : slots_.size() * 2);
    old.swap(slots_);
    used_ = 0;
    for (const Slot& slot : old) {
      if (slot.checksum != 0) insert(slot);
    }
  }
  insert({checksum, place});
}

void ChunkTable::insert(const Slot& slot) {
  unsigned equal = 0;
  std::size_t i = slot_of(slot.checksum);
  for (; slots_[i].checksum != 0; i = (i + 1) & (slots_.size() - 1)) {
    if (slots_[i].checksum == slot.checksum && ++equal == kMaxEqual) return;
  }
  slots_[i] = slot;
  ++used_;
}

}  // namespace branchfs
