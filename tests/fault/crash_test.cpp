// The power is cut before every call that changes the disk, in every way that POSIX allows (P2, P8, P10): what was synced is there, what
// was not is old or new, never anything else; every branch opens, verify finds nothing, gc takes nothing that is needed. Afterwards, and
// after a kill at the same moment, life goes on: a new process writes, forks, removes, and the power is cut again. BRANCHFS_SEED
// repeats a random history, BRANCHFS_CRASH_ROUNDS (default 2) says how many random cuts each point gets, BRANCHFS_HISTORIES how many
// histories there are.
#include <cstdlib>

#include "tests/fault/crash_lab.h"
#include "tests/support/must.h"

namespace branchfs::test {
namespace {

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* given = std::getenv(name);
  return given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
}

std::string describe(Cut cut) {
  switch (cut) {
    case Cut::lost: return "nothing kept";
    case Cut::kept: return "all kept";
    case Cut::names_only: return "names kept, bytes lost";
    case Cut::data_only: return "bytes kept, names lost";
    case Cut::random: return "random";
  }
  return {};
}

// What programs do that know nothing of what happened before.
void live_on(CrashLab& lab, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto pick = [&](std::size_t below) { return static_cast<std::size_t>(random() % below); };
  const std::vector<std::string> branches = lab.branches();
  if (branches.empty()) return;
  must(lab.open(branches[pick(branches.size())]));
  for (std::size_t i = 0, steps = pick(5); i < steps; ++i) {
    const std::vector<std::string> files = lab.files();
    if (files.empty()) break;
    const std::string& file = files[pick(files.size())];
    switch (pick(7)) {
      case 0: must(lab.sync(file, true)); break;
      case 1: must(lab.sync(file, false)); break;
      case 2: must(lab.resize(file, pick(90))); break;
      case 3: must(lab.unlink(file)); break;
      case 4: must(lab.create_live("later" + std::to_string(i))); break;
      default: must(lab.write(file, pick(90), 1 + pick(20)));
    }
  }
  lab.check_now();
  if (pick(2) == 0) must(lab.sync_all());
  if (pick(3) != 0) lab.close();
  const std::string other = branches[pick(branches.size())];
  if (lab.is_open() && lab.open_name() == other) return;
  const auto allowed = [](const Status& done) {  // it has children, or no parent
    if (!done && done.error().kind != Kind::refused) must(done);
  };
  switch (pick(4)) {
    case 0: allowed(lab.remove(other)); break;
    case 1: if (const std::string parent = lab.parent_of(other); !parent.empty() && !lab.is_open()) allowed(lab.reset(other, parent)); break;
    case 2: must(lab.collect()); break;
    default: break;
  }
}

// `lab`: a new process, after what happened to the one before it.
std::string check_afterlife(CrashLab& lab, std::uint64_t seed) {
  live_on(lab, seed);
  const CrashPoint end = lab.here();
  lab.close();
  for (const Cut cut : {Cut::lost, Cut::random}) {
    if (std::string why = check_after_cut(end, cut, seed); !why.empty()) return describe(cut) + ": " + why;
  }
  const std::string why = check_after_kill(end);
  return why.empty() ? why : "killed: " + why;
}

void check_afterlives(const CrashPoint& point, std::size_t number, std::uint64_t seed) {
  INFO("a new process after the " << (number % 2 == 0 ? "kill" : "power cut") << " number " << number << ", before " << point.call << ", seed "
                                  << seed);
  std::string why;
  if (number % 2 == 0) {
    CrashLab lab(point);
    why = check_afterlife(lab, seed);
  } else {
    CrashLab lab(point, Cut::random, seed);
    why = check_afterlife(lab, seed);
  }
  if (!why.empty()) FAIL("and what came after it, " << why);
}

void check_point(const CrashPoint& point, std::size_t number, std::uint64_t seed) {
  const std::uint64_t rounds = setting("BRANCHFS_CRASH_ROUNDS", 2);
  std::vector<std::pair<Cut, std::uint64_t>> cuts{{Cut::lost, 0}, {Cut::kept, 0}, {Cut::names_only, 0}, {Cut::data_only, 0}};
  for (std::uint64_t i = 0; i < rounds; ++i) cuts.emplace_back(Cut::random, seed + number * 1000 + i);
  for (const auto& [cut, with] : cuts) {
    if (std::string why = check_after_cut(point, cut, with); !why.empty()) {
      FAIL("power cut number " << number << ", before " << point.call << " (" << describe(cut) << ", seed " << with << "): " << why);
    }
  }
  if (std::string why = check_after_kill(point); !why.empty()) {
    FAIL("kill number " << number << ", before " << point.call << ": " << why);
  }
  for (std::uint64_t i = 0; i < rounds; ++i) check_afterlives(point, number + i, seed * 1000 + number * 10 + i);
}

using Act = std::function<void(CrashLab&)>;

struct Scenario {
  const char* name;
  Act prepare;
  Act act;  // errors of operations are the scenario's to look at or leave: with an injected failure anything may fail
};

// Enough blocks for partial ones, neighbours and a block that is only in the layer below.
void import_base(CrashLab& lab) { must(lab.import("base", {{"a", 70}, {"b", 33}, {"c", 16}})); }

void open_child(CrashLab& lab) {
  import_base(lab);
  must(lab.create_offline("child", "base"));
  must(lab.open("child"));
}

void dirty_child(CrashLab& lab) {
  open_child(lab);
  must(lab.write("a", 5, 3));
  must(lab.create("new"));
  must(lab.write("new", 0, 40));
  must(lab.sync("a", true));
}

void closed_child(CrashLab& lab) {
  dirty_child(lab);
  lab.close();
}

// A chain with two frozen deltas, closed.
void frozen_chain(CrashLab& lab) {
  dirty_child(lab);
  must(lab.create_live("one"));
  must(lab.write("b", 0, 20));
  must(lab.unlink("c"));
  must(lab.create_live("two"));
  must(lab.write("a", 60, 20));
  must(lab.sync_all());
  lab.close();
}

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> all{
      {"import", [](CrashLab&) {}, [](CrashLab& lab) { ignore(lab.import("base", {{"a", 70}, {"b", 3}})); }},
      {"import again", import_base, [](CrashLab& lab) { ignore(lab.import("again", {{"a", 70}, {"b", 3}})); }},
      {"create from an idle parent", import_base,
       [](CrashLab& lab) {
         ignore(lab.create_offline("child", "base"));
         ignore(lab.create_offline("grandchild", "child"));
       }},
      {"create from a parent with writes of its own", closed_child,
       [](CrashLab& lab) { ignore(lab.create_offline("grandchild", "child")); }},
      {"create from an open parent", dirty_child,
       [](CrashLab& lab) {
         ignore(lab.create_live("one"));
         ignore(lab.write("a", 6, 4));
         ignore(lab.sync("a", false));
         ignore(lab.write("b", 30, 8));
         ignore(lab.create_live("two"));
         ignore(lab.sync("b", true));
       }},
      {"first opening for writing",
       [](CrashLab& lab) {
         import_base(lab);
         must(lab.create_offline("child", "base"));
       },
       [](CrashLab& lab) {
         if (!lab.open("child")) return;
         ignore(lab.write("a", 0, 1));
         ignore(lab.sync("a", true));
         lab.close();
       }},
      {"write and sync", open_child,
       [](CrashLab& lab) {
         ignore(lab.write("a", 3, 2));
         ignore(lab.sync("a", true));
         ignore(lab.write("a", 60, 40));  // within, and behind the end
         ignore(lab.write("a", 3, 1));
         ignore(lab.sync("a", false));
         ignore(lab.create("new"));
         ignore(lab.write("new", 2, 17));
         ignore(lab.sync("new", true));
         ignore(lab.write("b", 0, 33));  // the whole file: owned from its sync on
         ignore(lab.sync("b", true));
         ignore(lab.write("b", 8, 30));
         ignore(lab.sync("b", true));
         ignore(lab.flush());
         ignore(lab.sync_all());
       }},
      {"truncate and grow again", dirty_child,
       [](CrashLab& lab) {
         ignore(lab.resize("a", 20));
         ignore(lab.write("a", 50, 4));
         ignore(lab.sync("a", true));
         ignore(lab.resize("new", 5));
         ignore(lab.resize("new", 60));
         ignore(lab.sync("new", false));
         ignore(lab.resize("b", 0));
         ignore(lab.sync("b", false));
         ignore(lab.write("b", 16, 1));
         ignore(lab.sync("b", true));
       }},
      {"empty a file that a frozen delta owns",
       [](CrashLab& lab) {
         dirty_child(lab);
         must(lab.sync("new", false));
         must(lab.create_live("one"));
       },
       [](CrashLab& lab) {
         ignore(lab.resize("new", 0));
         ignore(lab.sync("new", false));
         if (!lab.open("child")) return;
         ignore(lab.create_live("two"));
         ignore(lab.chmod("new", 0640));
         ignore(lab.sync_all());
         ignore(lab.open("child"));
       }},
      {"rename over a file", dirty_child,
       [](CrashLab& lab) {
         ignore(lab.create("tmp"));
         ignore(lab.write("tmp", 0, 9));
         ignore(lab.sync("tmp", false));
         ignore(lab.rename("tmp", "a"));
         ignore(lab.sync_dir());
         ignore(lab.rename("b", "c"));
         ignore(lab.rename("new", "b"));
         ignore(lab.sync_dir());
         ignore(lab.unlink("c"));
         ignore(lab.sync_all());
       }},
      {"reset", closed_child,
       [](CrashLab& lab) { ignore(lab.reset("child", "base")); }},
      {"links, holes and shared blocks", dirty_child,
       [](CrashLab& lab) {
         ignore(lab.copy("a", 0, "c", 8, 40));  // whole blocks from the layer and from its own delta
         ignore(lab.sync("c", true));
         ignore(lab.link("new", "other"));
         ignore(lab.zero("a", 4, 40));
         ignore(lab.sync("a", false));
         ignore(lab.unlink("new"));
         ignore(lab.copy("b", 16, "other", 32, 16));
         ignore(lab.sync("other", true));
         ignore(lab.create_live("one"));
         ignore(lab.copy("a", 32, "b", 0, 32));
         ignore(lab.zero("other", 0, 32));
         ignore(lab.write("other", 10, 2));
         ignore(lab.sync_all());
         ignore(lab.unlink("a"));
         ignore(lab.sync_dir());
       }},
      {"reset one of two that share what only they have",
       [](CrashLab& lab) {
         frozen_chain(lab);
         must(lab.reset("child", "base"));
       },
       [](CrashLab& lab) {
         ignore(lab.reset("two", "child"));
         ignore(lab.remove("one"));
       }},
      {"delete",
       frozen_chain,
       [](CrashLab& lab) {
         ignore(lab.remove("one"));
         ignore(lab.remove("two"));
         ignore(lab.collect());
       }},
      {"rename a branch", closed_child,
       [](CrashLab& lab) { ignore(lab.rename_branch("child", "renamed")); }},
      {"settle, as masking does", closed_child,
       [](CrashLab& lab) { ignore(lab.settle("child")); }},
      {"pack and collect", frozen_chain,
       [](CrashLab& lab) {
         ignore(lab.pack("child"));
         ignore(lab.collect());
       }},
      {"compact and collect",
       [](CrashLab& lab) {
         frozen_chain(lab);
         must(lab.pack("child"));
       },
       [](CrashLab& lab) {
         ignore(lab.compact("child"));
         ignore(lab.collect());
       }},
  };
  return all;
}

TEST_CASE("a power cut at any moment of any operation", "[crash]") {
  for (const Scenario& scenario : scenarios()) {
    DYNAMIC_SECTION(scenario.name) {
      CrashLab lab;
      scenario.prepare(lab);
      lab.record();
      scenario.act(lab);
      if (lab.is_open()) lab.check_now();
      lab.close();
      lab.stop_recording();
      REQUIRE(!lab.points().empty());
      std::size_t number = 0;
      for (const CrashPoint& point : lab.points()) check_point(point, number++, 1);
      check_point(lab.here(), number, 1);
      WARN(scenario.name << ": " << number + 1 << " points");
    }
  }
}

// --- every call fails once -------------------------------------------------------------------------

TEST_CASE("any call to the disk fails once", "[fault]") {
  struct Failing {
    const char* what;
    int error;
    std::function<bool(const DiskCall&)> matches;
  };
  const std::vector<Failing> failing{
      {"a change, out of space", ENOSPC, [](const DiskCall& call) { return call.changes && call.name != "unlink" && !call.name.starts_with("sync"); }},
      {"a change, I/O error", EIO, [](const DiskCall& call) { return call.changes && !call.name.starts_with("sync"); }},
      {"a sync", EIO, [](const DiskCall& call) { return call.name.starts_with("sync"); }},
      {"a read", EIO, [](const DiskCall& call) { return call.name == "read" || call.name == "map" || call.name == "list"; }},
      {"a look-up", EIO, [](const DiskCall& call) { return call.name == "stat" || (call.name == "open" && !call.changes); }},
  };
  for (const Scenario& scenario : scenarios()) {
    for (const Failing& kind : failing) {
      DYNAMIC_SECTION(scenario.name << ": " << kind.what) {
        for (std::size_t n = 0;; ++n) {
          INFO("call " << n);
          CrashLab lab;
          scenario.prepare(lab);
          lab.fail_call(kind.matches, n, kind.error);
          scenario.act(lab);
          lab.stop_failing();
          if (lab.is_open()) lab.check_now();
          lab.close();
          const bool failed = lab.has_failed();
          const CrashPoint end = lab.here();
          for (const Cut cut : {Cut::lost, Cut::random}) {
            if (std::string why = check_after_cut(end, cut, n); !why.empty()) FAIL("then a power cut (" << describe(cut) << "): " << why);
          }
          if (std::string why = check_after_kill(end); !why.empty()) FAIL("afterwards: " << why);
          if (!failed) break;
        }
      }
    }
  }
}

// --- long mixed histories --------------------------------------------------------------------------

class History {
 public:
  explicit History(std::uint64_t seed) : random_(seed) {
    import_base(lab_);
    must(lab_.create_offline("b0", "base"));
    must(lab_.open("b0"));
    branches_ = {"b0"};
    lab_.record();
  }

  CrashLab& lab() { return lab_; }

  void run(std::size_t steps) {
    for (std::size_t i = 0; i < steps; ++i) step();
    lab_.check_now();
    lab_.stop_recording();
  }

 private:
  std::size_t pick(std::size_t below) { return random_() % below; }

  void step() {
    const std::vector<std::string> there = lab_.files();
    const auto some = [&] { return there[pick(there.size())]; };
    const std::string fresh = "f" + std::to_string(pick(12));
    const bool is_taken = std::find(there.begin(), there.end(), fresh) != there.end();
    if (there.empty() || (pick(12) == 0 && !is_taken)) {
      if (!is_taken) must(lab_.create(fresh));
      return;
    }
    switch (pick(19)) {
      case 0: case 1: case 2: case 3: case 4: must(lab_.write(some(), pick(90), 1 + pick(pick(3) == 0 ? 40 : 4))); break;
      case 5: must(lab_.resize(some(), pick(90))); break;
      case 6: case 7: must(lab_.sync(some(), true)); break;
      case 8: must(lab_.sync(some(), false)); break;
      case 9: pick(2) == 0 ? must(lab_.sync_dir()) : must(lab_.flush()); break;
      case 10: pick(3) == 0 ? must(lab_.sync_all()) : must(lab_.unlink(some())); break;
      case 11: if (const std::string from = some(); from != fresh) must(lab_.rename(from, fresh)); break;
      case 12: if (branches_.size() < 8) create(); break;
      case 13: if (pick(3) == 0) must(lab_.open(branches_[pick(branches_.size())])); break;
      case 14: if (pick(4) == 0) upkeep(); break;
      case 15: must(lab_.zero(some(), pick(90), 1 + pick(40))); break;
      case 16: copy(some(), some()); break;
      case 17: if (!is_taken) must(lab_.link(some(), fresh)); break;
      default: lab_.check_now();
    }
  }

  void copy(const std::string& from, const std::string& to) {
    const std::size_t sectors = lab_.sectors_of(from);
    if (from == to || sectors == 0 || lab_.is_same(from, to)) return;
    const std::size_t first = pick(2) == 0 ? pick(sectors) : 0;
    must(lab_.copy(from, first, to, pick(2) == 0 ? pick(60) : first, 1 + pick(sectors - first)));
  }

  void create() {
    const std::string child = "b" + std::to_string(made_++);
    if (pick(3) != 0) {
      must(lab_.create_live(child));
    } else {
      const std::string parent = lab_.open_name();
      lab_.close();
      must(lab_.create_offline(child, parent));
      must(lab_.open(parent));
    }
    branches_.push_back(child);
  }

  void upkeep() {
    const std::string name = lab_.open_name();
    lab_.close();
    must(lab_.pack(name));
    must(lab_.collect());
    must(lab_.open(name));
  }

  CrashLab lab_;
  std::mt19937_64 random_;
  std::vector<std::string> branches_;
  std::size_t made_ = 1;
};

TEST_CASE("power cuts in long histories", "[crash][random]") {
  const char* given = std::getenv("BRANCHFS_SEED");
  const std::uint64_t first = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  const std::uint64_t histories = given != nullptr ? 1 : setting("BRANCHFS_HISTORIES", 2);
  for (std::uint64_t seed = first; seed < first + histories; ++seed) {
    INFO("repeat with BRANCHFS_SEED=" << seed);
    History history(seed);
    history.run(150);
    const std::vector<CrashPoint>& points = history.lab().points();
    const std::size_t stride = std::max<std::size_t>(1, points.size() / 30);
    for (std::size_t i = seed % stride; i < points.size(); i += stride) check_point(points[i], i, seed);
    check_point(history.lab().here(), points.size(), seed);
  }
}

}  // namespace
}  // namespace branchfs::test
