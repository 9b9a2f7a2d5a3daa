// Edits of a journal: whatever decodes must encode to bytes that decode to the same.
#include <cstdlib>
#include <span>

#include "layers/delta/edit.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  auto edit = branchfs::Edit::decode(std::as_bytes(std::span(data, size)));
  if (!edit) return 0;
  auto bytes = edit->encode();
  auto again = branchfs::Edit::decode(bytes);
  if (!again || again->encode() != bytes) std::abort();
  return 0;
}
