// Frozen deltas become layers of the same id, oldest first: no manifest changes, and views opened later find
// the layer.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "layers/io/background.h"
#include "layers/io/descriptors.h"
#include "layers/jobs/jobs.h"
#include "layers/jobs/move_undo.h"
#include "layers/jobs/publish_layer.h"
#include "layers/jobs/steady.h"
#include "layers/jobs/write_tree.h"

namespace branchfs {

namespace {

class Packer {
 public:
  Packer(Store& store, const Progress& progress) : store_(store), progress_(progress) {}

  Status stack(const std::vector<ObjectId>& stack) {
    for (auto element = stack.rbegin(); element != stack.rend(); ++element) {
      if (store_.env().exists(store_.layer_path(*element))) continue;
      auto index = static_cast<std::size_t>(stack.rend() - element) - 1;
      Status packed = delta({stack.begin() + static_cast<std::ptrdiff_t>(index), stack.end()});
      if (!packed) return std::move(packed).error().context("pack delta " + element->hex());
    }
    return {};
  }
  [[nodiscard]] const PackReport& report() const { return report_; }

 private:
  // stack[0] is the delta, everything below it is packed.
  Status delta(const std::vector<ObjectId>& stack);
  Status forget_where_from(ObjectId id);

  Store& store_;
  const Progress& progress_;
  PackReport report_;
};

// The list of an import that was killed right after it had published the branch. Later, when nothing reaches the delta any more, gc would
// move the branch's files back to where they came from.
Status Packer::forget_where_from(ObjectId id) {
  Env& env = store_.env();
  const std::string dir = store_.delta_dir(id);
  BFS_ASSIGN(const bool was_moved, has_moved_files(env, dir));
  if (!was_moved) return {};
  // An import that fails meanwhile takes its manifest back, under this lock, and needs the list then.
  BFS_ASSIGN(const StoreLock lock, store_.lock());
  BFS_TRY(store_.settle(lock));
  BFS_ASSIGN(const auto branches, store_.list());
  const bool is_reached = std::any_of(branches.begin(), branches.end(), [&](const BranchInfo& branch) {
    return std::find(branch.manifest.stack.begin(), branch.manifest.stack.end(), id) != branch.manifest.stack.end();
  });
  return is_reached ? forget_moved_files(env, dir) : Status{};
}

Status Packer::delta(const std::vector<ObjectId>& stack) {
  ObjectId id = stack.front();
  Env& env = store_.env();
  BFS_TRY(forget_where_from(id));
  // One packer at a time for each delta; whoever comes second finds it done.
  auto lock = env.open(store_.delta_dir(id) + "/pack.lock", O_RDWR | O_CREAT, 0600);
  if (!lock && env.exists(store_.layer_path(id))) return {};
  if (!lock) return std::move(lock).error();
  BFS_TRY((*lock)->lock(LockMode::exclusive));
  if (env.exists(store_.layer_path(id))) return {};

  BFS_ASSIGN(auto view,
             View::open(std::shared_ptr<Store>(std::shared_ptr<Store>(), &store_), stack, {}, false));
  BFS_ASSIGN(auto writer, LayerWriter::create(env, store_.layer_tmp_path(id), id, {}));
  WriteTreeOptions options;
  std::uint64_t done = 0;
  options.progress = [&](std::uint64_t bytes) {
    done += bytes;
    return !progress_ || progress_(report_.data_bytes + done, 0);
  };
  auto write = [&]() -> Status {
    BFS_TRY(write_tree(*view, *writer, options));
    return writer->finish(env.now().tv_sec);
  };
  BFS_TRY(in_background(write));
  BFS_TRY(publish_layer(store_, id, nullptr));
  report_.deltas += 1;
  report_.data_bytes += done;
  report_.layer_bytes += writer->stats().file_bytes;
  return {};
}

}  // namespace

Result<PackReport> pack(Store& store, const std::string& name, const Progress& progress) {
  std::vector<std::string> names{name};
  if (name.empty()) {
    names.clear();
    BFS_ASSIGN(const std::vector<BranchInfo> all, store.list());
    for (const BranchInfo& branch : all) names.push_back(branch.name);
  }
  Packer packer(store, progress);
  std::optional<Error> first_error;  // what is wrong with one branch is nothing to the others
  for (const std::string& branch : names) {
    // A branch that is reset or deleted meanwhile takes its deltas with it.
    Status packed = read_steadily(store, branch, [&](const Manifest& manifest) { return packer.stack(manifest.stack); });
    if (packed || (name.empty() && !store.has_branch(branch))) continue;
    const int why = packed.error().sys;
    if (why == ECANCELED || means_full(why) || means_no_descriptor(why)) return std::move(packed).error();
    if (!first_error) first_error = std::move(packed).error();
  }
  if (first_error) return std::move(*first_error);
  return packer.report();
}

}  // namespace branchfs
