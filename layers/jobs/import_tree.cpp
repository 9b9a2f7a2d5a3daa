#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "layers/io/data_ranges.h"
#include "layers/jobs/import.h"

namespace branchfs {

namespace {

constexpr std::size_t kReadSize = 1U << 20U;

class TreeImport {
 public:
  TreeImport(TreeBuilder& builder, const ImportTreeOptions& options)
      : builder_(builder), options_(options), buffer_(kReadSize) {}

  // `path` is relative to the source, `into` where it goes in the builder.
  Status directory(const std::string& real, const std::string& path, const std::string& into);

 private:
  Status entry(const std::string& real, const std::string& path, const std::string& into);
  Status file(const std::string& real, const std::string& into, const struct ::stat& st);
  Status content(File& file, Ino ino, std::uint64_t size);
  Status symlink(const std::string& real, const std::string& into, const struct ::stat& st);
  Status advance(std::uint64_t bytes) {
    done_ += bytes;
    if (!options_.progress || options_.progress(done_, 0)) return {};
    return Error{Kind::failed, ECANCELED, "import: stopped", {}};
  }

  TreeBuilder& builder_;
  const ImportTreeOptions& options_;
  std::vector<std::byte> buffer_;
  std::map<std::pair<::dev_t, ::ino_t>, std::string>
      linked_;  // files with several names, by where they went first
  std::uint64_t done_ = 0;
};

Attr attr_of(const struct ::stat& st) {
  Attr attr;
  attr.mode = st.st_mode;
  attr.uid = st.st_uid;
  attr.gid = st.st_gid;
  attr.rdev = 0;
  attr.atime = st.st_atim;
  attr.mtime = st.st_mtim;
  attr.ctime = st.st_ctim;
  return attr;
}

Status TreeImport::directory(const std::string& real, const std::string& path, const std::string& into) {
  BFS_ASSIGN(auto items, posix_env().list(real));
  // By name: equal trees give equal layers.
  std::sort(items.begin(), items.end(), [](const DirItem& a, const DirItem& b) { return a.name < b.name; });
  for (const DirItem& item : items) {
    auto below = [&](const std::string& dir) { return dir.empty() ? item.name : dir + "/" + item.name; };
    if (options_.skip && options_.skip(below(path))) continue;
    BFS_TRY(entry(real + "/" + item.name, below(path), below(into)));
  }
  return {};
}

Status TreeImport::entry(const std::string& real, const std::string& path, const std::string& into) {
  BFS_ASSIGN(struct ::stat st, posix_env().stat(real));
  if (S_ISDIR(st.st_mode)) {
    if (!builder_.find(into)) BFS_TRY(builder_.add(into, attr_of(st)));
    return directory(real, path, into);
  }
  if (S_ISLNK(st.st_mode)) return symlink(real, into, st);
  if (S_ISFIFO(st.st_mode)) {
    BFS_TRY(builder_.add(into, attr_of(st)));
    return {};
  }
  if (!S_ISREG(st.st_mode)) return {};  // sockets and devices mean nothing in a copy
  if (st.st_nlink > 1) {
    auto [first, is_new] = linked_.try_emplace({st.st_dev, st.st_ino}, into);
    if (!is_new) {
      BFS_TRY(builder_.add_hard_link(into, first->second));
      return {};
    }
  }
  return file(real, into, st);
}

Status TreeImport::symlink(const std::string& real, const std::string& into, const struct ::stat& st) {
  std::string target(kMaxSymlinkSize + 1, '\0');
  ::ssize_t n = ::readlink(real.c_str(), target.data(), target.size());
  if (n < 0) return sys_error("read the symlink " + real);
  if (n == 0 || static_cast<std::size_t>(n) == target.size()) {
    return make_error(Kind::failed, fmt::format("read the symlink {}: its target is too long", real));
  }
  target.resize(static_cast<std::size_t>(n));
  BFS_TRY(builder_.add(into, attr_of(st), target));
  return {};
}

Status TreeImport::file(const std::string& real, const std::string& into, const struct ::stat& st) {
  BFS_ASSIGN(auto source, posix_env().open(real, O_RDONLY));
  ::posix_fadvise(source->fd(), 0, 0,
                  POSIX_FADV_SEQUENTIAL);  // doubles the host's readahead; advice may be ignored
  BFS_ASSIGN(Ino ino, builder_.add(into, attr_of(st)));
  auto size = static_cast<std::uint64_t>(st.st_size);
  if (Status copied = content(*source, ino, size); !copied) {
    return std::move(copied).error().context("import " + into);
  }
  return builder_.set_size(ino, size);
}

Status TreeImport::content(File& file, Ino ino, std::uint64_t size) {
  std::uint64_t at = 0;
  while (at < size) {
    BFS_ASSIGN(DataRange range, next_data(file, at, size));
    BFS_TRY(advance(range.begin - at));
    for (at = range.begin; at < range.end;) {
      std::size_t want = std::min<std::uint64_t>(buffer_.size(), range.end - at);
      BFS_ASSIGN(std::size_t got, file.read_at(std::span(buffer_).first(want), at));
      if (got == 0)
        return make_error(Kind::failed, "the file became shorter while it was read", "stop what writes it");
      BFS_TRY(builder_.write(ino, at, std::span(buffer_).first(got)));
      at += got;
      BFS_TRY(advance(got));
    }
  }
  return {};
}

}  // namespace

Status import_tree(TreeBuilder& builder, const std::string& source, const std::string& into,
                   const ImportTreeOptions& options) {
  return TreeImport(builder, options).directory(source, "", into);
}

}  // namespace branchfs
