// Several layers become one: the packed part of a branch's stack, rewritten without dependencies.
#include <fmt/format.h>

#include <algorithm>

#include "layers/io/background.h"
#include "layers/jobs/jobs.h"
#include "layers/jobs/publish_layer.h"
#include "layers/jobs/write_tree.h"
#include "layers/store/branches.h"

namespace branchfs {

namespace {

// The base layer and all it needs.
void count(const LayerPtr& base, std::uint64_t& layers, std::uint64_t& bytes) {
  layers = 1 + base->dependencies().size();
  bytes = base->file_size();
  for (const LayerPtr& dependency : base->dependencies()) bytes += dependency->file_size();
}

}  // namespace

Result<CompactReport> compact(Store& store, const std::string& name, const Progress& progress) {
  // A process that has the branch open may go on naming the old layers (shared blocks), so it has to be
  // closed.
  BFS_ASSIGN(BranchLock held, store.lock_branch(name, LockMode::exclusive));
  BFS_ASSIGN(Manifest manifest, store.read_manifest(name));
  // Whoever makes it ready compares it with the very layers it was made from.
  if (manifest.state != "ready") {
    return make_error(Kind::refused, fmt::format("branch \"{}\" is {}, not ready", name, manifest.state));
  }
  auto is_packed = [&](ObjectId id) { return store.env().exists(store.layer_path(id)); };
  auto first = std::find_if(manifest.stack.begin(), manifest.stack.end(), is_packed);
  CompactReport report;
  if (first == manifest.stack.end()) return report;
  std::vector<ObjectId> packed(first, manifest.stack.end());
  BFS_ASSIGN(auto view,
             View::open(std::shared_ptr<Store>(std::shared_ptr<Store>(), &store), packed, {}, false));
  count(view->base(), report.layers_before, report.bytes_before);
  report.layers_after = report.layers_before;
  report.bytes_after = report.bytes_before;
  if (packed.size() == 1 && view->base()->dependencies().empty()) return report;

  ObjectId id = store.env().new_id();
  BFS_ASSIGN(auto writer, LayerWriter::create(store.env(), store.layer_tmp_path(id), id, {}));
  WriteTreeOptions options;
  options.copy_layers = true;
  std::uint64_t done = 0;
  options.progress = [&](std::uint64_t bytes) { return !progress || progress(done += bytes, 0); };
  auto write = [&]() -> Status {
    BFS_TRY(write_tree(*view, *writer, options));
    return writer->finish(store.env().now().tv_sec);
  };
  BFS_TRY(in_background(write));

  BFS_ASSIGN(StoreLock lock, store.lock());
  BFS_ASSIGN(manifest, store.read_manifest(name));
  // Packing may have turned deltas above into layers meanwhile; they keep their dependencies, which stay.
  auto start = std::search(manifest.stack.begin(), manifest.stack.end(), packed.begin(), packed.end());
  if (start == manifest.stack.end()) {
    return make_error(Kind::busy, fmt::format("branch \"{}\" changed while it was compacted", name),
                      "try again");
  }
  manifest.stack.erase(start, manifest.stack.end());
  manifest.stack.push_back(id);
  BFS_TRY(publish_layer(store, id, &lock));
  BFS_TRY(store.write_manifest(lock, name, manifest));
  report.layers_after = 1;
  report.bytes_after = writer->stats().file_bytes;
  return report;
}

}  // namespace branchfs
