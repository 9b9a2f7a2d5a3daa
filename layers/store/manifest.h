// A branch's manifest: the small file that says what a branch is (layers/FORMAT.md §2).
//
// A value; read and replaced only through Store. Replaced atomically and durably, always under the store lock
// (so there is one writer at a time). `postgres` and `masking` belong to tools/: layers/ keeps them byte for byte.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "layers/base/types.h"

namespace branchfs {

// The state of a branch that repairing put back to an older one: it can be read, reset and deleted.
inline constexpr std::string_view kSalvaged = "salvaged";

struct Manifest {
  ObjectId id;                      // of the branch, for life
  std::string name;                 // its own, set by Store: a manifest that got into another branch's directory is damage
  std::string renamed_from;         // while it is renamed: its name before, which holds as well
  ObjectId parent;                  // branch id, or invalid for a root
  std::string parent_name;          // as it was called at creation; for people
  std::vector<ObjectId> stack;      // newest first: frozen deltas, then layers
  ObjectId delta;                   // the open delta; invalid: none yet, the first open for writing makes one
  Ino next_ino{2};                  // a lower bound; replay may raise it
  std::int64_t created = 0;         // seconds since 1970
  std::int64_t expires = 0;         // 0: never
  bool is_protected = false;
  std::string state = "ready";      // "ready", or what tools/mask put there; only "ready" can be opened
  std::string origin;               // "pgdata", "url", "initdb", "branch"
  nlohmann::json postgres = nlohmann::json::object();
  nlohmann::json masking = nlohmann::json::object();

  [[nodiscard]] std::string encode() const;
  static Result<Manifest> decode(std::string_view bytes);
};

}  // namespace branchfs
