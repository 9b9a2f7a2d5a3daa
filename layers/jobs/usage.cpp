#include <sys/stat.h>

#include "layers/branch/view.h"
#include "layers/jobs/jobs.h"
#include "layers/jobs/reach.h"
#include "layers/jobs/steady.h"

namespace branchfs {

namespace {

Result<std::uint64_t> logical_bytes(View& view) {
  std::uint64_t bytes = 0;
  const LayerPtr& base = view.base();
  for (std::uint64_t i = 0; base && i < base->inode_count(); ++i) {
    BFS_ASSIGN(LayerInode node, base->inode_at(i));
    NodePtr loaded = view.cached(node.attr.ino);
    if (!view.is_dead(node.attr.ino) && !(loaded && loaded->touched)) bytes += node.attr.size;
  }
  for (const NodePtr& node : view.touched_nodes()) bytes += node->attr.size;
  return bytes;
}

std::uint64_t element_bytes(Store& store, ObjectId id) {
  return host_bytes(store.env(), store.layer_path(id)) + host_bytes(store.env(), store.delta_dir(id));
}

Result<Usage> usage_of(Store& store, const Manifest& manifest) {
  Usage usage;
  {
    std::shared_ptr<Store> unowned(std::shared_ptr<Store>(), &store);
    BFS_ASSIGN(auto view, View::open(unowned, manifest.stack, manifest.delta, false));
    BFS_ASSIGN(usage.logical, logical_bytes(*view));
  }
  Reach reach(store);
  ObjectSet mine;
  ObjectSet others;
  BFS_TRY(reach.add(manifest, mine));
  BFS_ASSIGN(auto all, store.list());
  for (const BranchInfo& branch : all) {
    if (branch.manifest.id == manifest.id) continue;
    Status added = reach.add(branch.manifest, others);
    if (!added && is_unchanged(store, branch.name, branch.manifest)) return std::move(added).error();
  }
  for (ObjectId id : mine) {
    std::uint64_t bytes = element_bytes(store, id);
    (id == manifest.delta ? usage.own : others.contains(id) ? usage.shared : usage.exclusive) += bytes;
  }
  return usage;
}

}  // namespace

Result<Usage> usage(Store& store, const std::string& name) {
  return read_steadily(store, name, [&](const Manifest& manifest) { return usage_of(store, manifest); });
}

}  // namespace branchfs
