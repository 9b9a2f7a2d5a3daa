// Sequential writing of one file through a buffer of a few MiB. Owner and thread: one, its LayerWriter's.
// Nothing is durable before flush() and a sync of the file.
#pragma once

#include <span>
#include <vector>

#include "layers/io/env.h"

namespace branchfs {

class AppendBuffer {
 public:
  explicit AppendBuffer(File& file) : file_(file) { buffer_.reserve(kSize); }
  // Where the next byte goes.
  [[nodiscard]] std::uint64_t position() const { return written_ + buffer_.size(); }
  Status append(std::span<const std::byte> bytes);
  Status pad_to(std::uint64_t multiple);  // with zeros
  Status flush();
  // Bytes that were appended before.
  Status read_back(std::uint64_t offset, std::span<std::byte> out);

 private:
  static constexpr std::size_t kSize = 4U << 20U;
  File& file_;
  std::vector<std::byte> buffer_;
  std::uint64_t written_ = 0;
};

}  // namespace branchfs
