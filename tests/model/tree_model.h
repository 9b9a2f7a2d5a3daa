// The oracle of the model test: what a directory tree should hold, in plain containers.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>

namespace branchfs::test {

struct ModelFile {
  std::string bytes;
};

// Paths to files (several paths may share one file: hard links) and directories.
struct TreeModel {
  std::map<std::string, std::shared_ptr<ModelFile>> files;
  std::map<std::string, bool> dirs;  // path → true; the root "" is implied

  [[nodiscard]] TreeModel deep_copy() const {
    TreeModel copy;
    copy.dirs = dirs;
    std::map<const ModelFile*, std::shared_ptr<ModelFile>> seen;
    for (const auto& [path, file] : files) {
      auto& twin = seen[file.get()];
      if (!twin) twin = std::make_shared<ModelFile>(*file);
      copy.files[path] = twin;
    }
    return copy;
  }
};

inline void model_write(ModelFile& file, std::size_t offset, const std::string& data) {
  if (file.bytes.size() < offset + data.size()) file.bytes.resize(offset + data.size());
  std::copy(data.begin(), data.end(), file.bytes.begin() + static_cast<std::ptrdiff_t>(offset));
}

inline void model_zero(ModelFile& file, std::size_t offset, std::size_t length, bool keep_size) {
  if (!keep_size && file.bytes.size() < offset + length) file.bytes.resize(offset + length);
  if (offset >= file.bytes.size()) return;
  std::size_t end = std::min(offset + length, file.bytes.size());
  std::fill(file.bytes.begin() + static_cast<std::ptrdiff_t>(offset),
            file.bytes.begin() + static_cast<std::ptrdiff_t>(end), '\0');
}

}  // namespace branchfs::test
