#include "tests/fault/memory_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>

namespace branchfs::test {
namespace {

constexpr Inode kRoot = 1;
constexpr std::size_t kSector = 512;

void put(std::string& bytes, std::uint64_t offset, std::string_view data) {
  if (bytes.size() < offset + data.size()) bytes.resize(offset + data.size());
  std::copy(data.begin(), data.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset));
}

void apply_whole(const DataChange& change, std::string& bytes) {
  if (change.resize) {
    bytes.resize(change.offset);
  } else {
    put(bytes, change.offset, change.bytes);
  }
}

class Uniform final : public Fate {
 public:
  Uniform(bool names, bool data) : names_(names), data_(data) {}
  bool keeps(const NameChange&) override { return names_; }
  void apply(const DataChange& change, std::string& bytes) override {
    if (data_) apply_whole(change, bytes);
  }

 private:
  bool names_, data_;
};

class NamesOnly final : public Fate {
 public:
  bool keeps(const NameChange&) override { return true; }
  void apply(const DataChange& change, std::string& bytes) override {
    const std::uint64_t size = change.offset + (change.resize ? 0 : change.bytes.size());
    if (change.resize || size > bytes.size()) bytes.resize(size);
  }
};

class Random final : public Fate {
 public:
  explicit Random(std::uint64_t seed) : random_(seed) {}
  bool keeps(const NameChange&) override { return coin(); }
  void apply(const DataChange& change, std::string& bytes) override {
    switch (random_() % 3) {
      case 0: return;
      case 1: return apply_whole(change, bytes);
      default: break;
    }
    if (change.resize) return;
    const std::string_view data = change.bytes;
    for (std::size_t at = 0; at < data.size();) {
      const std::size_t end = std::min(data.size(), at + kSector - (change.offset + at) % kSector);
      if (coin()) put(bytes, change.offset + at, data.substr(at, end - at));
      at = end;
    }
  }

 private:
  bool coin() { return random_() % 2 == 0; }
  std::mt19937_64 random_;
};

}  // namespace

bool NameChange::touches(Inode dir) const {
  return std::any_of(bindings.begin(), bindings.end(), [&](const Binding& b) { return b.dir == dir; });
}

bool NameChange::overlaps(const NameChange& other) const {
  return std::any_of(bindings.begin(), bindings.end(), [&](const Binding& a) {
    return std::any_of(other.bindings.begin(), other.bindings.end(),
                       [&](const Binding& b) { return a.dir == b.dir && a.name == b.name; });
  });
}

std::unique_ptr<Fate> make_fate(Cut cut, std::uint64_t seed) {
  switch (cut) {
    case Cut::lost: return std::make_unique<Uniform>(false, false);
    case Cut::kept: return std::make_unique<Uniform>(true, true);
    case Cut::data_only: return std::make_unique<Uniform>(false, true);
    case Cut::names_only: return std::make_unique<NamesOnly>();
    case Cut::random: break;
  }
  return std::make_unique<Random>(seed);
}

static void apply_names(const NameChange& change, std::map<Inode, DiskNode>& nodes) {
  for (const NameChange::Binding& binding : change.bindings) {
    if (binding.to == 0) {
      nodes[binding.dir].names.erase(binding.name);
    } else {
      nodes[binding.dir].names[binding.name] = binding.to;
    }
  }
}

DiskImage after_cut(const DiskImage& image, Fate& fate) {
  DiskImage after = image;
  for (const auto& change : after.pending) {
    if (fate.keeps(*change)) apply_names(*change, after.nodes);
  }
  after.pending.clear();
  for (auto& [inode, node] : after.nodes) {
    if (node.pending.empty()) continue;
    std::string bytes = *node.bytes;
    for (const auto& change : node.pending) fate.apply(*change, bytes);
    node.bytes = std::make_shared<std::string>(std::move(bytes));
    node.pending.clear();
  }
  // What no name leads to is gone.
  std::set<Inode> reachable;
  std::vector<Inode> open{kRoot};
  while (!open.empty()) {
    const Inode inode = open.back();
    open.pop_back();
    if (!reachable.insert(inode).second) continue;
    for (const auto& [name, to] : after.nodes[inode].names) open.push_back(to);
  }
  std::erase_if(after.nodes, [&](const auto& item) { return !reachable.contains(item.first); });
  return after;
}

MemoryDisk::MemoryDisk() {
  disk_.nodes[kRoot].mode = S_IFDIR | 0755;
  nodes_[kRoot].links = 1;
}

MemoryDisk::MemoryDisk(DiskImage image) : disk_(std::move(image)) {
  for (const auto& [inode, node] : after_cut(disk_, *make_fate(Cut::kept, 0)).nodes) {
    nodes_[inode].bytes = *node.bytes;
    nodes_[inode].names = node.names;
    used_ += node.bytes->size();
    for (const auto& [name, to] : node.names) ++nodes_[to].links;
  }
}

DiskImage MemoryDisk::image() const {
  std::lock_guard lock(mutex_);
  return disk_;
}

void MemoryDisk::set_capacity(std::uint64_t bytes) {
  std::lock_guard lock(mutex_);
  capacity_ = bytes;
}

std::uint64_t MemoryDisk::used() const {
  std::lock_guard lock(mutex_);
  return used_;
}

Result<MemoryDisk::Place> MemoryDisk::find(const std::string& path) {
  Place place{0, "", kRoot};
  for (std::size_t start = 1; start < path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    if (place.node == 0) return sys_error(path, ENOENT);
    if (!S_ISDIR(disk_.nodes[place.node].mode)) return sys_error(path, ENOTDIR);
    place.dir = place.node;
    place.name = path.substr(start, end - start);
    const auto& names = nodes_[place.dir].names;
    const auto found = names.find(place.name);
    place.node = found == names.end() ? 0 : found->second;
    start = end + 1;
  }
  return place;
}

void MemoryDisk::bind(std::vector<NameChange::Binding> bindings) {
  for (const NameChange::Binding& binding : bindings) {
    auto& names = nodes_[binding.dir].names;
    if (const auto old = names.find(binding.name); old != names.end()) {
      Node& gone = nodes_[old->second];
      if (--gone.links == 0) used_ -= gone.bytes.size();
    }
    if (binding.to == 0) {
      names.erase(binding.name);
    } else {
      names[binding.name] = binding.to;
      if (++nodes_[binding.to].links == 1) used_ += nodes_[binding.to].bytes.size();
    }
  }
  disk_.pending.push_back(std::make_shared<NameChange>(NameChange{std::move(bindings)}));
}

Result<Inode> MemoryDisk::open(const std::string& path, int flags, ::mode_t mode) {
  std::lock_guard lock(mutex_);
  BFS_ASSIGN(const Place place, find(path));
  if (place.node != 0) {
    if ((flags & O_CREAT) != 0 && (flags & O_EXCL) != 0) return sys_error("open " + path, EEXIST);
    if ((flags & O_TRUNC) != 0) change(place.node, {true, 0, {}});
    return place.node;
  }
  if ((flags & O_CREAT) == 0) return sys_error("open " + path, ENOENT);
  const Inode made = disk_.next++;
  disk_.nodes[made].mode = S_IFREG | mode;
  bind({{place.dir, place.name, made}});
  return made;
}

Status MemoryDisk::make_dir(const std::string& path, ::mode_t mode) {
  std::lock_guard lock(mutex_);
  BFS_ASSIGN(const Place place, find(path));
  if (place.node != 0) return sys_error("create directory " + path, EEXIST);
  const Inode made = disk_.next++;
  disk_.nodes[made].mode = S_IFDIR | mode;
  bind({{place.dir, place.name, made}});
  return {};
}

Status MemoryDisk::rename(const std::string& from, const std::string& to, unsigned flags) {
  std::lock_guard lock(mutex_);
  BFS_ASSIGN(const Place source, find(from));
  BFS_ASSIGN(const Place target, find(to));
  if (source.node == 0) return sys_error("rename " + from, ENOENT);
  if ((flags & RENAME_NOREPLACE) != 0 && target.node != 0) return sys_error("rename " + from + " to " + to, EEXIST);
  if ((flags & RENAME_EXCHANGE) != 0) {
    if (target.node == 0) return sys_error("rename " + from + " to " + to, ENOENT);
    bind({{source.dir, source.name, target.node}, {target.dir, target.name, source.node}});
    return {};
  }
  if (target.node != 0 && !nodes_[target.node].names.empty()) return sys_error("rename " + from + " to " + to, ENOTEMPTY);
  bind({{target.dir, target.name, source.node}, {source.dir, source.name, 0}});
  return {};
}

Status MemoryDisk::unlink(const std::string& path) {
  std::lock_guard lock(mutex_);
  BFS_ASSIGN(const Place place, find(path));
  if (place.node == 0) return sys_error("remove " + path, ENOENT);
  if (S_ISDIR(disk_.nodes[place.node].mode)) return sys_error("remove " + path, EISDIR);
  bind({{place.dir, place.name, 0}});
  return {};
}

Status MemoryDisk::remove_dir(const std::string& path) {
  std::lock_guard lock(mutex_);
  BFS_ASSIGN(const Place place, find(path));
  if (place.node == 0) return sys_error("remove directory " + path, ENOENT);
  if (!nodes_[place.node].names.empty()) return sys_error("remove directory " + path, ENOTEMPTY);
  bind({{place.dir, place.name, 0}});
  return {};
}

// Everything pending about names in `dir`, and whatever came before about the same names, is on the disk.
void MemoryDisk::settle_dir(Inode dir) {
  auto& pending = disk_.pending;
  std::vector<bool> settled(pending.size());
  for (std::size_t i = pending.size(); i-- > 0;) {
    settled[i] = settled[i] || pending[i]->touches(dir);
    if (!settled[i]) continue;
    for (std::size_t earlier = 0; earlier < i; ++earlier) {
      if (pending[earlier]->overlaps(*pending[i])) settled[earlier] = true;
    }
  }
  std::vector<std::shared_ptr<const NameChange>> left;
  for (std::size_t i = 0; i < pending.size(); ++i) {
    if (settled[i]) {
      apply_names(*pending[i], disk_.nodes);
    } else {
      left.push_back(pending[i]);
    }
  }
  pending = std::move(left);
}

Status MemoryDisk::sync_dir(const std::string& path) {
  std::lock_guard lock(mutex_);
  BFS_ASSIGN(const Place place, find(path));
  if (place.node == 0) return sys_error("open directory " + path, ENOENT);
  settle_dir(place.node);
  return {};
}

void MemoryDisk::settle(Inode node) {
  DiskNode& disk = disk_.nodes[node];
  if (disk.pending.empty()) return;
  disk.bytes = std::make_shared<std::string>(nodes_[node].bytes);
  disk.pending.clear();
}

void MemoryDisk::sync_all() {
  std::lock_guard lock(mutex_);
  for (const auto& change : disk_.pending) apply_names(*change, disk_.nodes);
  disk_.pending.clear();
  for (auto& [inode, node] : disk_.nodes) settle(inode);
}

Result<std::vector<DirItem>> MemoryDisk::list(const std::string& path) {
  std::lock_guard lock(mutex_);
  BFS_ASSIGN(const Place place, find(path));
  if (place.node == 0) return sys_error("open directory " + path, ENOENT);
  std::vector<DirItem> items;
  for (const auto& [name, to] : nodes_[place.node].names) {
    items.push_back({name, static_cast<unsigned char>(S_ISDIR(disk_.nodes[to].mode) ? DT_DIR : DT_REG)});
  }
  return items;
}

Result<struct ::stat> MemoryDisk::stat(const std::string& path) {
  Inode node = 0;
  {
    std::lock_guard lock(mutex_);
    BFS_ASSIGN(const Place place, find(path));
    node = place.node;
  }
  if (node == 0) return sys_error("stat " + path, ENOENT);
  return stat(node);
}

struct ::stat MemoryDisk::stat(Inode inode) {
  std::lock_guard lock(mutex_);
  const Node& node = nodes_[inode];
  struct ::stat st {};
  st.st_dev = 1;
  st.st_ino = inode;
  st.st_mode = disk_.nodes[inode].mode;
  st.st_uid = ::geteuid();
  st.st_gid = ::getegid();
  st.st_nlink = node.links;
  st.st_size = static_cast<off_t>(node.bytes.size());
  st.st_blksize = 4096;
  st.st_blocks = static_cast<blkcnt_t>((node.bytes.size() + kSector - 1) / kSector);
  st.st_atim = node.atime;
  st.st_mtim = st.st_ctim = node.mtime;
  return st;
}

Result<std::size_t> MemoryDisk::read(Inode inode, std::span<std::byte> out, std::uint64_t offset) {
  std::lock_guard lock(mutex_);
  const std::string& bytes = nodes_[inode].bytes;
  if (offset >= bytes.size()) return std::size_t{0};
  const std::size_t size = std::min<std::uint64_t>(out.size(), bytes.size() - offset);
  std::memcpy(out.data(), bytes.data() + offset, size);
  return size;
}

// Room for `bytes` more, or ENOSPC.
Status MemoryDisk::grow(std::uint64_t bytes) {
  if (capacity_ != 0 && used_ + bytes > capacity_) return sys_error("write", ENOSPC);
  used_ += bytes;
  return {};
}

void MemoryDisk::change(Inode inode, DataChange change) {
  Node& node = nodes_[inode];
  const std::size_t before = node.bytes.size();
  apply_whole(change, node.bytes);
  if (node.bytes.size() < before && node.links > 0) used_ -= before - node.bytes.size();
  ::clock_gettime(CLOCK_REALTIME, &node.mtime);
  disk_.nodes[inode].pending.push_back(std::make_shared<DataChange>(std::move(change)));
}

Status MemoryDisk::write(Inode inode, std::span<const std::byte> data, std::uint64_t offset) {
  std::lock_guard lock(mutex_);
  const std::uint64_t size = nodes_[inode].bytes.size();
  const std::uint64_t end = offset + data.size();
  // Holes are counted as if they took space: fuller sooner than a real disk.
  if (end > size) BFS_TRY(grow(end - size));
  change(inode, {false, offset, std::string(reinterpret_cast<const char*>(data.data()), data.size())});
  return {};
}

Status MemoryDisk::append(Inode inode, std::span<const std::byte> data) {
  std::lock_guard lock(mutex_);
  BFS_TRY(grow(data.size()));
  change(inode, {false, nodes_[inode].bytes.size(), std::string(reinterpret_cast<const char*>(data.data()), data.size())});
  return {};
}

Status MemoryDisk::resize(Inode inode, std::uint64_t size) {
  std::lock_guard lock(mutex_);
  const std::uint64_t before = nodes_[inode].bytes.size();
  if (size > before) BFS_TRY(grow(size - before));
  change(inode, {true, size, {}});
  return {};
}

Status MemoryDisk::allocate(Inode inode, int mode, std::uint64_t offset, std::uint64_t length) {
  std::lock_guard lock(mutex_);
  const std::uint64_t size = nodes_[inode].bytes.size();
  if ((mode & FALLOC_FL_KEEP_SIZE) == 0 && offset + length > size) {
    BFS_TRY(grow(offset + length - size));
    change(inode, {true, offset + length, {}});
  }
  if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0 && offset < nodes_[inode].bytes.size()) {
    change(inode, {false, offset, std::string(std::min<std::uint64_t>(length, nodes_[inode].bytes.size() - offset), '\0')});
  }
  return {};
}

Status MemoryDisk::sync(Inode node) {
  std::lock_guard lock(mutex_);
  if (S_ISDIR(disk_.nodes[node].mode)) {
    settle_dir(node);
  } else {
    settle(node);
  }
  return {};
}

void MemoryDisk::set_times(Inode node, const struct ::timespec times[2]) {
  std::lock_guard lock(mutex_);
  nodes_[node].atime = times[0];
  nodes_[node].mtime = times[1];
}

std::string MemoryDisk::bytes(Inode node) const {
  std::lock_guard lock(mutex_);
  return nodes_.at(node).bytes;
}

bool MemoryDisk::try_lock(Inode inode, const void* holder, LockMode mode) {
  std::lock_guard lock(mutex_);
  auto& locks = nodes_[inode].locks;
  for (const auto& [other, held] : locks) {
    if (other != holder && (mode == LockMode::exclusive || held == LockMode::exclusive)) return false;
  }
  locks[holder] = mode;
  return true;
}

void MemoryDisk::unlock(Inode node, const void* holder) {
  std::lock_guard lock(mutex_);
  nodes_[node].locks.erase(holder);
}

}  // namespace branchfs::test
