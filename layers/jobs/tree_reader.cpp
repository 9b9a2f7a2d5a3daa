#include "layers/jobs/tree_reader.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <unordered_set>

#include "layers/io/data_ranges.h"
#include "layers/jobs/steady.h"

namespace branchfs {

Result<std::unique_ptr<TreeReader>> TreeReader::open(std::shared_ptr<Store> store, const std::string& branch) {
  return read_steadily(*store, branch, [&](const Manifest& manifest) -> Result<std::unique_ptr<TreeReader>> {
    std::unique_ptr<TreeReader> reader(new TreeReader(manifest));
    BFS_ASSIGN(reader->view_, View::open(store, manifest.stack, manifest.delta, false));
    return reader;
  });
}

Result<NodePtr> TreeReader::node(Ino ino) {
  BFS_ASSIGN(NodePtr found, view_->node(ino));
  if (!found) return make_error(Kind::damaged, fmt::format("a name leads to inode {}, which does not exist", ino.v));
  return found;
}

Status TreeReader::entries(const std::function<Status(const Entry&)>& visit) {
  struct Dir {
    Ino ino;
    std::string path;
  };
  BFS_ASSIGN(NodePtr root, node(kRootIno));
  BFS_TRY(visit({"", root->attr, ""}));
  std::vector<Dir> todo{{kRootIno, ""}};
  std::unordered_set<Ino> seen{kRootIno};
  while (!todo.empty()) {
    const Dir dir = std::move(todo.back());
    todo.pop_back();
    BFS_ASSIGN(NodePtr parent, node(dir.ino));
    auto each_name = [&](std::string_view name, Node::Name value) -> Status {
      BFS_ASSIGN(NodePtr child, node(value.ino));
      std::string path = dir.path.empty() ? std::string(name) : dir.path + "/" + std::string(name);
      BFS_TRY(visit({path, child->attr, child->symlink}));
      if (!child->is_dir()) return {};
      // A second name would make a loop, or as many paths as there are ways.
      if (!seen.insert(value.ino).second) {
        return make_error(Kind::damaged, fmt::format("directory inode {} has a second name", value.ino.v));
      }
      todo.push_back({value.ino, std::move(path)});
      return {};
    };
    BFS_TRY(view_->for_each_name(*parent, each_name));
  }
  return {};
}

Status TreeReader::each_run(Ino ino, std::uint64_t from, std::uint64_t to,
                            const std::function<Status(BlockNo, const Run&)>& visit) {
  BFS_ASSIGN(NodePtr file, node(ino));
  const std::uint64_t end = blocks_for(std::min(to, file->attr.size));
  for (BlockNo block = block_of(from); block.v < end;) {
    Run run;
    {
      std::shared_lock lock(file->mutex);
      BFS_ASSIGN(run, view_->resolve(*file, block, end - block.v));
    }
    if (run.count == 0) return make_error(Kind::damaged, fmt::format("inode {} has a bad block map", ino.v));
    run.count = std::min(run.count, end - block.v);
    if (run.from != Run::From::zeros) BFS_TRY(visit(block, run));
    block.v += run.count;
  }
  return {};
}

Status TreeReader::runs(Ino ino, const std::function<Status(const Stored&)>& visit) {
  return each_run(ino, 0, UINT64_MAX, [&](BlockNo block, const Run& run) {
    const ObjectId element = run.from == Run::From::delta ? view_->delta(run.delta).id() : run.extent.layer->id();
    return visit({{block, run.count}, element});
  });
}

Status TreeReader::data(Ino ino, std::uint64_t from, std::uint64_t to,
                        const std::function<Status(std::uint64_t, std::uint64_t)>& visit) {
  // Neighbours are told as one: a layer's runs are as short as its chunks.
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  auto add = [&](std::uint64_t first, std::uint64_t last) -> Status {
    first = std::max(first, from);
    if (first != end && begin != end) BFS_TRY(visit(begin, end));
    if (first != end) begin = first;
    end = last;
    return {};
  };
  BFS_ASSIGN(NodePtr file, node(ino));
  to = std::min(to, file->attr.size);
  auto add_run = [&](BlockNo block, const Run& run) -> Status {
    const std::uint64_t start = offset_of(block);
    const std::uint64_t stop = std::min(offset_of(BlockNo{block.v + run.count}), to);
    if (run.from == Run::From::layer) return add(start, stop);
    BFS_ASSIGN(auto host, view_->data_file(run.delta, run.ino, false));
    if (!host) return add(start, stop);  // read() says what is missing
    const std::uint64_t there = offset_of(run.block);
    for (std::uint64_t at = there, limit = there + (stop - start); at < limit;) {
      BFS_ASSIGN(DataRange range, view_->next_data(run, *host, at, limit));
      if (range.begin < range.end) BFS_TRY(add(start + (range.begin - there), start + (range.end - there)));
      at = range.end;
    }
    return {};
  };
  BFS_TRY(each_run(ino, from, to, add_run));
  return begin == end ? Status{} : visit(begin, end);
}

Status TreeReader::read(Ino ino, std::uint64_t offset, std::span<std::byte> out) {
  BFS_ASSIGN(NodePtr file, node(ino));
  return view_->read(*file, offset, out);
}

}  // namespace branchfs
