#include "tests/fault/crash_check.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "layers/jobs/jobs.h"

namespace branchfs::test {
namespace {

template <class T>
std::string list_of(const std::set<T>& values) {
  std::string text;
  for (const T& value : values) text += (text.empty() ? "" : " or ") + std::to_string(value);
  return text;
}

Tag tag_at(const std::string& bytes, std::size_t sector) {
  Tag tag = 0;
  const std::size_t at = sector * kSector;
  if (at < bytes.size()) std::memcpy(&tag, bytes.data() + at, std::min(sizeof tag, bytes.size() - at));
  return tag;
}

// "" or how `bytes` differs from what the file may be.
std::string compare(const std::string& bytes, const FileOracle& file, When when) {
  if (!file.size.at(when).contains(bytes.size())) {
    return "is " + std::to_string(bytes.size()) + " bytes long, not " + list_of(file.size.at(when));
  }
  for (std::size_t number = 0; number * kSector < bytes.size(); ++number) {
    const std::string_view sector = std::string_view(bytes).substr(number * kSector, kSector);
    const Tag tag = tag_at(bytes, number);
    const std::set<Tag> allowed = number < file.sectors.size() ? file.sectors[number].at(when) : std::set<Tag>{0};
    if (sector != std::string_view(sector_of(tag)).substr(0, sector.size())) {
      return "sector " + std::to_string(number) + " is a mixture that nobody wrote";
    }
    if (!allowed.contains(tag)) {
      return "sector " + std::to_string(number) + " holds " + std::to_string(tag) + ", not " + list_of(allowed);
    }
  }
  return {};
}

Result<std::string> read_all(Branch& branch, const std::string& name) {
  BFS_ASSIGN(const Attr attr, branch.lookup(kRootIno, name));
  std::string bytes(attr.size, '?');
  const auto got = branch.read(attr.ino, 0, std::as_writable_bytes(std::span(bytes)));
  branch.forget(attr.ino, 1);
  if (!got) return got.error();
  if (*got != bytes.size()) {
    return make_error(Kind::failed, "read " + std::to_string(*got) + " of " + std::to_string(bytes.size()) + " bytes");
  }
  return bytes;
}

// What was found in a branch, and which of the oracle's files that is.
struct Found {
  std::map<std::string, FileId> ids;  // 0: not there
  std::map<FileId, std::string> bytes;
};

std::string compare(Branch& branch, const BranchOracle& oracle, When when, Found& found) {
  auto listed = branch.list(kRootIno);
  if (!listed) return "listing: " + listed.error().what;
  std::set<std::string> there;
  for (const NameEntry& entry : *listed) there.insert(entry.name);
  for (const std::string& name : there) {
    if (!oracle.names.contains(name)) return "there is a file \"" + name + "\" that nobody made";
  }
  for (const auto& [name, possible] : oracle.names) {
    const std::set<FileId>& allowed = possible.at(when);
    if (!there.contains(name)) {
      if (!allowed.contains(0)) return name + " is not there";
      found.ids[name] = 0;
      continue;
    }
    auto bytes = read_all(branch, name);
    if (!bytes) return name + ": " + bytes.error().what;
    std::string why = "should not be there";
    for (const FileId id : allowed) {
      if (id == 0) continue;
      std::string differs = compare(*bytes, oracle.files.at(id), when);
      if (differs.empty()) {  // two that are empty look the same
        found.ids[name] = id;
        found.bytes[id] = *bytes;
      }
      why = std::move(differs);
    }
    if (!found.ids.contains(name)) return name + " " + why;
  }
  for (const FileId id : oracle.linked) {
    if (!found.bytes.contains(id)) return "file " + std::to_string(id) + " has lost its name";
  }
  return {};
}

void take(BranchOracle& oracle, const Found& found, When when) {
  std::set<FileId> named;
  for (auto& [name, possible] : oracle.names) {
    const FileId id = found.ids.at(name);
    possible.observe(id, when);
    if (id != 0) named.insert(id);
  }
  std::erase_if(oracle.linked, [&](FileId id) { return !named.contains(id); });  // one that looks the same is taken for it
  if (when == When::after_cut) oracle.linked = named;
  for (const auto& [id, bytes] : found.bytes) {
    FileOracle& file = oracle.files.at(id);
    file.size.observe(bytes.size(), when);
    for (std::size_t i = 0; i < file.sectors.size(); ++i) file.sectors[i].observe(tag_at(bytes, i), when);
  }
}

std::string check_branch(const std::shared_ptr<Store>& store, const std::string& name, const StoreOracle::Entry& entry, When when) {
  BranchOptions options;
  options.flush_interval = 0;
  options.sums = false;
  auto branch = Branch::open(store, name, options);
  if (!branch) return "opening it: " + branch.error().what;
  std::string why;
  for (const BranchOracle& oracle : entry.any_of) {
    why = compare(**branch, oracle, when);
    if (why.empty()) return {};
  }
  return why;
}

std::string check_branches(const std::shared_ptr<Store>& store, const StoreOracle& oracle, When when) {
  std::string damage;
  auto branches = store->list([&](const std::string& name, const Error& error) { damage = name + ": " + error.what; });
  if (!branches) return "listing branches: " + branches.error().what;
  if (!damage.empty()) return damage;
  std::set<std::string> there;
  for (const BranchInfo& branch : *branches) there.insert(branch.name);
  for (const std::string& name : there) {
    const auto known = oracle.branches.find(name);
    if (known == oracle.branches.end() || !known->second.exists.at(when).contains(true)) return "branch " + name + " should not be there";
    if (std::string why = check_branch(store, name, known->second, when); !why.empty()) return "branch " + name + ": " + why;
  }
  for (const auto& [name, entry] : oracle.branches) {
    if (!entry.exists.at(when).contains(false) && !there.contains(name)) return "branch " + name + " is gone";
  }
  for (const auto& [from, to] : oracle.renaming) {
    if (there.contains(from) == there.contains(to)) return "branch " + from + ", being renamed to " + to + ", has not one name";
  }
  return {};
}

std::string check_store(Store& store) {
  auto report = verify_store(store);
  if (!report) return "verify: " + report.error().what;
  return report->problems == 0 ? "" : "verify: " + report->lines.front();
}

}  // namespace

std::string sector_of(Tag tag) {
  std::string bytes(kSector, '\0');
  for (std::size_t i = 0; i < kSector; i += sizeof tag) std::memcpy(bytes.data() + i, &tag, sizeof tag);
  return bytes;
}

std::uint64_t next_process() {
  static std::atomic<std::uint64_t> processes{0};
  return ++processes;
}

std::string compare(Branch& branch, const BranchOracle& oracle, When when) {
  Found found;
  return compare(branch, oracle, when, found);
}

std::string observe(Branch& branch, StoreOracle::Entry& entry, When when) {
  std::string why;
  for (BranchOracle& oracle : entry.any_of) {
    Found found;
    why = compare(branch, oracle, when, found);
    if (!why.empty()) continue;
    take(oracle, found, when);
    entry.exists = Possible<bool>::certain(true);
    entry.any_of = {BranchOracle(oracle)};  // whoever opens a branch for writing makes durable what its manifest says
    return {};
  }
  return why;
}

std::string check_machine(MemoryEnv& env, const StoreOracle& oracle, When when) {
  auto store = Store::open(env, kStore);
  if (!store) return "opening the store: " + store.error().what;
  for (const char* which : {"", "after gc: "}) {
    if (std::string why = check_store(**store); !why.empty()) return which + why;
    if (std::string why = check_branches(*store, oracle, when); !why.empty()) return which + why;
    if (std::string why = check_store(**store); !why.empty()) return std::string(which) + "once opened: " + why;
    auto collected = collect_garbage(**store);
    if (!collected) return std::string(which) + "gc: " + collected.error().what;
  }
  return {};
}

std::string check_after_cut(const CrashPoint& point, Cut cut, std::uint64_t seed, bool again) {
  MemoryDisk disk(after_cut(point.image, *make_fate(cut, seed)));
  const std::uint64_t process = next_process();
  MemoryEnv env(disk, process, process);
  // Which call the second cut comes at: some do not get that far.
  std::mt19937_64 random(seed * 31 + 7);
  const std::size_t second_at = random() % 60;
  CrashPoint second;
  std::size_t calls = 0;
  if (again) {
    env.hook = [&](const DiskCall& call) -> Status {
      if (call.changes && calls++ == second_at) second = {disk.image(), {}, std::string(call.name) + " " + call.path, process};
      return {};
    };
  }
  if (std::string why = check_machine(env, point.oracle, When::after_cut); !why.empty()) return why;
  if (second.call.empty()) return {};
  second.oracle = point.oracle;
  std::string why = check_after_cut(second, random() % 2 == 0 ? Cut::lost : Cut::random, seed + 1, false);
  return why.empty() ? why : "after another power cut before " + second.call + ": " + why;
}

std::string check_after_kill(const CrashPoint& point) {
  MemoryDisk disk(point.image);
  MemoryEnv env(disk, point.boot, next_process());
  return check_machine(env, point.oracle, When::after_kill);
}

}  // namespace branchfs::test
