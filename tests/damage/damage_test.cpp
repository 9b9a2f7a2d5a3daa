// Damage to any file of a store: the right bytes or an error that names the place, never wrong bytes, a crash or a hang; other
// branches do not notice; verify finds it; repairing leaves a store whose every answer is right (P3, P8).
//
// BRANCHFS_SEED and BRANCHFS_DAMAGE_CASES choose which and how many; BRANCHFS_DAMAGE_CASE=N does one of them again, in this process.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "layers/delta/journal.h"
#include "tests/damage/damage_lab.h"

namespace branchfs::test {

namespace fs = std::filesystem;

namespace {

constexpr unsigned kSecondsPerCase = 60;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

// What cannot be told from what a crash may leave, or is the host filesystem's word (FORMAT.md §6.2).
struct Excuse {
  std::set<std::uint64_t> untold;       // inodes whose blocks lie in the damaged data files, which have no checksums
  std::set<std::uint64_t> times;        // the same, of those that have
  std::set<std::uint64_t> gone;         // inodes whose data file is gone
  std::string as_if;                    // a store of which every answer counts as right; "" for none
};

class Case {
 public:
  // `place`: where in the lab the copies are made.
  Case(const DamageLab& lab, std::uint64_t seed, std::uint64_t number, std::string place)
      : lab_(lab), random_(seed * 1'000'003 + number), number_(number), place_(std::move(place)) {}
  // What is wrong: one line each.
  std::vector<std::string> run();
  [[nodiscard]] const std::string& title() const { return title_; }
  [[nodiscard]] bool harmless() const { return title_.empty(); }

 private:
  void damage();
  void excuses();
  void look();
  void begin_repair(const RepairOptions& options);
  void repair();
  void check(const char* when, const Pictures& seen);
  void wrong(const std::string& line) { wrong_.push_back(line); }
  [[nodiscard]] bool concerns(const std::string& branch) const;
  [[nodiscard]] bool names_the_place(const std::string& error) const;
  [[nodiscard]] Difference difference(const std::string& branch, const Picture& seen) const;

  const DamageLab& lab_;
  Random random_;
  std::uint64_t number_;
  std::string place_;
  const StoreFile* file_ = nullptr;
  const StoreFile* other_ = nullptr;  // swapped with it
  Harm harm_{};
  std::string boot_;
  std::string dir_;
  std::string title_;
  Excuse excuse_;
  Pictures as_if_;
  std::size_t errors_ = 0;
  bool differs_ = false;
  std::vector<std::string> wrong_;
};

// Every file once with everything, then anything.
void Case::damage() {
  const auto& files = lab_.files();
  if (number_ < files.size() * kHarms) {
    file_ = &files[number_ / kHarms];
    harm_ = static_cast<Harm>(number_ % kHarms);
  } else {
    constexpr Sort kWeighted[] = {Sort::store, Sort::lock,  Sort::branch_lock, Sort::manifest, Sort::manifest, Sort::layer, Sort::layer,
                                  Sort::layer, Sort::layer, Sort::layer,       Sort::journal,  Sort::journal,  Sort::mark,  Sort::sums,     Sort::data,
                                  Sort::data,  Sort::data};
    const Sort sort = kWeighted[random_.below(std::size(kWeighted))];
    std::vector<const StoreFile*> of_sort;
    for (const StoreFile& file : files) {
      if (file.sort == sort) of_sort.push_back(&file);
    }
    file_ = of_sort.empty() ? &files[random_.below(files.size())] : of_sort[random_.below(of_sort.size())];
    harm_ = random_.below(3) == 0 ? Harm::flip : static_cast<Harm>(random_.below(kHarms));
  }
  boot_ = random_.below(3) == 0 ? "boot two" : "boot one";
  std::vector<std::string> own{file_->path};
  if (harm_ == Harm::swap_files && !file_->other.empty()) {
    own.push_back(file_->other);
    for (const StoreFile& other : files) {
      if (other.path == file_->other) other_ = &other;
    }
  }
  dir_ = lab_.copy(place_, own);
  const std::string what =
      inflict(harm_, dir_ + "/" + file_->path, file_->other.empty() ? "" : dir_ + "/" + file_->other, random_);
  if (what.empty()) return;
  title_ = fmt::format("case {}: {}: {} {} ({})", number_, file_->path, name_of(harm_), what, boot_);
}

bool Case::concerns(const std::string& branch) const {
  return lab_.uses(branch, *file_) || (other_ != nullptr && lab_.uses(branch, *other_));
}

void Case::excuses() {
  for (const StoreFile* file : {file_, other_}) {
    if (file == nullptr) continue;
    if (file->sort == Sort::data) {
      auto& excused = lab_.has_sums(file->object) ? excuse_.times : harm_ < Harm::remove ? excuse_.untold : excuse_.gone;
      excused.insert(std::stoull(file->path.substr(file->path.rfind('/') + 1), nullptr, 16));
    }
    const std::string path = dir_ + "/" + file->path;
    const bool is_file = fs::is_regular_file(fs::symlink_status(path));
    const bool gone = !fs::exists(fs::symlink_status(path));
    // A mark that is gone, or never got further than this.
    if (file->sort == Sort::mark && (is_file || gone)) excuse_.as_if = "mark";
    // A journal that was not sealed may end anywhere.
    if (file->sort == Sort::journal && is_file && lab_.sealed_size(file->object) == 0) excuse_.as_if = "journal";
  }
  if (excuse_.as_if.empty()) return;
  std::vector<std::string> own{file_->path};
  if (other_ != nullptr) own.push_back(other_->path);
  const std::string dir = lab_.copy(place_ + "-as-if", own);
  for (const std::string& relative : own) {
    const std::string path = dir + "/" + relative;
    if (!fs::exists(fs::symlink_status(dir_ + "/" + relative))) {
      fs::remove(path);
      continue;
    }
    std::string bytes = slurp(dir_ + "/" + relative);
    const ObjectId id = relative == file_->path ? file_->object : other_->object;
    const auto span = std::as_bytes(std::span(bytes));
    std::uint64_t end = Journal::header_bytes(id).size();
    if (bytes.size() < end) continue;
    while (auto record = Journal::record_at(span, end, id)) end += record->total;
    // What testifies that more had been there, or one that must have a first record, is no excuse.
    if (Journal::was_durable(span, end, id) || (excuse_.as_if == "mark" && bytes.size() > 48 && end == 48)) continue;
    bytes.resize(end);
    spill(path, bytes);
  }
  as_if_ = lab_.look(dir, boot_);
}

bool Case::names_the_place(const std::string& error) const {
  for (const StoreFile* file : {file_, other_}) {
    if (file == nullptr) continue;
    if (file->object.valid() && error.find(file->object.hex()) != std::string::npos) return true;
    if (!file->branch.empty() && error.find("\"" + file->branch + "\"") != std::string::npos) return true;
    if (error.find(file->path) != std::string::npos) return true;
  }
  return error.find(dir_) != std::string::npos && (file_->sort == Sort::store || file_->sort == Sort::lock);
}

Difference Case::difference(const std::string& branch, const Picture& seen) const {
  Difference strict = compare(lab_.right(boot_).at(branch), seen, excuse_.untold, excuse_.gone, excuse_.times);
  if (strict.wrong.empty() || as_if_.empty()) return strict;
  Difference lenient = compare(as_if_.at(branch), seen, excuse_.untold, excuse_.gone, excuse_.times);
  return lenient.wrong.empty() ? lenient : strict;
}

void Case::check(const char* when, const Pictures& seen) {
  for (const std::string& branch : lab_.branches()) {
    const Difference d = difference(branch, seen.at(branch));
    for (const std::string& line : d.wrong) wrong(fmt::format("{}: branch {}: {}", when, branch, line));
    errors_ += d.errors.size();
    if (concerns(branch)) {
      for (const std::string& error : d.errors) {
        if (!names_the_place(error)) wrong(fmt::format("{}: branch {}: an error that does not say where: {}", when, branch, error));
      }
    } else {
      for (const std::string& error : d.errors) wrong(fmt::format("{}: branch {} has nothing to do with it: {}", when, branch, error));
    }
  }
}

void Case::look() {
  const Pictures seen = lab_.look(dir_, boot_);
  check("damaged", seen);
  for (const std::string& branch : lab_.branches()) {
    const Difference d = compare(lab_.right(boot_).at(branch), seen.at(branch), {}, {}, excuse_.times);
    differs_ = differs_ || !d.errors.empty() || (!d.wrong.empty() && as_if_.empty() && excuse_.untold.empty() && excuse_.gone.empty());
  }
}

// A repair that is killed before one of its first changes, if it makes so many.
void Case::begin_repair(const RepairOptions& options) {
  constexpr std::uint64_t kMostChanges = 12;
  std::uint64_t left = random_.below(kMostChanges);
  const ::pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    HookEnv env;
    env.boot = boot_;
    env.pretend_sync = true;
    env.hook = [&left](const std::string& call, const std::string&) -> Status {
      if (call == "open" || call == "opened" || call == "stat" || call == "sync" || call == "sync_dir") return {};
      if (left-- == 0) ::_exit(0);
      return {};
    };
    ignore(repair_store(env, dir_, "", options));
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  if (!WIFEXITED(status)) wrong("a repair that is to be killed ended by a signal");
}

void Case::repair() {
  HookEnv env;
  env.boot = boot_;
  env.pretend_sync = true;
  RepairOptions options;
  options.search_bytes = std::uint64_t{1} << 27U;
  const bool manifest_gone = file_->sort == Sort::manifest && harm_ == Harm::remove;
  options.dry = true;
  auto planned = repair_store(env, dir_, "", options);  // what verify does
  options.dry = false;
  const bool killed = random_.below(3) == 0;
  if (killed) begin_repair(options);
  auto repaired = repair_store(env, dir_, "", options);
  if (!repaired || !planned) return wrong("repair: " + (repaired ? planned.error() : repaired.error()).what);
  const std::uint64_t problems = planned->before.problems + (planned->done.empty() ? 0 : 1);
  if (differs_ && problems == 0 && !manifest_gone) wrong("verify finds nothing");
  if (problems == 0 && !repaired->done.empty()) wrong("repair changes a store without a problem");
  if (!killed && planned->done != repaired->done && Store::open(env, dir_) && file_->sort != Sort::store) {
    wrong(fmt::format("repair does not do what it said: [{}] [{}]", fmt::join(planned->done, "; "), fmt::join(repaired->done, "; ")));
  }
  const Pictures seen = lab_.look(dir_, boot_);
  const std::size_t before = errors_;
  errors_ = 0;
  for (const std::string& branch : lab_.branches()) {
    // A branch that says "salvaged" shows an older state; one that is lost is not there.
    auto store = must(Store::open(env, dir_));
    auto manifest = store->read_manifest(branch);
    if (manifest && manifest->state == kSalvaged) {
      if (file_->sort != Sort::journal) wrong("a branch is put back to an older state for something that is no journal");
      if (!killed && repaired->lost.empty()) wrong("a branch is salvaged without a word about what is lost");
      continue;
    }
    const Difference d = difference(branch, seen.at(branch));
    for (const std::string& line : d.wrong) wrong(fmt::format("repaired: branch {}: {}", branch, line));
    if (!concerns(branch) && !d.errors.empty()) wrong(fmt::format("repaired: branch {} has nothing to do with it: {}", branch, d.errors[0]));
    errors_ += d.errors.size();
  }
  // Nobody heard what the one that was killed had lost.
  if (!killed && errors_ > before && repaired->lost.empty()) wrong("repair made it worse without a word");
  if (!killed && errors_ > 0 && repaired->lost.empty() && repaired->after.problems == 0 && !manifest_gone) wrong("repaired, and something cannot be read");
  auto again = repair_store(env, dir_, "", options);
  if (!again) return wrong("repair once more: " + again.error().what);
  if (!again->done.empty()) wrong(fmt::format("repair once more does: {}", fmt::join(again->done, "; ")));
}

std::vector<std::string> Case::run() {
  damage();
  if (harmless()) return {};
  excuses();
  look();
  repair();
  return wrong_;
}

// In a child, so that a crash or a hang is a case like any other.
std::string run_apart(const DamageLab& lab, std::uint64_t seed, std::uint64_t number, const std::string& place, std::uint64_t& done) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const ::pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::close(ends[0]);
    ::alarm(kSecondsPerCase);
    Case one(lab, seed, number, place);
    std::string text;
    std::vector<std::string> lines;
    try {
      lines = one.run();
    } catch (...) {  // a must() of the test program
      lines = {"something failed that has nothing to do with it"};
    }
    for (const std::string& line : lines) text += "\n  " + line;
    text = one.title() + text;
    if (::write(ends[1], text.data(), text.size()) < 0) ::_exit(3);
    ::_exit(one.harmless() ? 2 : lines.empty() ? 0 : 1);
  }
  ::close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(n));
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  if (WIFSIGNALED(status)) return fmt::format("case {}: ended by signal {}{}", number, WTERMSIG(status), text);
  if (WEXITSTATUS(status) != 2) ++done;
  return WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 2 ? "" : text;
}

struct Tally {
  std::uint64_t done = 0;
  std::uint64_t failed = 0;
};

// Every `step`-th case from `first` on; failures go to stdout.
Tally run_many(const DamageLab& lab, std::uint64_t seed, std::uint64_t first, std::uint64_t step, std::uint64_t end) {
  constexpr unsigned kMostShown = 20;
  Tally tally;
  for (std::uint64_t number = first; number < end; number += step) {
    const std::string text = run_apart(lab, seed, number, fmt::format("case{}", first), tally.done);
    if (text.empty()) continue;
    if (++tally.failed <= kMostShown) std::cout << text << std::endl;
  }
  return tally;
}

}  // namespace

TEST_CASE("any damage to any file gives right bytes or an error that says where, and can be repaired", "[P3][P8]") {
  const std::uint64_t seed = number_from("BRANCHFS_SEED", 1);
  const DamageLab lab;
  if (const char* one = std::getenv("BRANCHFS_DAMAGE_CASE")) {
    Case single(lab, seed, std::strtoull(one, nullptr, 10), "case");
    const auto lines = single.run();
    INFO(single.title());
    for (const std::string& line : lines) std::cout << line << "\n";
    CHECK(lines.empty());
    return;
  }
  const std::uint64_t cases = number_from("BRANCHFS_DAMAGE_CASES", 2400);
  std::cout << fmt::format("seed {}, {} files, {} cases\n", seed, lab.files().size(), cases);
  // One half of the cases in a child.
  constexpr std::uint64_t kHalves = 2;
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const ::pid_t child = ::fork();
  REQUIRE(child >= 0);
  const Tally mine = run_many(lab, seed, child == 0 ? 1 : 0, kHalves, cases);
  if (child == 0) ::_exit(::write(ends[1], &mine, sizeof mine) == sizeof mine ? 0 : 1);
  ::close(ends[1]);
  Tally other;
  REQUIRE(::read(ends[0], &other, sizeof other) == sizeof other);
  ::close(ends[0]);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  const std::uint64_t failed = mine.failed + other.failed;
  std::cout << fmt::format("{} cases damaged something, {} failed\n", mine.done + other.done, failed);
  CHECK(failed == 0);
}

}  // namespace branchfs::test
