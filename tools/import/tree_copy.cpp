#include "tools/import/tree_copy.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <optional>

namespace branchfs {
namespace {

// Remembers why on_bytes stopped a copy: import_tree itself only says that it was stopped.
class Meter {
 public:
  explicit Meter(const OnBytes& on_bytes) : on_bytes_(on_bytes) {}

  Status copy(TreeBuilder& builder, const std::string& source, const std::string& into,
              const std::function<bool(const std::string&)>& skip) {
    ImportTreeOptions options;
    options.skip = skip;
    options.progress = [this](std::uint64_t done, std::uint64_t) {
      last_ = done;
      if (auto status = on_bytes_(before_ + done); !status) reason_ = std::move(status).error();
      return !reason_;
    };
    auto status = import_tree(builder, source, into, options);
    before_ += last_;
    last_ = 0;
    if (reason_) return *reason_;
    return status;
  }

 private:
  const OnBytes& on_bytes_;
  std::uint64_t before_ = 0;
  std::uint64_t last_ = 0;
  std::optional<Error> reason_;
};

Status add_file(TreeBuilder& builder, const std::string& path, const std::string& source) {
  Env& env = posix_env();
  BFS_ASSIGN(const auto file, env.open(source, O_RDONLY));
  BFS_ASSIGN(const struct ::stat st, file->stat());
  BFS_ASSIGN(const Ino ino, builder.add(path, attr_from(st)));
  std::vector<std::byte> buffer(1U << 20U);
  for (std::uint64_t offset = 0;;) {
    BFS_ASSIGN(const std::size_t n, file->read_at(buffer, offset));
    if (n == 0) return builder.set_size(ino, offset);
    BFS_TRY(builder.write(ino, offset, std::span(buffer).first(n)));
    offset += n;
  }
}

Status add_directory(TreeBuilder& builder, const std::string& path, const Attr& like) {
  if (builder.find(path)) return {};
  Attr attr = like;
  attr.mode = S_IFDIR | 0700;
  BFS_ASSIGN([[maybe_unused]] const Ino ino, builder.add(path, attr));
  return {};
}

}  // namespace

Status copy_tree(TreeBuilder& builder, const SourceScan& scan, const OnBytes& on_bytes) {
  Env& env = posix_env();
  Meter meter(on_bytes);
  BFS_TRY(meter.copy(builder, scan.root, "", [&](const std::string& path) { return scan.skips(path); }));
  BFS_ASSIGN(const struct ::stat root, env.stat(scan.root));
  for (const auto& tablespace : scan.tablespaces) {
    BFS_TRY(add_directory(builder, "pg_tblspc/" + tablespace.oid, attr_from(root)));
  }
  for (const auto& graft : scan.grafts) {
    if (!graft.directory) {
      BFS_TRY(add_file(builder, graft.path, graft.target));
      continue;
    }
    BFS_TRY(add_directory(builder, graft.path, attr_from(root)));
    if (graft.target.empty()) continue;
    BFS_TRY(meter.copy(builder, graft.target, graft.path,
                       [&](const std::string& below) { return scan.skips(graft.path + "/" + below); }));
  }
  for (const auto& [path, target] : scan.relinks) {
    Attr attr = attr_from(root);
    attr.mode = S_IFLNK | 0777;
    BFS_ASSIGN([[maybe_unused]] const Ino ino, builder.add(path, attr, target));
  }
  return {};
}

}  // namespace branchfs
