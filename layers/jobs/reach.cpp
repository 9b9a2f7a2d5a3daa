#include "layers/jobs/reach.h"

#include <sys/stat.h>

#include "layers/delta/edit.h"
#include "layers/delta/journal.h"

namespace branchfs {

Status Reach::add(const Manifest& manifest, ObjectSet& reached) {
  for (ObjectId id : manifest.stack) BFS_TRY(follow(id, reached));
  if (manifest.delta.valid()) BFS_TRY(follow(manifest.delta, reached));
  return {};
}

Status Reach::follow(ObjectId first, ObjectSet& reached) {
  std::vector<ObjectId> todo{first};
  while (!todo.empty()) {
    ObjectId id = todo.back();
    todo.pop_back();
    if (!reached.insert(id).second) continue;
    LayerPtr& layer = layers_[id];
    BFS_TRY(open_layer(id, layer));
    if (!layer) {
      auto references = references_of_delta(id);
      if (references) todo.insert(todo.end(), references->begin(), references->end());
      if (references) continue;
      // Packed and collected since we looked for the layer? If not, what it needed cannot be told.
      if (references.error().sys == ENOENT) BFS_TRY(open_layer(id, layer));
      if (!layer) return std::move(references).error().context("delta " + id.hex());
    }
    for (const LayerPtr& dependency : layer->dependencies()) todo.push_back(dependency->id());
  }
  return {};
}

Status Reach::open_layer(ObjectId id, LayerPtr& layer) {
  if (layer) return {};
  auto st = store_.env().stat(store_.layer_path(id));
  if (!st && st.error().sys == ENOENT) return {};
  if (!st) return std::move(st).error();
  BFS_ASSIGN(layer, store_.layers().open(id));
  return {};
}

Result<std::vector<ObjectId>> Reach::references_of_delta(ObjectId id) {
  std::string path = store_.delta_dir(id) + "/journal";
  BFS_ASSIGN(struct ::stat st, store_.env().stat(path));
  Journal& known = journals_[id];
  auto size = static_cast<std::uint64_t>(st.st_size);
  if (known.size == size) return known.references;
  ObjectSet elements;
  auto scan = branchfs::Journal::scan(
      store_.env(), path, id, [&](RecordType type, std::span<const std::byte> payload) -> Status {
        constexpr std::size_t kUnsyncedHead = 16;  // boot hash and inode come before the edit
        if (type == RecordType::unsynced && payload.size() >= kUnsyncedHead)
          payload = payload.subspan(kUnsyncedHead);
        BFS_ASSIGN(Edit edit, Edit::decode(payload));
        for (const CloneItem& clone : edit.clones) elements.insert(clone.element);
        return {};
      });
  if (!scan) return std::move(scan).error();
  known.size = size;
  known.references.assign(elements.begin(), elements.end());
  return known.references;
}

std::uint64_t host_bytes(Env& env, const std::string& path) {
  auto st = env.stat(path);
  if (!st) return 0;
  std::uint64_t bytes = static_cast<std::uint64_t>(st->st_blocks) * 512;
  if (!S_ISDIR(st->st_mode)) return bytes;
  auto items = env.list(path);
  if (!items) return bytes;
  for (const DirItem& item : *items) bytes += host_bytes(env, path + "/" + item.name);
  return bytes;
}

}  // namespace branchfs
