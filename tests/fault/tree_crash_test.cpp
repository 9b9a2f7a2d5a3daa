// Directories under power cuts: what is found afterwards is the whole tree as it was after one of the
// operations since the last sync that was acknowledged (P2, P8). Seeded histories of names alone: making,
// removing, moving, exchanging, linking, in nested directories, with live children. BRANCHFS_SEED repeats
// one, BRANCHFS_HISTORIES says how many there are.
#include <cstdlib>

#include "layers/jobs/import.h"
#include "layers/jobs/jobs.h"
#include "tests/fault/crash_check.h"
#include "tests/support/fork_live.h"
#include "tests/support/must.h"

namespace branchfs::test {
namespace {

using Picture = std::map<std::string, std::string>;  // type, links and target by path

void look(Branch& branch, Ino dir, const std::string& path, Picture& picture) {
  for (const NameEntry& entry : must(branch.list(dir))) {
    const std::string below = path + "/" + entry.name;
    const Attr attr = must(branch.lookup(dir, entry.name));
    std::string& text = picture[below];
    text = std::to_string(attr.mode) + " x" + std::to_string(attr.nlink);
    if (S_ISLNK(attr.mode)) text += " -> " + must(branch.readlink(attr.ino));
    if (S_ISDIR(attr.mode)) look(branch, attr.ino, below, picture);
    branch.forget(attr.ino, 1);
  }
}

Picture picture_of(Branch& branch) {
  Picture picture;
  look(branch, kRootIno, "", picture);
  return picture;
}

std::unique_ptr<Branch> open(const std::shared_ptr<Store>& store, OpenMode mode) {
  BranchOptions options;
  options.mode = mode;
  options.flush_interval = 0;
  options.sums = false;
  return must(Branch::open(store, "main", options));
}

// Names at random; what a program may not do is refused, and nothing happens.
class Walker {
 public:
  Walker(Branch& branch, std::uint64_t seed) : branch_(branch), random_(seed) {}

  void step() {
    const Ino dir = some_dir();
    const std::string name = some_name();
    switch (pick(11)) {
      case 0:
      case 1:
        make(dir, name, S_IFDIR | 0700);
        break;
      case 2:
        make(dir, name, S_IFREG | 0600);
        break;
      case 3:
        make(dir, name, S_IFLNK | 0777);
        break;
      case 4:
        ignore(branch_.unlink(dir, name));
        break;
      case 5:
        ignore(branch_.rmdir(dir, name));
        break;
      case 6:
        link(dir, name);
        break;
      case 7:
        ignore(branch_.rename(dir, name, some_dir(), some_name(), 2U /* RENAME_EXCHANGE */));
        break;
      default:
        ignore(branch_.rename(dir, name, some_dir(), some_name(), 0));
        break;
    }
  }
  [[nodiscard]] std::size_t pick(std::size_t below) { return static_cast<std::size_t>(random_() % below); }

 private:
  std::string some_name() { return std::string(1, static_cast<char>('a' + pick(4))); }
  Ino some_dir() {
    Ino at = kRootIno;
    for (std::size_t depth = pick(4); depth > 0; --depth) {
      auto below = branch_.lookup(at, some_name());
      if (!below) break;
      branch_.forget(below->ino, 1);
      if (!S_ISDIR(below->mode)) break;
      at = below->ino;
    }
    return at;
  }
  void make(Ino dir, const std::string& name, std::uint32_t mode) {
    NewNode node;
    node.parent = dir;
    node.name = name;
    node.mode = mode;
    if (S_ISLNK(mode)) node.symlink = "elsewhere";
    if (auto made = branch_.create(node)) branch_.forget(made->ino, 1);
  }
  void link(Ino dir, const std::string& name) {
    auto file = branch_.lookup(dir, name);
    if (!file) return;
    if (auto linked = branch_.link(file->ino, some_dir(), some_name())) branch_.forget(file->ino, 1);
    branch_.forget(file->ino, 1);
  }

  Branch& branch_;
  std::mt19937_64 random_;
};

struct Moment {
  DiskImage image;
  std::string call;
  std::size_t synced = 0;  // the picture that is there at least
  std::size_t done = 0;    // the last one that was complete
};

class History {
 public:
  explicit History(std::uint64_t seed) : env_(disk_, next_process(), next_process()), seed_(seed) {
    must(Store::init(env_, kStore));
    store_ = must(Store::open(env_, kStore));
    Attr root;
    root.ino = kRootIno;
    root.mode = S_IFDIR | 0755;
    root.nlink = 2;
    auto builder = must(TreeBuilder::create(*store_, root));
    Attr dir = root;
    for (const char* path : {"a", "a/b", "a/b/c", "b"}) must(builder->add(path, dir));
    Attr file;
    file.mode = S_IFREG | 0600;
    file.nlink = 1;
    for (const char* path : {"a/a", "a/b/d", "c"}) must(builder->add(path, file));
    must(builder->publish("main", {}));
  }

  void live(std::size_t steps) {
    auto branch = open(store_, OpenMode::read_write);
    must(branch->sync_all());
    pictures_.push_back(picture_of(*branch));
    env_.hook = [this](const DiskCall& call) -> Status {
      std::lock_guard lock(mutex_);
      if (call.changes)
        moments_.push_back(
            {disk_.image(), std::string(call.name) + " " + call.path, synced_, pictures_.size() - 1});
      return {};
    };
    Walker walker(*branch, seed_);
    for (std::size_t i = 0; i < steps; ++i) {
      walker.step();
      Picture now = picture_of(*branch);
      {
        std::lock_guard lock(mutex_);
        pictures_.push_back(std::move(now));
      }
      if (walker.pick(6) == 0) acknowledged(branch->sync_dir(kRootIno));
      if (walker.pick(12) == 0) must(branch->flush());
      if (walker.pick(15) == 0) must(fork_live(*store_, *branch, "main", "child" + std::to_string(i)));
    }
    branch.reset();
    synced_ = pictures_.size() - 1;
    moments_.push_back({disk_.image(), "anything more", synced_, pictures_.size() - 1});
    env_.hook = {};
  }

  void check() const {
    for (std::size_t number = 0; number < moments_.size(); ++number) {
      const Moment& moment = moments_[number];
      for (const Cut cut : {Cut::lost, Cut::kept, Cut::names_only, Cut::data_only, Cut::random})
        check(moment, number, cut);
    }
  }
  [[nodiscard]] std::size_t size() const { return moments_.size(); }

 private:
  void acknowledged(Status status) {
    must(std::move(status));
    std::lock_guard lock(mutex_);
    synced_ = pictures_.size() - 1;
  }

  void check(const Moment& moment, std::size_t number, Cut cut) const {
    INFO("seed " << seed_ << ", moment " << number << ", before " << moment.call << ", cut "
                 << static_cast<int>(cut));
    MemoryDisk disk(after_cut(moment.image, *make_fate(cut, seed_ + number)));
    MemoryEnv env(disk, next_process(), next_process());
    auto store = must(Store::open(env, kStore));
    const auto verified = must(verify_store(*store));
    if (verified.problems > 0) FAIL("verify: " << verified.lines.at(0));
    const Picture found = picture_of(*open(store, OpenMode::read_write));
    const std::size_t end = std::min(moment.done + 2, pictures_.size());  // what was under way may be there
    for (std::size_t i = moment.synced; i < end; ++i) {
      if (pictures_[i] == found) return;
    }
    FAIL("the tree is none of those after operations " << moment.synced << " to " << end - 1);
  }

  MemoryDisk disk_;
  MemoryEnv env_;
  std::uint64_t seed_;
  std::shared_ptr<Store> store_;
  mutable std::mutex mutex_;  // the engine's own threads make calls, too
  std::vector<Picture> pictures_;
  std::vector<Moment> moments_;
  std::size_t synced_ = 0;
};

TEST_CASE("a tree after a power cut is one that it has been since the last sync", "[crash]") {
  const char* one = std::getenv("BRANCHFS_SEED");
  const char* many = std::getenv("BRANCHFS_HISTORIES");
  const std::uint64_t first = one != nullptr ? std::strtoull(one, nullptr, 10) : std::random_device{}();
  const std::uint64_t count = one != nullptr ? 1 : many != nullptr ? std::strtoull(many, nullptr, 10) : 4;
  std::size_t moments = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    History history(seed);
    history.live(80);
    history.check();
    moments += history.size();
  }
  WARN("from seed " << first << ": " << moments << " moments");
}

}  // namespace
}  // namespace branchfs::test
