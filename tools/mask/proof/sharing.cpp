#include <sys/stat.h>

#include <algorithm>
#include <unordered_set>

#include "layers/jobs/tree_reader.h"
#include "tools/mask/proof/proof.h"

namespace branchfs::mask {

// What is the branch's own is asked, not what is the parent's: a layer of the parent's names blocks of layers below it that no stack lists.
Result<std::vector<FileFacts>> list_sharing(std::shared_ptr<Store> store, const std::string& branch,
                                            const std::vector<ObjectId>& parent_stack) {
  BFS_ASSIGN(auto reader, TreeReader::open(std::move(store), branch));
  const Manifest& manifest = reader->manifest();
  std::unordered_set<ObjectId> own(manifest.stack.begin(), manifest.stack.end());
  own.insert(manifest.delta);
  for (const ObjectId& id : parent_stack) own.erase(id);
  std::vector<FileFacts> files;
  auto add = [&](const TreeReader::Entry& entry) -> Status {
    if (!S_ISREG(entry.attr.mode)) return {};
    FileFacts& facts = files.emplace_back(FileFacts{entry.path, entry.attr.size, 0, 0});
    return reader->runs(entry.attr.ino, [&](const TreeReader::Stored& run) -> Status {
      facts.blocks += run.blocks.count;
      if (!own.contains(run.element)) facts.shared_blocks += run.blocks.count;
      return {};
    });
  };
  BFS_TRY(reader->entries(add));
  std::sort(files.begin(), files.end(), [](const FileFacts& a, const FileFacts& b) { return a.path < b.path; });
  return files;
}

}  // namespace branchfs::mask
