#include <algorithm>
#include <unordered_set>

#include "layers/format/layer.h"

namespace branchfs {

LayerSet::LayerSet(Env& env, std::function<std::string(ObjectId)> path_of)
    : env_(env), path_of_(std::move(path_of)) {}

Result<LayerPtr> LayerSet::open(ObjectId id) {
  std::lock_guard lock(mutex_);
  if (auto layer = already_open(id)) return layer;
  return open_with_dependencies(id);
}

LayerPtr LayerSet::already_open(ObjectId id) const {
  auto found = open_.find(id);
  return found == open_.end() ? nullptr : found->second.lock();
}

// Depth first without recursion: a hostile chain of dependencies must not decide how deep the stack gets.
Result<LayerPtr> LayerSet::open_with_dependencies(ObjectId id) {
  struct Loading {
    std::shared_ptr<Layer> layer;
    std::vector<ObjectId> needs;
  };
  std::vector<Loading> path;
  std::unordered_set<ObjectId> on_path;
  auto begin = [&](ObjectId next) -> Status {
    BFS_ASSIGN(auto layer, Layer::load(env_, path_of_(next), next));
    BFS_ASSIGN(auto needs, layer->dependency_ids());
    layer->deps_.reserve(needs.size());
    path.push_back({std::move(layer), std::move(needs)});
    on_path.insert(next);
    return {};
  };
  BFS_TRY(begin(id));
  for (;;) {
    Loading& top = path.back();
    if (top.layer->deps_.size() < top.needs.size()) {
      ObjectId next = top.needs[top.layer->deps_.size()];
      if (auto layer = already_open(next)) {
        top.layer->deps_.push_back(std::move(layer));
      } else if (on_path.contains(next)) {
        return top.layer->damaged("it depends on layer " + next.hex() + ", which depends on it");
      } else if (auto status = begin(next); !status) {
        return std::move(status).error().context("open what layer " + path.back().layer->id().hex() +
                                                 " needs");
      }
      continue;
    }
    LayerPtr done = std::move(top.layer);
    on_path.erase(done->id());
    path.pop_back();
    std::erase_if(open_, [](const auto& entry) { return entry.second.expired(); });
    open_[done->id()] = done;
    if (path.empty()) return done;
    path.back().layer->deps_.push_back(std::move(done));
  }
}

}  // namespace branchfs
