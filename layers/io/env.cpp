#include "layers/io/env.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <utility>

namespace branchfs {

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Mapping::~Mapping() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);  // NOLINT: munmap takes void*
}

Status Env::read_at(std::span<FileRead> reads) {
  for (FileRead& read : reads) {
    BFS_ASSIGN(read.got, read.file->read_at(read.out, read.offset));
  }
  return {};
}

Status Env::sync_data(std::span<File* const> files) {
  Status first;
  for (File* file : files) {
    Status done = file->sync_data();
    if (first && !done) first = std::move(done);
  }
  return first;
}

Result<bool> Env::is_there(const std::string& path) {
  auto st = stat(path);
  if (st) return true;
  if (st.error().sys == ENOENT || st.error().sys == ENOTDIR) return false;
  return std::move(st).error();
}

bool Env::exists(const std::string& path) { return stat(path).ok(); }

Result<std::string> Env::read_file(const std::string& path, std::size_t limit) {
  BFS_ASSIGN(auto file, open(path, O_RDONLY));
  BFS_ASSIGN(struct ::stat st, file->stat());
  if (!S_ISREG(st.st_mode)) return make_error(Kind::damaged, path + " is not a regular file");
  auto size = static_cast<std::size_t>(st.st_size);
  if (size > limit) return make_error(Kind::damaged, path + ": larger than any file of its kind can be");
  std::string content(size, '\0');
  BFS_ASSIGN(std::size_t got, file->read_at(std::as_writable_bytes(std::span(content)), 0));
  content.resize(got);
  return content;
}

Result<std::string> Env::prepare_file(const std::string& path, std::string_view content, ::mode_t mode) {
  std::string temporary = path + "." + new_id().hex() + ".tmp";
  auto write = [&]() -> Status {
    BFS_ASSIGN(auto file, open(temporary, O_WRONLY | O_CREAT | O_EXCL, mode));
    BFS_TRY(file->write_at(std::as_bytes(std::span(content)), 0));
    return file->sync();
  };
  if (Status written = write(); !written) {
    ignore(unlink(temporary));  // the first error is the one to report
    return std::move(written).error();
  }
  return temporary;
}

Status Env::replace_file(const std::string& path, std::string_view content, ::mode_t mode) {
  BFS_ASSIGN(const std::string temporary, prepare_file(path, content, mode));
  if (Status renamed = rename(temporary, path); !renamed) {
    ignore(unlink(temporary));  // the first error is the one to report
    return renamed;
  }
  return sync_dir(path.substr(0, path.rfind('/')));
}

Status Env::remove_tree(const std::string& path) {
  BFS_ASSIGN(struct ::stat st, stat(path));
  if (!S_ISDIR(st.st_mode)) return unlink(path);
  BFS_ASSIGN(auto items, list(path));
  for (const DirItem& item : items) BFS_TRY(remove_tree(path + "/" + item.name));
  return remove_dir(path);
}

}  // namespace branchfs
