#include "layers/io/descriptors.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

namespace branchfs {
namespace {

struct Keepers {
  std::mutex mutex;
  std::vector<SpareDescriptors*> all;
};

// Never destroyed: files are opened until the process ends.
Keepers& keepers() {
  static auto& instance = *new Keepers;
  return instance;
}

std::atomic<std::uint64_t> wanting{0};

}  // namespace

std::uint64_t descriptors_wanting() { return wanting.load(); }
void note_descriptor_wanting() { wanting.fetch_add(1); }

SpareDescriptors::SpareDescriptors(std::function<bool()> give_back) : give_back_(std::move(give_back)) {
  const std::lock_guard lock(keepers().mutex);
  keepers().all.push_back(this);
}

SpareDescriptors::~SpareDescriptors() {
  const std::lock_guard lock(keepers().mutex);
  std::erase(keepers().all, this);
}

bool take_back_descriptors() {
  const int err = errno;
  bool any = false;
  {
    const std::lock_guard lock(keepers().mutex);
    for (const SpareDescriptors* keeper : keepers().all) any = keeper->give_back_() || any;
  }
  errno = err;
  return any;
}

}  // namespace branchfs
