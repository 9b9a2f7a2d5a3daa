#include "tests/model/threads_worker.h"

#include <dirent.h>
#include <linux/falloc.h>
#include <sys/stat.h>

#include <fmt/format.h>

namespace branchfs::test {
namespace {

constexpr std::uint64_t kMostBytes = 120'000;

std::pair<std::string, std::string> split(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

// An inode while it is used: gives back the references that its lookup took.
class Held {
 public:
  Held(Branch& branch, const std::string& path) : branch_(&branch) {
    std::size_t start = 0;
    while (start < path.size()) {
      const std::size_t end = std::min(path.find('/', start), path.size());
      auto found = branch.lookup(ino_, path.substr(start, end - start));
      release();
      ino_ = want(std::move(found), "lookup " + path).ino;
      start = end + 1;
    }
  }
  Held(Branch& branch, Ino ino) : branch_(&branch), ino_(ino) {}
  ~Held() { release(); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  [[nodiscard]] Ino ino() const { return ino_; }

 private:
  void release() {
    if (ino_ != kRootIno) branch_->forget(ino_, 1);
  }
  Branch* branch_;
  Ino ino_ = kRootIno;
};

std::string read_file(Branch& branch, Ino ino, const std::string& path) {
  const std::uint64_t size = want(branch.getattr(ino), "getattr " + path).size;
  std::string bytes(size + 100, 'x');
  bytes.resize(want(branch.read(ino, 0, std::as_writable_bytes(std::span(bytes))), "read " + path));
  if (bytes.size() != size) throw Finding(fmt::format("{}: {} bytes read of {}", path, bytes.size(), size));
  return bytes;
}

std::string compare_bytes(const std::string& want, const std::string& got) {
  if (want == got) return {};
  const auto at = static_cast<std::size_t>(std::mismatch(got.begin(), got.begin() + static_cast<std::ptrdiff_t>(std::min(got.size(), want.size())), want.begin()).first - got.begin());
  return fmt::format("differs at byte {} (block {}); {} bytes, not {}", at, at / kBlockSize, got.size(), want.size());
}

bool is_mine(const std::string& path, unsigned index) {
  const std::string own = fmt::format("w{}", index);
  return path == own || path.starts_with(own + "/") || path.starts_with("shared/" + own + "-");
}

void read_dir(Branch& branch, const std::string& dir, Tree& tree) {
  const Held here(branch, dir);
  for (const NameEntry& entry : want(branch.list(here.ino()), "list " + dir)) {
    const std::string path = (dir.empty() ? "" : dir + "/") + entry.name;
    if (entry.type == DT_DIR) {
      tree.dirs.insert(path);
      read_dir(branch, path, tree);
    } else {
      const Held file(branch, path);
      tree.files[path] = {file.ino(), read_file(branch, file.ino(), path)};
    }
  }
}

}  // namespace

void Change::apply(TreeModel& model) const {
  switch (kind) {
    case Kind::create: model.files[path] = std::make_shared<ModelFile>(); break;
    case Kind::mkdir: model.dirs[path] = true; break;
    case Kind::write: model_write(*model.files[path], offset, data); break;
    case Kind::truncate: model.files[path]->bytes.resize(length); break;
    case Kind::punch: model_zero(*model.files[path], offset, length, true); break;
    case Kind::zero: model_zero(*model.files[path], offset, length, keep_size); break;
    case Kind::copy: model_write(*model.files[path], offset, std::string(model.files[to]->bytes.substr(from, length))); break;
    case Kind::link: model.files[to] = model.files[path]; break;
    case Kind::remove: model.files.erase(path); break;
    case Kind::rmdir: model.dirs.erase(path); break;
    case Kind::rename: {
      if (auto file = model.files.find(path); file != model.files.end()) {
        const auto moved = file->second;
        if (const auto target = model.files.find(to); target != model.files.end() && target->second == moved) break;  // two names of one
        model.files.erase(file);
        model.files[to] = moved;
        break;
      }
      const auto follow = [&](auto& names) {
        for (auto it = names.begin(); it != names.end();) {
          if (!(it->first == path || it->first.starts_with(path + "/"))) {
            ++it;
            continue;
          }
          auto node = names.extract(it++);
          node.key() = to + node.key().substr(path.size());
          names.insert(std::move(node));
        }
      };
      follow(model.files);
      follow(model.dirs);
    }
  }
}

std::string Change::text() const {
  static constexpr const char* kNames[] = {"create", "mkdir", "write", "truncate", "punch", "zero", "copy", "rename", "link", "remove", "rmdir"};
  return fmt::format("{} {} {} at {} length {}", kNames[static_cast<std::size_t>(kind)], path, to, offset, data.empty() ? length : data.size());
}

Tree read_tree(Branch& branch) {
  Tree tree;
  read_dir(branch, "", tree);
  return tree;
}

std::string difference(const TreeModel& want, const Tree& got, unsigned index) {
  std::size_t files = 0;
  std::map<const ModelFile*, Ino> inodes;
  for (const auto& [path, entry] : got.files) {
    if (!is_mine(path, index)) continue;
    ++files;
    const auto wanted = want.files.find(path);
    if (wanted == want.files.end()) return path + " should not be there";
    if (const std::string bytes = compare_bytes(wanted->second->bytes, entry.bytes); !bytes.empty()) return path + ' ' + bytes;
    if (inodes.try_emplace(wanted->second.get(), entry.ino).first->second != entry.ino) return path + " is a link no more";
  }
  std::size_t dirs = 0;
  for (const std::string& path : got.dirs) {
    if (!is_mine(path, index)) continue;
    ++dirs;
    if (!want.dirs.contains(path)) return path + " should not be there";
  }
  if (files != want.files.size()) return fmt::format("{} files, not {}", files, want.files.size());
  if (dirs != want.dirs.size()) return fmt::format("{} directories, not {}", dirs, want.dirs.size());
  std::set<Ino> different;
  for (const auto& [file, ino] : inodes) different.insert(ino);
  return different.size() == inodes.size() ? "" : "two files have become one";
}

Worker::Worker(unsigned index, std::uint64_t seed, TreeModel model, Clock& clock)
    : index_(index), random_(seed), model_(std::move(model)), first_(model_.deep_copy()), clock_(clock) {}

void Worker::run(Branch& branch, unsigned steps) {
  branch_ = &branch;
  for (unsigned i = 0; i < steps; ++i) step();
  branch_ = nullptr;
}

// Sizes and offsets around block boundaries find more than uniform ones.
std::uint64_t Worker::odd_size(std::uint64_t most) {
  switch (pick(4)) {
    case 0: return pick(most / kBlockSize + 1) * kBlockSize;
    case 1: return std::min(most, pick(most / kBlockSize + 1) * kBlockSize + pick(3));
    case 2: return pick(300);
    default: return pick(most);
  }
}

std::string Worker::random_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  const std::uint64_t tag = random_();
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>('a' + (tag >> (i % 57)) % 23);
  return bytes;
}

std::string Worker::some_file() {
  if (model_.files.empty()) return "";
  auto it = model_.files.begin();
  std::advance(it, static_cast<std::ptrdiff_t>(pick(model_.files.size())));
  return it->first;
}
std::string Worker::some_dir() {
  auto it = model_.dirs.begin();
  std::advance(it, static_cast<std::ptrdiff_t>(pick(model_.dirs.size())));
  return it->first;
}
std::string Worker::new_path() {
  if (pick(3) == 0) return fmt::format("shared/w{}-n{}", index_, pick(8));
  return fmt::format("{}/n{}", some_dir(), pick(12));
}

template <class Action>
void Worker::make(Change change, Action action) {
  change.before = clock_.fetch_add(1);
  changes_.push_back(std::move(change));
  started_.store(changes_.size());
  const Change& made = changes_.back();
  action(made);
  changes_.back().after = clock_.fetch_add(1);
  completed_.store(changes_.size());
  made.apply(model_);
}

void Worker::step() {
  switch (pick(24)) {
    case 0: case 1: return create();
    case 2: return make_dir();
    case 3: case 4: case 5: case 6: case 7: case 8: return write();
    case 9: case 10: return truncate();
    case 11: case 12: return clear();
    case 13: return copy();
    case 14: case 15: return rename();
    case 16: return link();
    case 17: return remove();
    case 18: return remove_dir();
    case 19: return use_removed();
    case 20: case 21: return check_some();
    case 22: return look_at_others();
    default: break;
  }
  if (const std::string path = some_file(); !path.empty()) {
    const Held file(*branch_, path);
    return want(branch_->sync(file.ino(), pick(2) == 0), "sync " + path);
  }
  want(branch_->sync_dir(kRootIno), "sync of the root");
}

void Worker::create() {
  const std::string path = new_path();
  const auto [dir, leaf] = split(path);
  const Held parent(*branch_, dir);
  if (taken(path)) {
    const auto refused = branch_->create({parent.ino(), leaf, S_IFREG | 0644, 0, 0, 0, {}});
    if (refused || refused.error().to_errno() != EEXIST) throw Finding(path + " was created twice");
    return;
  }
  make({.kind = Change::Kind::create, .path = path}, [&](const Change&) {
    const Held made(*branch_, want(branch_->create({parent.ino(), leaf, S_IFREG | 0644, 0, 0, 0, {}}), "create " + path).ino);
  });
}

void Worker::make_dir() {
  const std::string path = fmt::format("{}/n{}", some_dir(), pick(12));
  if (taken(path) || model_.dirs.size() > 5) return;
  const auto [dir, leaf] = split(path);
  const Held parent(*branch_, dir);
  make({.kind = Change::Kind::mkdir, .path = path}, [&](const Change&) {
    const Held made(*branch_, want(branch_->create({parent.ino(), leaf, S_IFDIR | 0755, 0, 0, 0, {}}), "mkdir " + path).ino);
  });
}

void Worker::write() {
  const std::string path = some_file();
  if (path.empty()) return create();
  const Held file(*branch_, path);
  Change change{.kind = Change::Kind::write, .path = path, .offset = odd_size(kMostBytes)};
  change.data = random_bytes(1 + odd_size(30'000));
  make(std::move(change), [&](const Change& c) {
    want(branch_->write(file.ino(), c.offset, std::as_bytes(std::span(c.data))), "write " + path);
  });
}

void Worker::truncate() {
  const std::string path = some_file();
  if (path.empty()) return;
  const Held file(*branch_, path);
  make({.kind = Change::Kind::truncate, .path = path, .length = pick(4) == 0 ? 0 : odd_size(kMostBytes + 30'000)}, [&](const Change& c) {
    SetAttr size;
    size.size = c.length;
    want(branch_->setattr(file.ino(), size), "truncate " + path);
  });
}

void Worker::clear() {
  const std::string path = some_file();
  if (path.empty()) return;
  const Held file(*branch_, path);
  Change change{.kind = pick(2) == 0 ? Change::Kind::punch : Change::Kind::zero, .path = path, .offset = odd_size(kMostBytes), .length = 1 + odd_size(40'000)};
  change.keep_size = change.kind == Change::Kind::punch || pick(2) == 0;
  make(std::move(change), [&](const Change& c) {
    const int how = (c.kind == Change::Kind::punch ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE) | (c.keep_size ? FALLOC_FL_KEEP_SIZE : 0);
    want(branch_->allocate(file.ino(), how, c.offset, c.length), c.text());
  });
}

// Whole blocks, or one piece that is read and written: a copy of several parts is not one change.
void Worker::copy() {
  const std::string to = some_file();
  const std::string from = some_file();
  if (to.empty() || model_.files[from] == model_.files[to]) return;
  const std::uint64_t size = model_.files[from]->bytes.size();
  Change change{.kind = Change::Kind::copy, .path = to, .to = from};
  if (pick(3) != 0) {
    if (size < kBlockSize) return;
    change.from = pick(size / kBlockSize) * kBlockSize;
    change.offset = pick(kMostBytes / kBlockSize) * kBlockSize;
    change.length = (1 + pick((size - change.from) / kBlockSize)) * kBlockSize;
    if (change.from + change.length > size) return;
  } else {
    if (size < 4) return;
    change.from = 1 + pick((size - 1) / 2) * 2;  // odd
    change.offset = odd_size(kMostBytes);
    change.length = std::min(size - change.from, 1 + odd_size(40'000));
  }
  const Held source(*branch_, from);
  const Held target(*branch_, to);
  make(std::move(change), [&](const Change& c) {
    const std::uint64_t done = want(branch_->copy_range(source.ino(), c.from, target.ino(), c.offset, c.length), c.text());
    if (done != c.length) throw Finding(fmt::format("{}: {} bytes copied", c.text(), done));
  });
}

void Worker::rename() {
  const std::string own = fmt::format("w{}", index_);
  const bool of_dir = pick(3) == 0;
  const std::string from = of_dir ? some_dir() : some_file();
  if (from.empty() || from == own) return;
  const std::string to = of_dir ? fmt::format("{}/n{}", some_dir(), pick(12)) : (pick(2) == 0 ? some_file() : new_path());
  if (model_.dirs.contains(to) || (of_dir && (taken(to) || to.starts_with(from + "/")))) return;
  const auto [from_dir, from_leaf] = split(from);
  const auto [to_dir, to_leaf] = split(to);
  const Held source(*branch_, from_dir);
  const Held target(*branch_, to_dir);
  make({.kind = Change::Kind::rename, .path = from, .to = to}, [&, from_leaf = from_leaf, to_leaf = to_leaf](const Change& c) {
    want(branch_->rename(source.ino(), from_leaf, target.ino(), to_leaf, 0), c.text());
  });
}

void Worker::link() {
  const std::string from = some_file();
  const std::string to = new_path();
  if (from.empty() || taken(to)) return;
  const auto [dir, leaf] = split(to);
  const Held file(*branch_, from);
  const Held parent(*branch_, dir);
  make({.kind = Change::Kind::link, .path = from, .to = to}, [&, leaf = leaf](const Change& c) {
    const Held linked(*branch_, want(branch_->link(file.ino(), parent.ino(), leaf), c.text()).ino);
  });
}

void Worker::remove() {
  const std::string path = some_file();
  if (path.empty()) return;
  const auto [dir, leaf] = split(path);
  const Held parent(*branch_, dir);
  make({.kind = Change::Kind::remove, .path = path}, [&, leaf = leaf](const Change& c) { want(branch_->unlink(parent.ino(), leaf), c.text()); });
}

void Worker::remove_dir() {
  const std::string path = some_dir();
  if (path == fmt::format("w{}", index_)) return;
  const auto below = [&](const auto& names) {
    const auto next = names.upper_bound(path + "/");
    return next != names.end() && next->first.starts_with(path + "/");
  };
  const auto [dir, leaf] = split(path);
  const Held parent(*branch_, dir);
  if (below(model_.files) || below(model_.dirs)) {
    const Status refused = branch_->rmdir(parent.ino(), leaf);
    if (refused || refused.error().to_errno() != ENOTEMPTY) throw Finding(path + " was removed with files in it");
    return;
  }
  make({.kind = Change::Kind::rmdir, .path = path}, [&, leaf = leaf](const Change& c) { want(branch_->rmdir(parent.ino(), leaf), c.text()); });
}

// A file that has no name any more and is still open.
void Worker::use_removed() {
  const std::string path = some_file();
  if (path.empty()) return;
  const auto file_bytes = model_.files[path];
  const Held file(*branch_, path);
  const auto [dir, leaf] = split(path);
  const Held parent(*branch_, dir);
  make({.kind = Change::Kind::remove, .path = path}, [&, leaf = leaf](const Change& c) { want(branch_->unlink(parent.ino(), leaf), c.text()); });
  if (file_bytes.use_count() > 1) return;  // it has another name
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t offset = odd_size(kMostBytes);
    const std::string data = random_bytes(1 + odd_size(20'000));
    want(branch_->write(file.ino(), offset, std::as_bytes(std::span(data))), "write " + path + ", removed");
    model_write(*file_bytes, offset, data);
    const std::string differs = compare_bytes(file_bytes->bytes, read_file(*branch_, file.ino(), path));
    if (!differs.empty()) throw Finding(path + ", removed and still open, " + differs);
  }
}

void Worker::check_some() {
  const std::string path = some_file();
  if (path.empty()) return;
  const Held file(*branch_, path);
  const std::string differs = compare_bytes(model_.files[path]->bytes, read_file(*branch_, file.ino(), path));
  if (!differs.empty()) throw Finding(path + ' ' + differs);
}

// Names of others come and go; ours in the same directory must be there.
void Worker::look_at_others() {
  const Held shared(*branch_, "shared");
  std::set<std::string> names;
  for (const NameEntry& entry : want(branch_->list(shared.ino()), "list shared")) {
    if (!names.insert(entry.name).second) throw Finding("shared holds " + entry.name + " twice");
    const auto found = branch_->lookup(shared.ino(), entry.name);
    if (!found) {
      if (found.error().to_errno() != ENOENT) want(found, "lookup shared/" + entry.name);
      continue;
    }
    const Held other(*branch_, found->ino);
    std::string bytes(5000, '\0');
    want(branch_->read(other.ino(), pick(20'000), std::as_writable_bytes(std::span(bytes))), "read shared/" + entry.name);
  }
  for (const auto& [path, file] : model_.files) {
    if (path.starts_with("shared/") && !names.contains(path.substr(7))) throw Finding(path + " is missing in the listing");
  }
}

}  // namespace branchfs::test
