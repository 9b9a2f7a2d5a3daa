#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <unordered_map>

#include "layers/jobs/import.h"
#include "layers/jobs/publish_layer.h"

namespace branchfs {

namespace {

struct Entry {
  Attr attr;
  std::string symlink;
  std::map<std::string, Ino, std::less<>> children;  // of a directory
  // The last block, as long as it may still grow.
  std::vector<std::byte> tail;
  BlockNo tail_block;
  std::uint64_t written = 0;  // offset behind the last byte given
  [[nodiscard]] bool is_dir() const { return S_ISDIR(attr.mode); }
};

class Builder final : public TreeBuilder {
 public:
  Builder(Store& store, ObjectId id) : store_(store), id_(id) {}
  ~Builder() override {
    writer_.reset();  // removes an unfinished file itself
    if (finished_ && !published_) ignore(store_.env().unlink(store_.layer_tmp_path(id_)));
  }
  Status begin(const Attr& root);
  Result<Ino> add(const std::string& path, const Attr& attr, std::string_view symlink) override;
  Result<Ino> add_hard_link(const std::string& path, const std::string& existing) override;
  Status write(Ino ino, std::uint64_t offset, std::span<const std::byte> data) override;
  Status set_size(Ino ino, std::uint64_t size) override;
  Status remove(const std::string& path) override;
  [[nodiscard]] std::optional<Ino> find(const std::string& path) const override;
  Result<Manifest> publish(const std::string& name, Manifest manifest) override;
  [[nodiscard]] LayerWriterStats stats() const override { return writer_->stats(); }

 private:
  struct Place {
    Ino parent;
    std::string name;
  };
  [[nodiscard]] Result<Place> place_for(const std::string& path) const;
  Status link(const Place& place, Ino ino);
  void drop(Ino ino);
  Status add_data(Ino ino, BlockNo block, std::span<const std::byte> blocks);
  Status flush_tail(Ino ino, Entry& entry);
  Status write_part(Ino ino, Entry& entry, std::uint64_t offset, std::span<const std::byte> part);
  Status write_tables();
  Status make_visible(const std::string& name, Manifest& manifest);
  void pin_root_layers(LayerWriterOptions& options);

  Store& store_;
  ObjectId id_;
  // Shared locks on the layers that may be referred to: gc leaves locked layers alone, although nothing
  // reaches them through us before publish().
  std::vector<std::unique_ptr<File>> pins_;
  std::unique_ptr<LayerWriter> writer_;
  std::unordered_map<Ino, Entry> entries_;
  std::uint64_t next_ino_ = kRootIno.v + 1;
  bool finished_ = false;
  bool published_ = false;
};

Error misuse(const std::string& path, const char* why) {
  return make_error(Kind::usage, fmt::format("import \"{}\": {}", path, why));
}

// Layers without dependencies are earlier imports, which is where the same cluster may be found.
void Builder::pin_root_layers(LayerWriterOptions& options) {
  auto items = store_.env().list(store_.layers_dir());
  if (!items) return;  // the layer file cannot be made either, and that error says more
  constexpr std::string_view kSuffix = ".layer";
  std::sort(items->begin(), items->end(), [](const DirItem& a, const DirItem& b) { return a.name < b.name; });
  for (const DirItem& item : *items) {
    if (!item.name.ends_with(kSuffix)) continue;
    auto id = ObjectId::parse(std::string_view(item.name).substr(0, item.name.size() - kSuffix.size()));
    if (!id) continue;
    std::string path = store_.layer_path(*id);
    auto pin = store_.env().open(path, O_RDONLY);
    if (!pin) continue;
    auto locked = (*pin)->try_lock(LockMode::shared);
    if (!locked.ok() || !*locked || !store_.env().exists(path)) continue;
    auto layer = store_.layers().open(*id);
    if (!layer || !(*layer)->dependencies().empty()) continue;  // a damaged one is verify's business
    options.dedup_against.push_back(*std::move(layer));
    pins_.push_back(*std::move(pin));
  }
}

Status Builder::begin(const Attr& root) {
  LayerWriterOptions options;
  pin_root_layers(options);
  BFS_ASSIGN(writer_, LayerWriter::create(store_.env(), store_.layer_tmp_path(id_), id_, std::move(options)));
  Entry& entry = entries_[kRootIno];
  entry.attr = root;
  entry.attr.ino = kRootIno;
  entry.attr.nlink = 2;
  entry.attr.size = 0;
  if (!entry.is_dir()) return misuse("", "the root must be a directory");
  return {};
}

std::optional<Ino> Builder::find(const std::string& path) const {
  Ino at = kRootIno;
  for (std::size_t start = 0; start < path.size();) {
    std::size_t end = std::min(path.find('/', start), path.size());
    const Entry& dir = entries_.at(at);
    auto child = dir.children.find(std::string_view(path).substr(start, end - start));
    if (child == dir.children.end()) return std::nullopt;
    at = child->second;
    start = end + 1;
  }
  return at;
}

Result<Builder::Place> Builder::place_for(const std::string& path) const {
  std::size_t slash = path.rfind('/');
  std::string parent = slash == path.npos ? std::string() : path.substr(0, slash);
  std::string name = slash == path.npos ? path : path.substr(slash + 1);
  if (name.empty() || name.size() > kMaxNameSize || name == "." || name == "..")
    return misuse(path, "not a file name");
  auto found = find(parent);
  if (!found || !entries_.at(*found).is_dir()) return misuse(path, "its directory was not added");
  return Place{*found, std::move(name)};
}

Status Builder::link(const Place& place, Ino ino) {
  Entry& dir = entries_.at(place.parent);
  if (auto old = dir.children.find(place.name); old != dir.children.end()) drop(old->second);
  dir.children[place.name] = ino;
  if (entries_.at(ino).is_dir()) ++dir.attr.nlink;
  return {};
}

// One name of the inode goes. Its blocks stay in the file, named by nothing: replaced files are few and
// small.
void Builder::drop(Ino ino) {
  Entry& entry = entries_.at(ino);
  if (entry.is_dir() || --entry.attr.nlink == 0) entries_.erase(ino);
}

Result<Ino> Builder::add(const std::string& path, const Attr& attr, std::string_view symlink) {
  BFS_ASSIGN(Place place, place_for(path));
  if (auto existing = find(path); existing && (entries_.at(*existing).is_dir() || S_ISDIR(attr.mode))) {
    return make_error(Kind::exists,
                      fmt::format("import \"{}\": a directory and something else have this name", path));
  }
  Ino ino{next_ino_++};
  Entry& entry = entries_[ino];
  entry.attr = attr;
  entry.attr.ino = ino;
  entry.attr.nlink = entry.is_dir() ? 2 : 1;
  entry.attr.size = symlink.size();
  entry.symlink = symlink;
  BFS_TRY(link(place, ino));
  return ino;
}

Result<Ino> Builder::add_hard_link(const std::string& path, const std::string& existing) {
  BFS_ASSIGN(Place place, place_for(path));
  auto ino = find(existing);
  if (!ino || entries_.at(*ino).is_dir()) return misuse(path, "what it links to was not added");
  if (auto old = find(path); old && (entries_.at(*old).is_dir() || *old == *ino))
    return misuse(path, "the name is taken");
  ++entries_.at(*ino).attr.nlink;
  BFS_TRY(link(place, *ino));
  return *ino;
}

Status Builder::remove(const std::string& path) {
  BFS_ASSIGN(Place place, place_for(path));
  auto ino = find(path);
  if (!ino) return make_error(Kind::not_found, fmt::format("import \"{}\": there is no such file", path));
  if (entries_.at(*ino).is_dir()) {
    while (!entries_.at(*ino).children.empty()) {
      BFS_TRY(remove(path + "/" + entries_.at(*ino).children.begin()->first));
    }
    --entries_.at(place.parent).attr.nlink;
  }
  entries_.at(place.parent).children.erase(place.name);
  drop(*ino);
  return {};
}

// --- data --------------------------------------------------------------------------------------------

Status Builder::add_data(Ino ino, BlockNo block, std::span<const std::byte> blocks) {
  Status added = writer_->add_data(ino, block, blocks);
  if (added || !means_full(added.error().sys)) return added;
  return Error{Kind::failed, added.error().sys, fmt::format("the filesystem of {} is full", store_.dir()),
               "free space there and import again; nothing of this import is left"};
}

Status Builder::flush_tail(Ino ino, Entry& entry) {
  if (entry.tail.empty()) return {};
  Status added = add_data(ino, entry.tail_block, entry.tail);
  entry.tail = {};
  return added;
}

// Bytes within one block.
Status Builder::write_part(Ino ino, Entry& entry, std::uint64_t offset, std::span<const std::byte> part) {
  BlockNo block = block_of(offset);
  if (!entry.tail.empty() && entry.tail_block != block) BFS_TRY(flush_tail(ino, entry));
  if (entry.tail.empty()) {
    entry.tail.resize(kBlockSize);
    entry.tail_block = block;
  }
  std::size_t at = offset % kBlockSize;
  std::memcpy(entry.tail.data() + at, part.data(), part.size());
  return at + part.size() == kBlockSize ? flush_tail(ino, entry) : Status{};
}

Status Builder::write(Ino ino, std::uint64_t offset, std::span<const std::byte> data) {
  auto found = entries_.find(ino);
  if (found == entries_.end() || !S_ISREG(found->second.attr.mode))
    return misuse(std::to_string(ino.v), "not a file");
  Entry& entry = found->second;
  if (offset < entry.written) return misuse(std::to_string(ino.v), "its data does not come in order");
  entry.written = offset + data.size();
  entry.attr.size = std::max(entry.attr.size, entry.written);
  while (!data.empty()) {
    std::size_t n = std::min<std::size_t>(data.size(), kBlockSize - offset % kBlockSize);
    if (n == kBlockSize) {
      BFS_TRY(flush_tail(ino, entry));
      n = data.size() - data.size() % kBlockSize;
      BFS_TRY(add_data(ino, block_of(offset), data.first(n)));
    } else {
      BFS_TRY(write_part(ino, entry, offset, data.first(n)));
    }
    offset += n;
    data = data.subspan(n);
  }
  return {};
}

Status Builder::set_size(Ino ino, std::uint64_t size) {
  auto found = entries_.find(ino);
  if (found == entries_.end() || !S_ISREG(found->second.attr.mode))
    return misuse(std::to_string(ino.v), "not a file");
  Entry& entry = found->second;
  if (size < entry.written) return misuse(std::to_string(ino.v), "it is larger than its size");
  entry.attr.size = size;
  entry.written = std::max(size, offset_of(BlockNo{blocks_for(entry.written)}));
  return flush_tail(ino, entry);
}

// --- publishing --------------------------------------------------------------------------------------

Status Builder::write_tables() {
  // In the order in which they came, so that equal imports give equal files.
  std::vector<Ino> order;
  for (const auto& [ino, entry] : entries_) order.push_back(ino);
  std::sort(order.begin(), order.end());
  for (Ino ino : order) {
    Entry& entry = entries_.at(ino);
    BFS_TRY(flush_tail(ino, entry));
    BFS_TRY(writer_->add_inode(entry.attr, entry.symlink));
    for (const auto& [name, child] : entry.children) {
      auto type = static_cast<std::uint8_t>((entries_.at(child).attr.mode & S_IFMT) >> 12U);
      BFS_TRY(writer_->add_name(ino, name, child, type));
    }
  }
  return {};
}

// The store lock spans layer and manifest: gc finds both or neither.
Status Builder::make_visible(const std::string& name, Manifest& manifest) {
  BFS_ASSIGN(StoreLock lock, store_.lock());
  published_ = true;  // from here on the temporary file is not ours to remove
  BFS_TRY(publish_layer(store_, id_, &lock));
  auto made = create_root(store_, lock, name, std::move(manifest));
  if (!made) {
    ignore(store_.env().unlink(store_.layer_path(id_)));  // the first error is the one to report
    return std::move(made).error();
  }
  manifest = *std::move(made);
  return {};
}

Result<Manifest> Builder::publish(const std::string& name, Manifest manifest) {
  BFS_TRY(write_tables());
  manifest.created = store_.env().now().tv_sec;
  Status finished = writer_->finish(manifest.created);
  if (!finished) return std::move(finished).error().context("write the imported layer");
  finished_ = true;
  manifest.stack = {id_};
  manifest.delta = {};
  manifest.next_ino = Ino{next_ino_};
  BFS_TRY(make_visible(name, manifest));
  return manifest;
}

}  // namespace

Result<std::unique_ptr<TreeBuilder>> TreeBuilder::create(Store& store, const Attr& root) {
  auto builder = std::make_unique<Builder>(store, store.env().new_id());
  BFS_TRY(builder->begin(root));
  return std::unique_ptr<TreeBuilder>(std::move(builder));
}

}  // namespace branchfs
