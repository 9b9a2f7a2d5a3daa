#include "tools/commands/branch_view.h"

#include <fmt/format.h>

#include "tools/text.h"

namespace branchfs {

namespace {

// Names alone, without reading manifests: for a suggestion.
std::vector<std::string> branch_names(const Store& store) {
  std::vector<std::string> names;
  auto items = store.env().list(store.branches_dir());
  if (!items) return names;
  for (const DirItem& item : *items) {
    if (auto name = Store::decode_branch_dir(item.name)) names.push_back(*name);
  }
  return names;
}

void add_sizes(Env& env, const std::string& dir, std::uint64_t& total) {
  auto items = env.list(dir);
  if (!items) return;  // the branch goes on living while we look
  for (const DirItem& item : *items) {
    const std::string path = dir + "/" + item.name;
    auto stat = env.stat(path);
    if (!stat) continue;
    if (S_ISDIR(stat->st_mode)) {
      add_sizes(env, path, total);
    } else {
      total += static_cast<std::uint64_t>(stat->st_blocks) * 512;
    }
  }
}

std::string name_by_id(const Store& store, const Manifest& manifest) {
  // The name at creation is right unless the parent was renamed.
  auto parent = store.read_manifest(manifest.parent_name);
  if (parent && parent->id == manifest.parent) return manifest.parent_name;
  auto found = store.name_of(manifest.parent);
  return found ? *found : manifest.parent_name;
}

}  // namespace

Result<BranchInfo> find_branch(const Store& store, const std::string& name) {
  BFS_TRY(check_branch_name(name));
  auto manifest = store.read_manifest(name);
  if (manifest) return BranchInfo{name, *std::move(manifest)};
  Error error = std::move(manifest).error();
  if (error.kind == Kind::not_found) {
    const std::string guess = nearest(name, branch_names(store));
    error.hint = guess.empty() ? "branchfs list shows what there is" : fmt::format("did you mean {}?", guess);
  }
  return error;
}

Result<std::string> default_parent(const Store& store) {
  BFS_ASSIGN(const std::vector<BranchInfo> all, store.list());
  std::vector<std::string> roots;
  for (const BranchInfo& branch : all) {
    if (!branch.manifest.parent.valid()) roots.push_back(branch.name);
  }
  if (roots.empty()) return make_error(Kind::not_found, "the store has no branch yet", "branchfs import NAME --pgdata DIR");
  if (roots.size() > 1) {
    return make_error(Kind::usage, fmt::format("the store has several roots: {}", enumerate(roots)),
                      "choose one with --from");
  }
  return roots.front();
}

std::uint64_t own_bytes(const Store& store, const Manifest& manifest) {
  std::uint64_t total = 0;
  if (!manifest.delta.valid()) return total;  // made by the first mount
  add_sizes(store.env(), store.delta_dir(manifest.delta), total);
  return total;
}

Result<BranchView> view_branch(const Store& store, const BranchInfo& branch,
                               const std::map<ObjectId, std::string>* parents) {
  BranchView view;
  view.branch = branch;
  BFS_ASSIGN(const BranchState state, observe(store, branch));
  view.state = branch.manifest.state == "ready" ? state.word() : branch.manifest.state;
  view.mountpoint = state.mountpoint;
  view.own = own_bytes(store, branch.manifest);
  if (!branch.manifest.parent.valid()) return view;
  if (parents != nullptr) {
    const auto found = parents->find(branch.manifest.parent);
    view.parent = found != parents->end() ? found->second : branch.manifest.parent_name;
  } else {
    view.parent = name_by_id(store, branch.manifest);
  }
  return view;
}

nlohmann::json to_json(const BranchView& view) {
  const Manifest& manifest = view.branch.manifest;
  auto or_null = [](const std::string& text) { return text.empty() ? nlohmann::json() : nlohmann::json(text); };
  const int port = facts_of(manifest).port;
  return {{"name", view.branch.name},
          {"id", manifest.id.hex()},
          {"parent", or_null(view.parent)},
          {"origin", manifest.origin},
          {"created", format_utc(manifest.created)},
          {"expires", manifest.expires == 0 ? nlohmann::json() : nlohmann::json(format_utc(manifest.expires))},
          {"protected", manifest.is_protected},
          {"state", view.state},
          {"mountpoint", or_null(view.mountpoint)},
          {"own_bytes", view.own},
          {"port", port == 0 ? nlohmann::json() : nlohmann::json(port)}};
}

}  // namespace branchfs
