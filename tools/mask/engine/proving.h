// The proof of a masked branch, and the certificate that records it.
//
// prove() looks at the stopped, unmounted branch: no file that had to change shares a block with the parent, and no sampled original is left in any
// visible byte or definition. A violation is refused, naming files and columns, never a value. The certificate holds counts and names only. One thread (the scan makes its own).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tools/mask/engine/database.h"
#include "tools/mask/engine/definitions.h"
#include "tools/mask/engine/relations.h"
#include "tools/mask/proof/proof.h"

namespace branchfs::mask {

struct ProofInput {
  std::shared_ptr<Store> store;
  std::string branch;
  std::vector<ObjectId> source;           // the stack it was made from
  const RelationMap& before;              // relations before masking …
  const RelationMap& after;               // … and afterwards, of every database that could be connected to
  std::string template0;                  // its oid
  const WitnessSet& witnesses;
  std::function<void(std::uint64_t done, std::uint64_t total)> progress;
  std::vector<Definition> definitions = {};  // of every database that could be connected to
};

// The certificate's "structure" and "scan".
Result<nlohmann::json> prove(const ProofInput& input);

// What the semantic comparison found, per table and column.
nlohmann::json to_json(const std::string& database, const std::vector<TableFacts>& facts);

}  // namespace branchfs::mask
