// Imports: a directory, or a stream of files (a base backup), becomes a layer and a root branch.
//
// The tree builder takes entries in any order (parents before children) and writes straight into a layer file of
// the store; nothing is visible before publish(). Dropped unpublished, it leaves nothing. Dedups against
// the layers the store already has. Threads: one feeds; compression runs on all cores.
#pragma once

#include <memory>
#include <string>

#include "layers/format/layer_writer.h"
#include "layers/jobs/jobs.h"
#include "layers/store/branches.h"

namespace branchfs {

class TreeBuilder {
 public:
  static Result<std::unique_ptr<TreeBuilder>> create(Store& store, const Attr& root);
  virtual ~TreeBuilder() = default;
  // `path` is relative to the root, without "./"; its parent must exist. size 0; see write(). Replaces an existing
  // file of that name (so that neutralized configuration can overwrite what came with the backup).
  virtual Result<Ino> add(const std::string& path, const Attr& attr, std::string_view symlink = {}) = 0;
  virtual Result<Ino> add_hard_link(const std::string& path, const std::string& existing) = 0;
  // Appends at ascending offsets; gaps are holes. Any alignment.
  virtual Status write(Ino ino, std::uint64_t offset, std::span<const std::byte> data) = 0;
  // The file is complete: of this size, with a trailing hole if nothing was written up to there.
  virtual Status set_size(Ino ino, std::uint64_t size) = 0;
  virtual Status remove(const std::string& path) = 0;        // recursively; not_found is an error
  [[nodiscard]] virtual std::optional<Ino> find(const std::string& path) const = 0;
  // Finishes the layer and makes the root branch `name`, durably.
  virtual Result<Manifest> publish(const std::string& name, Manifest manifest) = 0;
  [[nodiscard]] virtual LayerWriterStats stats() const = 0;
};

struct ImportTreeOptions {
  Progress progress;
  // Relative paths to leave out (e.g. postmaster.pid); called for files and directories.
  std::function<bool(const std::string& path)> skip;
};
// Copies the directory tree `source` (which nobody writes) below `into` ("" = root) into the builder, holes and hard
// links kept; sockets, devices and extended attributes are left out. Progress counts bytes of file sizes; total is 0.
Status import_tree(TreeBuilder& builder, const std::string& source, const std::string& into,
                   const ImportTreeOptions& options);

struct MoveOptions {
  std::function<bool(const std::string& path)> skip;
};
// --move: the files of `source` (same host filesystem) are renamed into a frozen delta, without copying.
// On error everything is moved back.
Result<Manifest> import_move(Store& store, const std::string& name, const std::string& source, Manifest manifest,
                             const MoveOptions& options);

}  // namespace branchfs
