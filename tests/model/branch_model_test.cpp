// Seeded random operations on several branches against a plain model (P1, P4, P7): after every remount, live
// create, reset of caches or packing, every branch must hold exactly the bytes the model says.
#include <dirent.h>
#include <linux/falloc.h>

#include <cstdlib>
#include <random>
#include <set>

#include "layers/jobs/jobs.h"
#include "tests/model/tree_model.h"
#include "tests/support/scratch.h"

namespace branchfs::test {
namespace {

class Driver {
 public:
  Driver(ScratchStore& store, std::uint64_t seed) : store_(store), random_(seed) {
    store_.make_root("b0");
    models_["b0"] = {};
    open("b0");
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      INFO("step " << i << " on " << name_);
      step();
    }
    check_all();
  }

 private:
  std::uint64_t pick(std::uint64_t below) { return std::uniform_int_distribution<std::uint64_t>(0, below - 1)(random_); }

  // Sizes and offsets around block boundaries find more than uniform ones.
  std::uint64_t odd_size(std::uint64_t most) {
    switch (pick(4)) {
      case 0: return pick(most / kBlockSize) * kBlockSize;
      case 1: return std::min(most, pick(most / kBlockSize) * kBlockSize + pick(3));
      case 2: return pick(300);
      default: return pick(most);
    }
  }

  std::string random_bytes(std::size_t size) {
    std::string bytes(size, '\0');
    char tag = static_cast<char>('a' + pick(26));
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(tag + static_cast<char>(i % 7));
    return bytes;
  }

  void open(const std::string& name) {
    branch_.reset();
    store_.reopen();
    name_ = name;
    branch_ = store_.open(name);
  }

  TreeModel& model() { return models_[name_]; }

  Ino resolve(const std::string& path) {
    Ino at = kRootIno;
    std::size_t start = 0;
    while (start < path.size()) {
      std::size_t end = std::min(path.find('/', start), path.size());
      at = must(branch_->lookup(at, path.substr(start, end - start))).ino;
      start = end + 1;
    }
    return at;
  }
  static std::pair<std::string, std::string> split(const std::string& path) {
    auto slash = path.rfind('/');
    if (slash == std::string::npos) return {"", path};
    return {path.substr(0, slash), path.substr(slash + 1)};
  }

  std::string some_dir() {
    if (model().dirs.empty() || pick(3) == 0) return "";
    auto it = model().dirs.begin();
    std::advance(it, static_cast<std::ptrdiff_t>(pick(model().dirs.size())));
    return it->first;
  }
  std::string some_file() {
    if (model().files.empty()) return "";
    auto it = model().files.begin();
    std::advance(it, static_cast<std::ptrdiff_t>(pick(model().files.size())));
    return it->first;
  }
  std::string new_path() {
    std::string dir = some_dir();
    return (dir.empty() ? "" : dir + "/") + "n" + std::to_string(pick(60));
  }
  bool taken(const std::string& path) { return model().files.contains(path) || model().dirs.contains(path); }

  void step() {
    switch (pick(26)) {
      case 0: case 1: return create_file();
      case 2: return make_dir();
      case 3: case 4: case 5: case 6: case 7: case 8: return write();
      case 9: case 10: return truncate();
      case 11: return punch();
      case 12: return zero_range();
      case 13: return preallocate();
      case 14: return copy();
      case 15: return rename();
      case 16: return link();
      case 17: return remove();
      case 18: case 19: return read_some();
      case 20: return sync_some();
      case 21: return live_create();
      case 22: return pick(4) == 0 ? open(name_) : sync_some();
      case 23: return pick(3) == 0 ? switch_branch() : read_some();
      case 24: return pick(3) == 0 ? offline_create() : write();
      default: return pick(6) == 0 ? pack_and_collect() : write();
    }
  }

  void create_file() {
    std::string path = new_path();
    auto [dir, leaf] = split(path);
    NewNode node{resolve(dir), leaf, S_IFREG | 0644, 0, 0, 0, {}};
    auto made = branch_->create(node);
    if (taken(path)) {
      REQUIRE(!made);
      REQUIRE(made.error().to_errno() == EEXIST);
      return;
    }
    must(made);
    model().files[path] = std::make_shared<ModelFile>();
  }

  void make_dir() {
    std::string path = new_path();
    if (taken(path)) return;
    auto [dir, leaf] = split(path);
    must(branch_->create({resolve(dir), leaf, S_IFDIR | 0755, 0, 0, 0, {}}));
    model().dirs[path] = true;
  }

  void write() {
    std::string path = some_file();
    if (path.empty()) return create_file();
    std::uint64_t offset = odd_size(400'000);
    std::string data = random_bytes(1 + odd_size(60'000));
    must(branch_->write(resolve(path), offset, std::as_bytes(std::span(data))));
    model_write(*model().files[path], offset, data);
  }

  void truncate() {
    std::string path = some_file();
    if (path.empty()) return;
    SetAttr change;
    change.size = pick(4) == 0 ? 0 : odd_size(450'000);
    must(branch_->setattr(resolve(path), change));
    model().files[path]->bytes.resize(*change.size);
  }

  void punch() {
    std::string path = some_file();
    if (path.empty()) return;
    std::uint64_t offset = odd_size(400'000);
    std::uint64_t length = 1 + odd_size(100'000);
    must(branch_->allocate(resolve(path), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length));
    model_zero(*model().files[path], offset, length, true);
  }

  void zero_range() {
    std::string path = some_file();
    if (path.empty()) return;
    bool keep = pick(2) == 0;
    std::uint64_t offset = odd_size(400'000);
    std::uint64_t length = 1 + odd_size(100'000);
    must(branch_->allocate(resolve(path), FALLOC_FL_ZERO_RANGE | (keep ? FALLOC_FL_KEEP_SIZE : 0), offset, length));
    model_zero(*model().files[path], offset, length, keep);
  }

  void preallocate() {
    std::string path = some_file();
    if (path.empty()) return;
    bool keep = pick(2) == 0;
    std::uint64_t offset = odd_size(400'000);
    std::uint64_t length = 1 + odd_size(100'000);
    must(branch_->allocate(resolve(path), keep ? FALLOC_FL_KEEP_SIZE : 0, offset, length));
    auto& bytes = model().files[path]->bytes;
    if (!keep && bytes.size() < offset + length) bytes.resize(offset + length);
  }

  void copy() {
    std::string from = some_file();
    std::string to = some_file();
    if (from.empty() || model().files[from] == model().files[to]) return;
    bool aligned = pick(3) != 0;
    std::uint64_t from_offset = aligned ? pick(40) * kBlockSize : odd_size(300'000);
    std::uint64_t to_offset = aligned ? pick(40) * kBlockSize : odd_size(300'000);
    std::uint64_t length = 1 + odd_size(200'000);
    std::string& source = model().files[from]->bytes;
    std::uint64_t want = from_offset >= source.size() ? 0 : std::min<std::uint64_t>(length, source.size() - from_offset);
    std::uint64_t got = must(branch_->copy_range(resolve(from), from_offset, resolve(to), to_offset, length));
    REQUIRE(got == want);
    if (got > 0) model_write(*model().files[to], to_offset, source.substr(from_offset, got));
  }

  void rename() {
    std::string from = some_file();
    if (from.empty()) return;
    std::string to = pick(2) == 0 ? some_file() : new_path();
    if (model().dirs.contains(to)) return;
    auto [from_dir, from_leaf] = split(from);
    auto [to_dir, to_leaf] = split(to);
    must(branch_->rename(resolve(from_dir), from_leaf, resolve(to_dir), to_leaf, 0));
    auto file = model().files[from];
    if (model().files.contains(to) && model().files[to] == file) return;  // two names of one file: nothing happens
    model().files.erase(from);
    model().files[to] = file;
  }

  void link() {
    std::string from = some_file();
    std::string to = new_path();
    if (from.empty() || taken(to)) return;
    auto [dir, leaf] = split(to);
    must(branch_->link(resolve(from), resolve(dir), leaf));
    model().files[to] = model().files[from];
  }

  void remove() {
    std::string path = some_file();
    if (path.empty()) return;
    auto [dir, leaf] = split(path);
    must(branch_->unlink(resolve(dir), leaf));
    model().files.erase(path);
  }

  void read_some() {
    std::string path = some_file();
    if (!path.empty()) check_file(path);
  }

  void sync_some() {
    std::string path = some_file();
    if (path.empty()) return must(branch_->sync_all());
    must(branch_->sync(resolve(path), pick(2) == 0));
  }

  std::string next_name() { return "b" + std::to_string(models_.size()); }

  void live_create() {
    if (models_.size() >= 12) return;
    std::string child = next_name();
    TreeModel snapshot = model().deep_copy();
    store_.fork_live(*branch_, name_, child);
    models_[child] = std::move(snapshot);
  }

  void offline_create() {
    if (models_.size() >= 12) return;
    std::string child = next_name();
    TreeModel snapshot = model().deep_copy();
    branch_.reset();
    must(create_branch(**store_, child, name_, {}));
    models_[child] = std::move(snapshot);
    open(pick(2) == 0 ? child : name_);
  }

  void switch_branch() {
    auto it = models_.begin();
    std::advance(it, static_cast<std::ptrdiff_t>(pick(models_.size())));
    open(it->first);
  }

  void pack_and_collect() {
    branch_.reset();
    must(pack(**store_, name_));
    must(collect_garbage(**store_));
    open(name_);
  }

  void check_file(const std::string& path) {
    INFO("file " << path);
    Ino ino = resolve(path);
    const std::string& want = model().files[path]->bytes;
    REQUIRE(must(branch_->getattr(ino)).size == want.size());
    std::string got(want.size() + 100, 'x');
    std::size_t n = must(branch_->read(ino, 0, std::as_writable_bytes(std::span(got))));
    got.resize(n);
    if (got != want) {
      auto at = std::mismatch(got.begin(), got.end(), want.begin(), want.end()).first - got.begin();
      FAIL("differs at byte " << at << " (block " << at / kBlockSize << "): " << int(got[at]) << " for " << int(want[at]));
    }
  }

  void check_tree(const std::string& dir, std::set<std::string>& seen) {
    for (const NameEntry& entry : must(branch_->list(resolve(dir)))) {
      std::string path = (dir.empty() ? "" : dir + "/") + entry.name;
      REQUIRE(seen.insert(path).second);
      if (entry.type == DT_DIR) check_tree(path, seen);
    }
  }

  void check_all() {
    std::vector<std::string> names;
    for (const auto& [name, tree] : models_) names.push_back(name);
    for (const std::string& name : names) {
      open(name);
      INFO("branch " << name);
      std::set<std::string> want;
      for (const auto& [path, file] : model().files) want.insert(path);
      for (const auto& [path, is_dir] : model().dirs) want.insert(path);
      std::set<std::string> got;
      check_tree("", got);
      REQUIRE(got == want);
      for (const auto& [path, file] : model().files) check_file(path);
    }
    branch_.reset();
    auto report = must(verify_store(**store_));
    for (const std::string& line : report.lines) FAIL_CHECK(line);
    REQUIRE(report.problems == 0);
  }

  ScratchStore& store_;
  std::mt19937_64 random_;
  std::map<std::string, TreeModel> models_;
  std::unique_ptr<Branch> branch_;
  std::string name_;
};

TEST_CASE("branches hold what a plain model holds", "[model]") {
  const char* given = std::getenv("BRANCHFS_SEED");
  std::uint64_t first = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  const char* rounds = std::getenv("BRANCHFS_MODEL_RUNS");
  int count = given != nullptr ? 1 : rounds != nullptr ? std::atoi(rounds) : 8;
  for (int i = 0; i < count; ++i) {
    std::uint64_t seed = first + static_cast<std::uint64_t>(i);
    INFO("repeat with BRANCHFS_SEED=" << seed);
    ScratchStore store;
    Driver(store, seed).run(1500);
  }
}

}  // namespace
}  // namespace branchfs::test
