#include "fs/directory.h"

#include <dirent.h>

#include <utility>

namespace branchfs {

NameEntry Directory::at(std::size_t index) const {
  if (index == 0) return {".", ino_, DT_DIR};
  if (index == 1) return {"..", parent_, DT_DIR};
  return entries_[index - 2];
}

Status Directory::load(Branch& branch, ::off_t offset) {
  if (loaded_ && offset != 0) return {};
  BFS_ASSIGN(auto entries, branch.list(ino_));
  BFS_ASSIGN(parent_, branch.parent_of(ino_));
  entries_ = std::move(entries);
  loaded_ = true;
  return {};
}

Result<std::size_t> Directory::fill(fuse_req_t req, Branch& branch, ::off_t offset, std::span<char> buffer) {
  const std::lock_guard lock(mutex_);
  BFS_TRY(load(branch, offset));
  std::size_t used = 0;
  for (auto i = static_cast<std::size_t>(offset); i < size(); ++i) {
    const NameEntry entry = at(i);
    struct ::stat st {};
    st.st_ino = entry.ino.v;
    st.st_mode = DTTOIF(entry.type);
    const std::size_t need = ::fuse_add_direntry(req, buffer.data() + used, buffer.size() - used,
                                                 entry.name.c_str(), &st, static_cast<::off_t>(i + 1));
    if (need > buffer.size() - used) break;
    used += need;
  }
  return used;
}

Result<std::size_t> Directory::fill_plus(fuse_req_t req, Branch& branch, ::off_t offset,
                                         std::span<char> buffer, const Describe& describe,
                                         std::vector<Ino>& sent) {
  const std::lock_guard lock(mutex_);
  BFS_TRY(load(branch, offset));
  std::size_t used = 0;
  for (auto i = static_cast<std::size_t>(offset); i < size(); ++i) {
    const NameEntry entry = at(i);
    const std::size_t left = buffer.size() - used;
    if (::fuse_add_direntry_plus(req, nullptr, 0, entry.name.c_str(), nullptr, 0) > left) break;
    // Without a node id the kernel shows the name and asks for its attributes when it needs them.
    ::fuse_entry_param param{};
    param.attr.st_ino = entry.ino.v;
    param.attr.st_mode = DTTOIF(entry.type);
    if (i >= 2) {
      const auto found = describe(entry);
      if (found) {
        param = *found;
        sent.push_back(Ino{param.ino});
      } else if (found.error().to_errno() == ENOENT) {
        continue;
      }
    }
    used += ::fuse_add_direntry_plus(req, buffer.data() + used, left, entry.name.c_str(), &param,
                                     static_cast<::off_t>(i + 1));
  }
  return used;
}

}  // namespace branchfs
