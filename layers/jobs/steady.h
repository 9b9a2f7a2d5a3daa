// For jobs that read a branch without locks: it may be reset, compacted or deleted under them, and what fails then says
// nothing about the store.
//
// Plain functions; any thread. Errors: not_found once the branch is gone, else those of the reading.
#pragma once

#include <string>
#include <utility>

#include "layers/store/store.h"

namespace branchfs {

// Whether `name` is still the branch of that manifest, with the same data below it.
inline bool is_unchanged(const Store& store, const std::string& name, const Manifest& manifest) {
  auto now = store.read_manifest(name);
  return now && now->id == manifest.id && now->stack == manifest.stack && now->delta == manifest.delta;
}

// `read` of the branch's manifest; once more on the present one when it fails and the branch is not what it was.
template <class Read>
auto read_steadily(const Store& store, const std::string& name, Read read)
    -> decltype(read(std::declval<const Manifest&>())) {
  constexpr int kMostAttempts = 8;  // nobody resets a branch more often than it can be read, but for ever is too long
  for (int attempt = 1;; ++attempt) {
    BFS_ASSIGN(const Manifest manifest, store.read_manifest(name));
    auto result = read(manifest);
    if (result || attempt == kMostAttempts || is_unchanged(store, name, manifest)) return result;
  }
}

}  // namespace branchfs
