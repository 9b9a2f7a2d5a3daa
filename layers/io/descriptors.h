// Descriptors that are open only to save time: where the process may have no further one, they are given back.
//
// posix_env() asks for them before it reports EMFILE or ENFILE, and so may whoever opens something by another way. Owner: whoever keeps
// such descriptors. Threads: any. `give_back` closes what is not in use, and is true when there was something; it opens nothing, and
// takes no lock under which something is opened or a SpareDescriptors is made or destroyed.
#pragma once

#include <cerrno>
#include <cstdint>
#include <functional>

namespace branchfs {

class SpareDescriptors {
 public:
  explicit SpareDescriptors(std::function<bool()> give_back);
  ~SpareDescriptors();  // waits while it is being asked
  SpareDescriptors(const SpareDescriptors&) = delete;
  SpareDescriptors& operator=(const SpareDescriptors&) = delete;

 private:
  friend bool take_back_descriptors();
  std::function<bool()> give_back_;
};

// Whether any was given back. Leaves errno alone.
bool take_back_descriptors();

inline bool means_no_descriptor(int err) { return err == EMFILE || err == ENFILE; }

// How often with_descriptors() has failed for want of a descriptor. Who looks at much and tells errors apart by their text alone may
// not call it damage when this has changed meanwhile.
std::uint64_t descriptors_wanting();
void note_descriptor_wanting();

// The result of `open`, which is asked again when it fails for want of descriptors and some were given back.
template <class Open>
auto with_descriptors(Open open) {
  auto fd = open();
  if (fd >= 0 || !means_no_descriptor(errno)) return fd;
  if (take_back_descriptors()) fd = open();
  if (fd < 0 && means_no_descriptor(errno)) note_descriptor_wanting();
  return fd;
}

}  // namespace branchfs
