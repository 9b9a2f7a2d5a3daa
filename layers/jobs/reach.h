// What a branch needs: the elements of its stack, its open delta, the layers those depend on, and whatever
// their journals share blocks with. gc keeps the union over all branches (P10).
//
// Owner: one job; one thread. Remembers what it read, so that a second pass, under the store lock, only looks
// at what changed.
#pragma once

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "layers/store/store.h"

namespace branchfs {

using ObjectSet = std::unordered_set<ObjectId>;

class Reach {
 public:
  explicit Reach(Store& store) : store_(store) {}
  // Adds all that the manifest reaches. Fails when something is so damaged that its references cannot be
  // read: then nobody can say what is garbage.
  Status add(const Manifest& manifest, ObjectSet& reached);

 private:
  struct Journal {
    std::uint64_t size = 0;
    std::vector<ObjectId> references;
  };
  Status follow(ObjectId id, ObjectSet& reached);
  Status open_layer(ObjectId id, LayerPtr& layer);  // stays null when there is none
  Result<std::vector<ObjectId>> references_of_delta(ObjectId id);

  Store& store_;
  std::unordered_map<ObjectId, LayerPtr> layers_;
  std::unordered_map<ObjectId, Journal> journals_;
};

// Host bytes (allocated, not apparent) of a file or a directory tree of the store; what vanishes meanwhile
// counts as 0.
std::uint64_t host_bytes(Env& env, const std::string& path);

}  // namespace branchfs
