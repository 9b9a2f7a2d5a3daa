// The long-running work on a store: pack, compact, gc, verify, du, dump. Each can be killed at any point and leaves a valid
// store (P8, P10); none holds the store lock while it reads or writes data. Threads: any.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "layers/store/store.h"

namespace branchfs {

// Called now and then from the working thread; return false to stop (the job ends with Kind::failed, ECANCELED).
using Progress = std::function<bool(std::uint64_t done, std::uint64_t total)>;

struct PackReport {
  std::uint64_t deltas = 0;         // frozen deltas turned into layers
  std::uint64_t data_bytes = 0;     // block bytes they held
  std::uint64_t layer_bytes = 0;    // size of the layers made
};
// Turns the frozen deltas of a branch (or of all, name empty) into layers, oldest first.
Result<PackReport> pack(Store& store, const std::string& name, const Progress& progress = {});

struct CompactReport {
  std::uint64_t layers_before = 0, layers_after = 0;
  std::uint64_t bytes_before = 0, bytes_after = 0;
};
// Rewrites the packed part of a branch's stack as one layer without dependencies.
Result<CompactReport> compact(Store& store, const std::string& name, const Progress& progress = {});

struct GcReport {
  std::uint64_t layers = 0, deltas = 0, other = 0;  // objects removed
  std::uint64_t bytes = 0;                          // host bytes freed
};
Result<GcReport> collect_garbage(Store& store);

struct VerifyReport {
  std::uint64_t objects = 0, bytes = 0, problems = 0;
  std::vector<std::string> lines;  // one per problem
  std::set<std::string> branches;  // that problems were found in
  std::set<ObjectId> damaged;      // layers and deltas that problems were found in
};
Result<VerifyReport> verify_branch(Store& store, const std::string& name, const Progress& progress = {});
Result<VerifyReport> verify_store(Store& store, const Progress& progress = {});

// Salvages what checksums allow and says what is lost (layers/FORMAT.md §6). Never guesses: bytes change only where a checksum then
// holds that did not. What cannot be read keeps answering errors. What is replaced or taken out goes to STORE/lost+found. A branch
// that now shows an older state is marked "salvaged": only reading, reset and delete are left to it.
// busy: a branch that is affected is open; then nothing was changed. Killed at any point it can be run again.
struct RepairOptions {
  bool dry = false;  // only say what would be done
  std::uint64_t search_bytes = std::uint64_t{64} << 30U;  // checksummed while looking for single flipped bits
};
struct RepairReport {
  VerifyReport before, after;
  std::vector<std::string> done;  // what was mended
  std::vector<std::string> lost;  // what was not to be had
  std::string kept;               // where the old files are; empty: none was replaced
};
// `dir`: the store, which may be too damaged to be opened. `name`: only this branch and what it needs; empty: everything.
Result<RepairReport> repair_store(Env& env, const std::string& dir, const std::string& name, const RepairOptions& options,
                                  const Progress& progress = {});

struct Usage {
  std::uint64_t logical = 0;      // what `du --apparent-size` on the mount would say
  std::uint64_t own = 0;          // host bytes of its open delta
  std::uint64_t shared = 0;       // host bytes of the stack elements that other branches reach too
  std::uint64_t exclusive = 0;    // host bytes of the stack elements that only this branch reaches
  [[nodiscard]] std::uint64_t reclaimable() const { return own + exclusive; }
};
Result<Usage> usage(Store& store, const std::string& name);

// Any store file (manifest, journal, confirm, sealed, sums, layer, store) as stable text.
Result<std::string> dump(Env& env, const std::string& path);

}  // namespace branchfs
