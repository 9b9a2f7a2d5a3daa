// Manifests. The fuzzer cannot guess checksums, so the input is also tried as the body of a correctly signed file.
#include <span>
#include <string_view>

#include <fmt/format.h>

#include "layers/base/checksum.h"
#include "layers/store/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  branchfs::ignore(branchfs::Manifest::decode(text));
  auto digest = branchfs::checksum(std::as_bytes(std::span(data, size)));
  auto manifest = branchfs::Manifest::decode(fmt::format("branchfs-manifest 1 {:016x} {}\n{}", digest, size, text));
  if (manifest && !branchfs::Manifest::decode(manifest->encode())) __builtin_trap();
  return 0;
}
