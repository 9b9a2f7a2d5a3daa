// What can be brought back of one damaged file, from its own bytes and checksums alone (layers/FORMAT.md §6). Nothing is
// written here and nothing is guessed: a change counts only when a checksum of 64 bits holds afterwards that did not before.
//
// Plain functions; any thread. Memory: a journal, or a layer's index, as a whole.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "layers/delta/journal.h"
#include "layers/format/layer_format.h"
#include "layers/io/env.h"

namespace branchfs {

// How much may be spent on looking for flipped bits: each candidate costs one checksum of all its bytes.
class SearchBudget {
 public:
  explicit SearchBudget(std::uint64_t bytes) : left_(bytes) {}
  // Whether a search through all single bits of `size` bytes fits; if so it is paid for.
  bool spend(std::uint64_t size) {
    if (size > (std::uint64_t{1} << 28U) || size * 8 * size > left_) return false;
    left_ -= size * 8 * size;
    return true;
  }

 private:
  std::uint64_t left_;
};

// Flips the one bit that makes `good` true, and leaves it flipped. False, and unchanged bytes, when there is none.
bool mend_one_bit(std::span<std::byte> bytes, SearchBudget& budget, const std::function<bool()>& good);

struct Patch {
  std::uint64_t offset = 0;
  std::vector<std::byte> bytes;
};
// How a layer file becomes readable again: what to write where, and to which size.
struct LayerSalvage {
  bool opens = false;               // with the patches it can be opened (what is lost inside gives errors)
  std::uint64_t size = 0;           // of the whole file
  std::vector<Patch> patches;
  std::vector<std::string> mended;  // "its footer"
  std::vector<std::string> lost;    // "chunk 7"
  [[nodiscard]] bool changes(std::uint64_t file_size) const { return !patches.empty() || (opens && size != file_size); }
};
// The stored bytes of a chunk that some other layer holds too; nullopt when none does.
using FindChunk = std::function<std::optional<std::vector<std::byte>>(const ChunkRecord&)>;
Result<LayerSalvage> salvage_layer(Env& env, const std::string& path, ObjectId id, const FindChunk& find,
                                   SearchBudget& budget);

struct JournalSalvage {
  std::vector<std::byte> bytes;     // the journal as it should be; equal to what there was when nothing can be done
  std::vector<std::string> mended;  // "its header"
  std::uint64_t cut_from = 0;       // 0: nothing had to be cut; else where what is left ends …
  std::uint64_t cut_bytes = 0;      // … and how much came after it
};
// `sealed_size`: how long it was when its delta was sealed, 0 when it is not.
JournalSalvage salvage_journal(std::span<const std::byte> bytes, ObjectId id, std::uint64_t sealed_size,
                               SearchBudget& budget);

// A manifest whose first copy, second copy, or one flipped bit can be told from the checksum. nullopt: none of that.
std::optional<std::string> salvage_manifest(std::string_view bytes, SearchBudget& budget);

}  // namespace branchfs
