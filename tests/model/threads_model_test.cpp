// Several threads on several open branches of one store, each thread against a model of its own part, while others create (from
// branches that are being written, and from closed ones), reset, rename, delete, pack, compact, collect, verify and sync, and the
// branches are closed and opened again (P1, P4, P7, P10). A child of a branch that was being written must be one instant of it: of each
// thread a number of changes, and no change that came after one that is missing.
#include <cstdlib>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include <fmt/format.h>

#include "layers/jobs/jobs.h"
#include "tests/model/threads_worker.h"
#include "tests/support/hook_env.h"
#include "tests/support/scratch.h"

namespace branchfs::test {
namespace {

constexpr unsigned kSlots = 3;    // branches that are open at once
constexpr unsigned kWorkers = 3;  // threads on each
constexpr unsigned kSteps = 200;  // of each before the branch is closed and opened again
constexpr unsigned kRounds = 3;
constexpr std::size_t kMostBranches = 12;

struct Known {
  std::string parent;
  std::vector<TreeModel> parts;  // one for each worker
};

std::vector<TreeModel> copy_of(const std::vector<TreeModel>& parts) {
  std::vector<TreeModel> copies;
  for (const TreeModel& part : parts) copies.push_back(part.deep_copy());
  return copies;
}

// A branch that is written.
struct Slot {
  std::string name;
  std::shared_mutex mutex;  // `branch`: shared to use it, exclusive to close and open it
  std::unique_ptr<Branch> branch;
  std::vector<std::unique_ptr<Worker>> workers;
};

// A child taken of a slot's branch, and how far each worker had come before and after.
struct Taken {
  std::string child;
  unsigned slot = 0;
  std::uint64_t before = 0, after = 0;  // by the Clock
  std::vector<std::uint64_t> least, most;
};

class World {
 public:
  explicit World(std::uint64_t seed) : seed_(seed), store_(env_) {
    env_.pretend_sync = true;
    // Syncs take their time, so that others come in between.
    env_.hook = [](const std::string& call, const std::string&) -> Status {
      thread_local unsigned calls = 0;
      if (call == "sync" && ++calls % 5 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
      return {};
    };
    store_.make_root("b0");
    auto branch = store_.open("b0");
    Known root;
    std::vector<std::string> dirs = {"shared"};
    for (unsigned w = 0; w < kWorkers; ++w) {
      dirs.push_back(fmt::format("w{}", w));
      root.parts.emplace_back().dirs[dirs.back()] = true;
    }
    for (const std::string& dir : dirs) must(branch->create({kRootIno, dir, S_IFDIR | 0755, 0, 0, 0, {}}));
    branch.reset();
    known_["b0"] = std::move(root);
    for (unsigned i = 1; i < kSlots; ++i) {
      const std::string name = next_name();
      must(create_branch(**store_, name, "b0", {}));
      known_[name] = {"b0", copy_of(known_["b0"].parts)};
    }
  }

  [[nodiscard]] std::uint64_t changes() const { return changes_; }
  [[nodiscard]] std::uint64_t instants() const { return instants_; }

  void run() {
    for (unsigned round = 0; round < kRounds; ++round) {
      INFO("round " << round);
      this->round(round);
      if (finding_) FAIL(*finding_);
    }
    check_everything();
  }

 private:
  std::string next_name() { return fmt::format("b{}", ++names_given_); }

  template <class Body>
  std::thread guarded(std::string who, Body body) {
    return std::thread([this, who = std::move(who), body] {
      try {
        body();
      } catch (const Finding& finding) {
        tell(who + ": " + finding.what());
      }
    });
  }
  void tell(const std::string& text) {
    const std::lock_guard lock(finding_mutex_);
    if (!finding_) finding_ = text;
  }

  void round(unsigned number) {
    std::mt19937_64 random(seed_ * 1000 + number);
    std::vector<std::string> names;
    for (const auto& [name, branch] : known_) names.push_back(name);
    std::shuffle(names.begin(), names.end(), random);
    std::vector<std::unique_ptr<Slot>> slots;
    for (unsigned s = 0; s < kSlots; ++s) {
      slots.push_back(std::make_unique<Slot>());
      slots[s]->name = names[s];
      for (unsigned w = 0; w < kWorkers; ++w) {
        slots[s]->workers.push_back(std::make_unique<Worker>(w, random(), std::move(known_[names[s]].parts[w]), clock_));
      }
      known_[names[s]].parts.clear();
    }
    taken_.clear();
    std::atomic<unsigned> writing{kSlots};
    std::vector<std::thread> threads;
    for (const auto& slot : slots) {
      threads.push_back(guarded("branch " + slot->name, [this, &slot = *slot, &writing] {
        const struct Done {
          std::atomic<unsigned>& writing;
          ~Done() { --writing; }
        } done{writing};
        write(slot);
      }));
    }
    const std::uint64_t first = random();
    const std::uint64_t second = random();
    threads.push_back(guarded("branches", [&, first] { change_branches(slots, writing, first); }));
    threads.push_back(guarded("jobs", [&, second] { do_jobs(slots, writing, second); }));
    for (std::thread& thread : threads) thread.join();
    if (finding_) return;
    for (const auto& slot : slots) {
      for (const auto& worker : slot->workers) {
        known_[slot->name].parts.push_back(worker->model().deep_copy());
        changes_ += worker->changes().size();
      }
    }
    for (const Taken& taken : taken_) check_instant(*slots[taken.slot], taken);
  }

  // --- who writes --------------------------------------------------------------------------------

  void write(Slot& slot) {
    for (int time = 0; time < 2; ++time) {
      {
        const std::unique_lock lock(slot.mutex);
        slot.branch = want(Branch::open(*store_, slot.name, {.flush_interval = time == 0 ? 1U : 0U}), "open " + slot.name);
      }
      std::vector<std::thread> crew;
      for (const auto& worker : slot.workers) {
        crew.push_back(guarded(fmt::format("branch {}, thread {}", slot.name, worker->index()),
                               [&worker = *worker, branch = slot.branch.get()] { worker.run(*branch, kSteps); }));
      }
      for (std::thread& thread : crew) thread.join();
      const std::unique_lock lock(slot.mutex);
      want(slot.branch->sync_all(), "sync of " + slot.name);
      slot.branch.reset();
    }
  }

  // --- who creates, resets, renames, deletes -------------------------------------------------------

  void change_branches(std::vector<std::unique_ptr<Slot>>& slots, const std::atomic<unsigned>& writing, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    const auto pick = [&](std::uint64_t below) { return std::uniform_int_distribution<std::uint64_t>(0, below - 1)(random); };
    const auto store = want(Store::open(env_, store_.path()), "open the store");  // as another process would
    while (writing > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(pick(8)));
      std::vector<std::string> closed;  // and with known content
      for (const auto& [name, branch] : known_) {
        if (!branch.parts.empty()) closed.push_back(name);
      }
      const bool room = known_.size() + taken_.size() < kMostBranches;
      const auto what = pick(10);
      if (what < 5) {
        if (room) take(*store, slots, static_cast<unsigned>(pick(kSlots)));
      } else if (!closed.empty()) {
        const std::string name = closed[pick(closed.size())];
        if (what < 7 && room) create_from(*store, name);
        if (what == 7) reset(*store, name);
        if (what == 8) rename(*store, name);
        if (what == 9) remove(*store, name);
      }
    }
  }

  // A job may have it open just now: then nothing has happened.
  static bool happened(const Status& status, const std::string& what) {
    if (!status && status.error().kind == Kind::busy) return false;
    want(status, what);
    return true;
  }

  void take(Store& store, std::vector<std::unique_ptr<Slot>>& slots, unsigned index) {
    Slot& slot = *slots[index];
    const std::shared_lock lock(slot.mutex);
    if (!slot.branch) return;
    Taken taken;
    taken.child = next_name();
    taken.slot = index;
    const StoreLock held = want(store.lock(), "lock the store");
    Manifest manifest = want(store.read_manifest(slot.name), "read the manifest of " + slot.name);
    for (const auto& worker : slot.workers) taken.least.push_back(worker->completed());
    taken.before = clock_.fetch_add(1);
    const Frozen frozen = want(slot.branch->freeze(held, slot.name), "freeze " + slot.name);
    taken.after = clock_.fetch_add(1);
    for (const auto& worker : slot.workers) taken.most.push_back(worker->started());
    Manifest child;
    child.parent = manifest.id;
    child.parent_name = slot.name;
    child.stack = frozen.stack;
    child.next_ino = frozen.next_ino;
    child.origin = "branch";
    want(create_root(store, held, taken.child, child), "create from " + slot.name);
    taken_.push_back(std::move(taken));
  }

  void create_from(Store& store, const std::string& parent) {
    const std::string child = next_name();
    const auto made = create_branch(store, child, parent, {});
    if (happened(made ? Status{} : Status{made.error()}, "create from " + parent)) known_[child] = {parent, copy_of(known_[parent].parts)};
  }

  void reset(Store& store, const std::string& name) {
    const std::string parent = known_[name].parent;
    if (parent.empty() || known_[parent].parts.empty()) return;
    const auto done = reset_branch(store, name);
    if (happened(done ? Status{} : Status{done.error()}, "reset " + name)) known_[name].parts = copy_of(known_[parent].parts);
  }

  void rename(Store& store, const std::string& name) {
    const std::string to = next_name();
    if (!happened(rename_branch(store, name, to), "rename " + name)) return;
    auto node = known_.extract(name);
    node.key() = to;
    known_.insert(std::move(node));
    for (auto& [child, branch] : known_) {
      if (branch.parent == name) branch.parent = to;
    }
  }

  void remove(Store& store, const std::string& name) {
    if (known_.size() < kSlots + 2) return;
    for (const auto& [child, branch] : known_) {
      if (branch.parent == name) return;
    }
    if (happened(delete_branch(store, name), "delete " + name)) known_.erase(name);
  }

  // --- who looks after the store -------------------------------------------------------------------

  template <class T>
  static void documented(const Result<T>& result, const std::string& what) {
    if (result) return;
    const Kind kind = result.error().kind;
    if (kind != Kind::busy && kind != Kind::not_found && kind != Kind::refused) want(result, what);
  }
  static void sound(const Result<VerifyReport>& report, const std::string& what) {
    documented(report, what);
    if (report && report->problems > 0) throw Finding(what + ": " + report->lines.front());
  }

  void do_jobs(std::vector<std::unique_ptr<Slot>>& slots, const std::atomic<unsigned>& writing, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    const auto pick = [&](std::uint64_t below) { return std::uniform_int_distribution<std::uint64_t>(0, below - 1)(random); };
    const auto store = want(Store::open(env_, store_.path()), "open the store");
    while (writing > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(pick(10)));
      const auto all = want(store->list(), "list");
      const std::string name = all[pick(all.size())].name;
      Slot& slot = *slots[pick(kSlots)];
      if (pick(4) == 0) env_.clock_offset = static_cast<std::int64_t>(pick(200'000)) - 100'000;  // and the clock jumps
      switch (pick(9)) {
        case 0: case 1: documented(pack(*store, name), "pack " + name); break;
        case 2: documented(pack(*store, ""), "pack"); break;
        case 3: documented(compact(*store, name), "compact " + name); break;
        case 4: case 5: documented(collect_garbage(*store), "gc"); break;
        case 6: sound(verify_branch(*store, name), "verify " + name); break;
        case 7: documented(usage(*store, name), "du " + name); break;
        default: {
          const std::shared_lock lock(slot.mutex);
          if (slot.branch) want(pick(2) == 0 ? slot.branch->sync_all() : slot.branch->flush(), "sync of " + slot.name);
        }
      }
    }
  }

  // --- what must be ------------------------------------------------------------------------------

  Tree tree_of(const std::string& name) { return read_tree(*store_.open(name, OpenMode::read_only)); }

  // A time by the Clock at which the instant may have been.
  struct Span {
    std::uint64_t from = 0, to = 0;
  };

  // When the worker had changed what the child holds and nothing more: of each worker the child has the first so many changes, and
  // several numbers may give the same tree.
  std::vector<Span> moments(const Worker& worker, const Taken& taken, const Tree& tree, TreeModel& found) {
    const auto& changes = worker.changes();
    const unsigned w = worker.index();
    std::vector<Span> spans;
    std::string why;
    TreeModel model = worker.first().deep_copy();
    for (std::uint64_t k = 0; k <= taken.most[w]; ++k) {  // the first k changes, and no further ones
      if (k > 0) changes[k - 1].apply(model);
      if (k < taken.least[w]) continue;
      const std::string differs = difference(model, tree, w);
      if (differs.empty()) {
        if (spans.empty()) found = model.deep_copy();
        spans.push_back({k > 0 ? changes[k - 1].before : 0, k < changes.size() ? changes[k].after : UINT64_MAX});
      } else {
        why += fmt::format("\n  after {} changes ({}): {}", k, k > 0 ? changes[k - 1].text() : "none", differs);
      }
    }
    if (spans.empty()) FAIL("what thread " << w << " wrote is at no moment what the child holds:" << why);
    return spans;
  }

  void check_instant(const Slot& slot, const Taken& taken) {
    INFO("child " << taken.child << " of " << slot.name);
    const Tree tree = tree_of(taken.child);
    Known child{slot.name, {}};
    std::vector<Span> common = {{taken.before, taken.after}};
    for (const auto& worker : slot.workers) {
      const auto spans = moments(*worker, taken, tree, child.parts.emplace_back());
      std::vector<Span> both;
      for (const Span& a : common) {
        for (const Span& b : spans) {
          const Span span{std::max(a.from, b.from), std::min(a.to, b.to)};
          if (span.from < span.to) both.push_back(span);
        }
      }
      if (both.empty()) FAIL("no instant: thread " << worker->index() << " is at " << spans.front().from << " to " << spans.back().to << ", the others at "
                                                   << common.front().from << " to " << common.back().to);
      common = std::move(both);
    }
    ++instants_;
    known_[taken.child] = std::move(child);
  }

  void check_everything() {
    store_.reopen();
    for (const bool collected : {false, true}) {
      if (collected) must(collect_garbage(**store_));
      for (const auto& [name, branch] : known_) {
        INFO("branch " << name << (collected ? ", after gc" : ""));
        const Tree tree = tree_of(name);
        for (unsigned w = 0; w < kWorkers; ++w) {
          INFO("thread " << w);
          CHECK(difference(branch.parts[w], tree, w) == "");
        }
      }
      const auto report = must(verify_store(**store_));
      for (const std::string& line : report.lines) FAIL_CHECK(line);
    }
  }

  std::uint64_t seed_;
  HookEnv env_;
  ScratchStore store_;
  std::uint64_t changes_ = 0;
  Clock clock_{1};
  std::uint64_t instants_ = 0;
  unsigned names_given_ = 0;
  std::map<std::string, Known> known_;  // parts are empty while it is written
  std::vector<Taken> taken_;
  std::mutex finding_mutex_;
  std::optional<std::string> finding_;
};

TEST_CASE("threads on several branches see their own writes, and children one instant", "[model]") {
  const char* given = std::getenv("BRANCHFS_SEED");
  const std::uint64_t first = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  const char* runs = std::getenv("BRANCHFS_THREAD_RUNS");
  const int count = runs != nullptr ? std::atoi(runs) : given != nullptr ? 1 : 4;
  std::uint64_t changes = 0;
  std::uint64_t instants = 0;
  for (int i = 0; i < count; ++i) {
    const std::uint64_t seed = first + static_cast<std::uint64_t>(i);
    INFO("the dice of BRANCHFS_SEED=" << seed << " (threads meet differently each time: repeat with BRANCHFS_THREAD_RUNS)");
    World world(seed);
    world.run();
    changes += world.changes();
    instants += world.instants();
  }
  fmt::print("{} runs from seed {}: {} changes, {} children taken meanwhile\n", count, first, changes, instants);
}

}  // namespace
}  // namespace branchfs::test
