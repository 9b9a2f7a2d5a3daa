#include "layers/jobs/publish_layer.h"

#include <optional>

namespace branchfs {

namespace {

// Opened by its temporary name in a set of its own; that opens its dependencies too, so that they exist now,
// and under the store lock nobody removes them.
Status check_dependencies(Store& store, ObjectId id) {
  LayerSet set(store.env(), [&](ObjectId wanted) {
    return wanted == id ? store.layer_tmp_path(id) : store.layer_path(wanted);
  });
  auto opened = set.open(id);
  return opened ? Status{} : Status{std::move(opened).error()};
}

}  // namespace

Status publish_layer(Store& store, ObjectId id, const StoreLock* lock) {
  Env& env = store.env();
  std::optional<StoreLock> own;
  auto publish = [&]() -> Status {
    if (lock == nullptr) {
      BFS_ASSIGN(own, store.lock());
    }
    BFS_TRY(check_dependencies(store, id));
    return env.rename(store.layer_tmp_path(id), store.layer_path(id));
  };
  Status published = publish();
  if (published) return env.sync_dir(store.layers_dir());
  ignore(env.unlink(store.layer_tmp_path(id)));  // the first error is the one to report
  return published;
}

}  // namespace branchfs
