#include "layers/format/append_buffer.h"

#include <algorithm>
#include <cstring>

namespace branchfs {

Status AppendBuffer::append(std::span<const std::byte> bytes) {
  if (buffer_.size() + bytes.size() > kSize) BFS_TRY(flush());
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  return {};
}

Status AppendBuffer::pad_to(std::uint64_t multiple) {
  std::vector<std::byte> zeros((multiple - position() % multiple) % multiple);
  return append(zeros);
}

Status AppendBuffer::flush() {
  if (buffer_.empty()) return {};
  BFS_TRY(file_.write_at(buffer_, written_));
  // The host writes while more is compressed: the sync at the end then has little left to do.
  file_.start_writeback(written_, buffer_.size());
  written_ += buffer_.size();
  buffer_.clear();
  return {};
}

Status AppendBuffer::read_back(std::uint64_t offset, std::span<std::byte> out) {
  if (offset >= written_) {
    std::memcpy(out.data(), buffer_.data() + (offset - written_), out.size());
    return {};
  }
  // Appended pieces are flushed whole, so that none is half in the file.
  BFS_ASSIGN(std::size_t got, file_.read_at(out, offset));
  if (got != out.size())
    return make_error(Kind::failed, "read a layer file back: it is shorter than what was written");
  return {};
}

}  // namespace branchfs
