#include "tests/fault/crash_lab.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "layers/jobs/import.h"
#include "layers/jobs/jobs.h"
#include "tests/support/fork_live.h"
#include "tests/support/must.h"

namespace branchfs::test {
namespace {

const std::string kStore = "/store";

constexpr std::uint64_t kFirstBoot = 1;
std::uint64_t next_process() {
  static std::atomic<std::uint64_t> processes{0};
  return ++processes;
}

std::string sector_of(Tag tag) {
  std::string bytes(kSector, '\0');
  for (std::size_t i = 0; i < kSector; i += sizeof tag) std::memcpy(bytes.data() + i, &tag, sizeof tag);
  return bytes;
}

template <class T>
std::string list_of(const std::set<T>& values) {
  std::string text;
  for (const T& value : values) text += (text.empty() ? "" : " or ") + std::to_string(value);
  return text;
}

using Which = std::set<Tag> Possible<Tag>::*;
using Sizes = std::set<std::uint64_t> Possible<std::uint64_t>::*;

// "" or how `bytes` differs from what the file may be.
std::string compare(const std::string& bytes, const FileOracle& file, Which which, Sizes sizes) {
  if (!(file.size.*sizes).contains(bytes.size())) {
    return "is " + std::to_string(bytes.size()) + " bytes long, not " + list_of(file.size.*sizes);
  }
  for (std::size_t at = 0; at < bytes.size(); at += kSector) {
    const std::string_view sector = std::string_view(bytes).substr(at, kSector);
    Tag tag = 0;
    std::memcpy(&tag, sector.data(), std::min(sizeof tag, sector.size()));
    const std::size_t number = at / kSector;
    const std::set<Tag> allowed = number < file.sectors.size() ? file.sectors[number].*which : std::set<Tag>{0};
    if (sector != std::string_view(sector_of(tag)).substr(0, sector.size())) {
      return "sector " + std::to_string(number) + " is a mixture that nobody wrote";
    }
    if (!allowed.contains(tag)) {
      return "sector " + std::to_string(number) + " holds " + std::to_string(tag) + ", not " + list_of(allowed);
    }
  }
  return {};
}

Result<std::string> read_all(Branch& branch, Ino ino) {
  BFS_ASSIGN(const Attr attr, branch.getattr(ino));
  std::string bytes(attr.size, '?');
  BFS_ASSIGN(const std::size_t got, branch.read(ino, 0, std::as_writable_bytes(std::span(bytes))));
  if (got != bytes.size()) return make_error(Kind::failed, "read " + std::to_string(got) + " of " + std::to_string(bytes.size()) + " bytes");
  return bytes;
}

// "" or how the open branch differs from what it may be.
std::string compare(Branch& branch, const BranchOracle& oracle, bool now) {
  const Which which = now ? &Possible<Tag>::now : &Possible<Tag>::after_cut;
  const Sizes sizes = now ? &Possible<std::uint64_t>::now : &Possible<std::uint64_t>::after_cut;
  auto listed = branch.list(kRootIno);
  if (!listed) return "listing: " + listed.error().what;
  std::map<std::string, Ino> there;
  for (const NameEntry& entry : *listed) there[entry.name] = entry.ino;
  for (const auto& [name, ino] : there) {
    if (!oracle.names.contains(name)) return "there is a file \"" + name + "\" that nobody made";
  }
  std::set<FileId> found;
  for (const auto& [name, possible] : oracle.names) {
    const std::set<FileId>& allowed = now ? possible.now : possible.after_cut;
    const auto at = there.find(name);
    if (at == there.end()) {
      if (!allowed.contains(0)) return name + " is not there";
      continue;
    }
    auto attr = branch.lookup(kRootIno, name);
    if (!attr) return name + ": " + attr.error().what;
    auto bytes = read_all(branch, attr->ino);
    branch.forget(attr->ino, 1);
    if (!bytes) return name + ": " + bytes.error().what;
    std::string why = "should not be there";
    bool is_one = false;
    for (const FileId id : allowed) {
      if (id == 0) continue;
      std::string differs = compare(*bytes, oracle.files.at(id), which, sizes);
      if (differs.empty()) found.insert(id);  // two that are empty look the same
      is_one = is_one || differs.empty();
      why = std::move(differs);
    }
    if (!is_one) return name + " " + why;
  }
  for (const FileId id : oracle.linked) {
    if (!found.contains(id)) return "file " + std::to_string(id) + " has lost its name";
  }
  return {};
}

std::string check_branch(const std::shared_ptr<Store>& store, const std::string& name, const StoreOracle::Entry& entry) {
  BranchOptions options;
  options.flush_interval = 0;
  auto branch = Branch::open(store, name, options);
  if (!branch) return "opening it: " + branch.error().what;
  std::string why;
  for (const BranchOracle& oracle : entry.any_of) {
    why = compare(**branch, oracle, false);
    if (why.empty()) return {};
  }
  return why;
}

std::string check_branches(const std::shared_ptr<Store>& store, const StoreOracle& oracle) {
  std::string damage;
  auto branches = store->list([&](const std::string& name, const Error& error) { damage = name + ": " + error.what; });
  if (!branches) return "listing branches: " + branches.error().what;
  if (!damage.empty()) return damage;
  std::set<std::string> there;
  for (const BranchInfo& branch : *branches) there.insert(branch.name);
  for (const std::string& name : there) {
    const auto known = oracle.branches.find(name);
    if (known == oracle.branches.end() || !known->second.exists.after_cut.contains(true)) return "branch " + name + " should not be there";
    if (std::string why = check_branch(store, name, known->second); !why.empty()) return "branch " + name + ": " + why;
  }
  for (const auto& [name, entry] : oracle.branches) {
    if (!entry.exists.after_cut.contains(false) && !there.contains(name)) return "branch " + name + " is gone";
  }
  return {};
}

std::string check_store(Store& store) {
  auto report = verify_store(store);
  if (!report) return "verify: " + report.error().what;
  return report->problems == 0 ? "" : "verify: " + report->lines.front();
}

// Opens, compares, verifies, collects garbage, and does it again.
std::string check_machine(MemoryEnv& env, const StoreOracle& oracle) {
  auto store = Store::open(env, kStore);
  if (!store) return "opening the store: " + store.error().what;
  for (const char* when : {"", "after gc: "}) {
    if (std::string why = check_store(**store); !why.empty()) return when + why;
    if (std::string why = check_branches(*store, oracle); !why.empty()) return when + why;
    if (std::string why = check_store(**store); !why.empty()) return std::string(when) + "once opened: " + why;
    auto collected = collect_garbage(**store);
    if (!collected) return std::string(when) + "gc: " + collected.error().what;
  }
  return {};
}

}  // namespace

CrashLab::CrashLab() : env_(disk_, kFirstBoot, next_process()) {
  must(Store::init(env_, kStore));
  store_ = must(Store::open(env_, kStore));
  env_.hook = [this](const DiskCall& call) { return tell(call); };
}

CrashLab::~CrashLab() { branch_.reset(); }

Status CrashLab::tell(const DiskCall& call) {
  Lock lock(mutex_);
  if (std::this_thread::get_id() == caller_) {
    calls_made_.changes += call.changes ? 1 : 0;
    calls_made_.reads += call.name == "read" || call.name == "map" || call.name == "open" ? 1 : 0;
  }
  if (recording_ && call.changes) points_.push_back({disk_.image(), oracle_, std::string(call.name) + " " + call.path});
  if (failing_ && failing_(call) && calls_++ == fail_at_) {
    has_failed_ = true;
    return sys_error("injected into " + std::string(call.name) + " " + call.path, fail_with_);
  }
  return {};
}

void CrashLab::fail_call(std::function<bool(const DiskCall&)> matches, std::size_t n, int error) {
  Lock lock(mutex_);
  failing_ = std::move(matches);
  fail_at_ = n;
  fail_with_ = error;
  calls_ = 0;
}

CrashLab::Calls CrashLab::take_calls() {
  Lock lock(mutex_);
  return std::exchange(calls_made_, {});
}

void CrashLab::record() {
  Lock lock(mutex_);
  recording_ = true;
}

void CrashLab::stop_recording() {
  Lock lock(mutex_);
  recording_ = false;
}

CrashPoint CrashLab::here() const {
  Lock lock(mutex_);
  return {disk_.image(), oracle_, "the end"};
}

// The one file that has the name now.
FileOracle& CrashLab::file(const std::string& name) {
  BranchOracle& branch = mine();
  for (const FileId id : branch.names.at(name).now) {
    if (id != 0) return branch.files.at(id);
  }
  throw std::out_of_range(name);
}

Status CrashLab::import(const std::string& branch, const std::map<std::string, std::size_t>& files) {
  BranchOracle oracle;
  std::map<std::string, std::string> contents;
  for (const auto& [name, sectors] : files) {
    const FileId id = next_file_++;
    FileOracle& made = oracle.files[id];
    made.size = {{sectors * kSector}, {sectors * kSector}};
    for (std::size_t i = 0; i < sectors; ++i) {
      const Tag tag = next_tag_++;
      made.sectors.push_back({{tag}, {tag}});
      contents[name] += sector_of(tag);
    }
    oracle.names[name] = {{id}, {id}};
    oracle.linked.insert(id);
  }
  {
    Lock lock(mutex_);
    StoreOracle::Entry& entry = oracle_.branches[branch];
    entry.exists.begin(true);
    entry.any_of = {oracle};
  }
  Attr root;
  root.mode = S_IFDIR | 0755;
  root.nlink = 2;
  BFS_ASSIGN(auto builder, TreeBuilder::create(*store_, root));
  for (const auto& [name, bytes] : contents) {
    Attr attr;
    attr.mode = S_IFREG | 0600;
    attr.nlink = 1;
    BFS_ASSIGN(const Ino ino, builder->add(name, attr));
    BFS_TRY(builder->write(ino, 0, std::as_bytes(std::span(bytes))));
    BFS_TRY(builder->set_size(ino, bytes.size()));
  }
  BFS_TRY(builder->publish(branch, {}));
  Lock lock(mutex_);
  oracle_.branches[branch].exists = {{true}, {true}};
  return {};
}

Status CrashLab::open(const std::string& branch) {
  close();
  BranchOptions options;
  options.flush_interval = 0;
  BFS_ASSIGN(branch_, Branch::open(store_, branch, options));
  name_ = branch;
  Lock lock(mutex_);
  if (has_failed_) mine().reopen();
  return {};
}

// Closing makes everything durable, but has nobody to tell when it could not: nothing is settled.
void CrashLab::close() { branch_.reset(); }

Status CrashLab::create(const std::string& name) {
  FileId id = 0;
  {
    Lock lock(mutex_);
    id = next_file_++;
    mine().files[id].size = {{0}, {0}};
    mine().names[name].begin(id);
  }
  NewNode node;
  node.parent = kRootIno;
  node.name = name;
  node.mode = S_IFREG | 0600;
  BFS_ASSIGN(const Attr made, branch_->create(node));
  branch_->forget(made.ino, 1);
  Lock lock(mutex_);
  mine().names[name].done(id);
  return {};
}

Status CrashLab::write(const std::string& name, std::size_t sector, std::size_t count) {
  std::string bytes;
  Tag first = 0;
  const std::uint64_t end = (sector + count) * kSector;
  std::set<std::uint64_t> sizes;
  {
    Lock lock(mutex_);
    FileOracle& changed = file(name);
    if (changed.sectors.size() < sector + count) changed.sectors.resize(sector + count);
    first = next_tag_;
    for (std::size_t i = 0; i < count; ++i) {
      changed.sectors[sector + i].begin(next_tag_);
      bytes += sector_of(next_tag_++);
    }
    for (const std::uint64_t before : changed.size.now) sizes.insert(std::max(before, end));
    // After a cut: where what made it longer before is lost, and with a part of this write.
    const std::uint64_t least = *changed.size.after_cut.begin();
    for (std::uint64_t torn = (sector + 1) * kSector; torn <= end; torn += kSector) {
      if (torn > least) changed.size.after_cut.insert(torn);
    }
    for (const std::uint64_t size : sizes) changed.size.begin(size);
  }
  BFS_ASSIGN(const Attr attr, branch_->lookup(kRootIno, name));
  const Status done = branch_->write(attr.ino, sector * kSector, std::as_bytes(std::span(bytes)));
  branch_->forget(attr.ino, 1);
  BFS_TRY(done);
  Lock lock(mutex_);
  FileOracle& changed = file(name);
  for (std::size_t i = 0; i < count; ++i) changed.sectors[sector + i].done(first + static_cast<Tag>(i));
  changed.size.now = sizes;
  return {};
}

Status CrashLab::resize(const std::string& name, std::size_t sectors) {
  const std::uint64_t size = sectors * kSector;
  {
    Lock lock(mutex_);
    FileOracle& changed = file(name);
    changed.size.begin(size);
    for (std::size_t i = sectors; i < changed.sectors.size(); ++i) changed.sectors[i].begin(0);
  }
  BFS_ASSIGN(const Attr attr, branch_->lookup(kRootIno, name));
  SetAttr change;
  change.size = size;
  const auto done = branch_->setattr(attr.ino, change);
  branch_->forget(attr.ino, 1);
  if (!done) return done.error();
  Lock lock(mutex_);
  FileOracle& changed = file(name);
  changed.size.done(size);
  for (std::size_t i = sectors; i < changed.sectors.size(); ++i) changed.sectors[i].done(0);
  return {};
}

Status CrashLab::sync(const std::string& name, bool data_only) {
  BFS_ASSIGN(const Attr attr, branch_->lookup(kRootIno, name));
  const Status done = branch_->sync(attr.ino, data_only);
  branch_->forget(attr.ino, 1);
  BFS_TRY(done);
  Lock lock(mutex_);
  file(name).settle();
  if (data_only) {
    mine().names.at(name).settle();
  } else {
    mine().settle_names();
  }
  return {};
}

Status CrashLab::sync_dir() {
  BFS_TRY(branch_->sync_dir(kRootIno));
  Lock lock(mutex_);
  mine().settle_names();
  return {};
}

Status CrashLab::sync_all() {
  BFS_TRY(branch_->sync_all());
  Lock lock(mutex_);
  mine().settle();
  return {};
}

Status CrashLab::flush() { return branch_->flush(); }

Status CrashLab::unlink(const std::string& name) {
  {
    Lock lock(mutex_);
    for (const FileId id : mine().names.at(name).now) mine().linked.erase(id);
    mine().names.at(name).begin(0);
  }
  BFS_TRY(branch_->unlink(kRootIno, name));
  Lock lock(mutex_);
  mine().names.at(name).done(0);
  return {};
}

Status CrashLab::rename(const std::string& from, const std::string& to) {
  FileId moved = 0;
  {
    Lock lock(mutex_);
    BranchOracle& branch = mine();
    moved = *branch.names.at(from).now.rbegin();
    for (const FileId id : branch.names[to].now) {
      if (id != moved) branch.linked.erase(id);
    }
    branch.names[from].begin(0);
    branch.names[to].begin(moved);
  }
  BFS_TRY(branch_->rename(kRootIno, from, kRootIno, to, 0));
  Lock lock(mutex_);
  mine().names[from].done(0);
  mine().names[to].done(moved);
  return {};
}

Status CrashLab::chmod(const std::string& name, std::uint32_t mode) {
  BFS_ASSIGN(const Attr attr, branch_->lookup(kRootIno, name));
  SetAttr change;
  change.mode = mode;
  change.mtime = change.atime = ::timespec{1'000'000'000, 0};
  const auto done = branch_->setattr(attr.ino, change);
  branch_->forget(attr.ino, 1);
  return done ? Status{} : Status{done.error()};
}

Status CrashLab::create_live(const std::string& child) {
  {
    Lock lock(mutex_);
    StoreOracle::Entry& entry = oracle_.branches[child];
    entry.exists.begin(true);
    entry.any_of = {mine()};
  }
  BFS_TRY(fork_live(*store_, *branch_, name_, child));
  Lock guard(mutex_);
  oracle_.branches[child].exists = {{true}, {true}};
  return {};
}

Status CrashLab::create_offline(const std::string& child, const std::string& parent) {
  {
    Lock lock(mutex_);
    StoreOracle::Entry& entry = oracle_.branches[child];
    entry.exists.begin(true);
    entry.any_of = oracle_.branches.at(parent).any_of;
  }
  BFS_TRY(create_branch(*store_, child, parent, {}));
  Lock guard(mutex_);
  oracle_.branches[child].exists = {{true}, {true}};
  return {};
}

Status CrashLab::reset(const std::string& branch, const std::string& parent) {
  const BranchOracle head = oracle_.branches.at(parent).any_of.front();
  {
    Lock lock(mutex_);
    oracle_.branches.at(branch).any_of.push_back(head);
  }
  BFS_TRY(reset_branch(*store_, branch));
  Lock lock(mutex_);
  oracle_.branches.at(branch).any_of = {head};
  return {};
}

Status CrashLab::remove(const std::string& branch) {
  {
    Lock lock(mutex_);
    oracle_.branches.at(branch).exists.begin(false);
  }
  BFS_TRY(delete_branch(*store_, branch));
  Lock lock(mutex_);
  oracle_.branches.at(branch).exists = {{false}, {false}};
  return {};
}

Status CrashLab::rename_branch(const std::string& from, const std::string& to) {
  {
    Lock lock(mutex_);
    oracle_.branches[to].any_of = oracle_.branches.at(from).any_of;
    oracle_.branches[to].exists.begin(true);
    oracle_.branches.at(from).exists.begin(false);
  }
  BFS_TRY(branchfs::rename_branch(*store_, from, to));
  Lock lock(mutex_);
  oracle_.branches[to].exists = {{true}, {true}};
  oracle_.branches.at(from).exists = {{false}, {false}};
  return {};
}

Status CrashLab::settle(const std::string& branch) {
  BFS_TRY(settle_branch(*store_, branch, [](Manifest& manifest) {
    manifest.masking["certificate"] = "test";
    return Status{};
  }));
  return {};
}

Status CrashLab::pack(const std::string& branch) {
  BFS_TRY(branchfs::pack(*store_, branch));
  return {};
}

Status CrashLab::compact(const std::string& branch) {
  BFS_TRY(branchfs::compact(*store_, branch));
  return {};
}

Status CrashLab::collect() {
  BFS_TRY(collect_garbage(*store_));
  return {};
}

void CrashLab::check_now() {
  if (const std::string why = compare(*branch_, mine(), true); !why.empty()) FAIL("now, branch " << name_ << ": " << why);
}

std::string check_after_cut(const CrashPoint& point, Cut cut, std::uint64_t seed, bool again) {
  MemoryDisk disk(after_cut(point.image, *make_fate(cut, seed)));
  const std::uint64_t process = next_process();
  MemoryEnv env(disk, kFirstBoot + process, process);
  // Which call the second cut comes at: some do not get that far.
  std::mt19937_64 random(seed * 31 + 7);
  const std::size_t second_at = random() % 60;
  CrashPoint second;
  std::size_t calls = 0;
  if (again) {
    env.hook = [&](const DiskCall& call) -> Status {
      if (call.changes && calls++ == second_at) second = {disk.image(), {}, std::string(call.name) + " " + call.path};
      return {};
    };
  }
  if (std::string why = check_machine(env, point.oracle); !why.empty()) return why;
  if (second.call.empty()) return {};
  second.oracle = point.oracle;
  std::string why = check_after_cut(second, random() % 2 == 0 ? Cut::lost : Cut::random, seed + 1, false);
  return why.empty() ? why : "after another power cut before " + second.call + ": " + why;
}

std::string check_after_kill(const CrashPoint& point) {
  MemoryDisk disk(after_cut(point.image, *make_fate(Cut::kept, 0)));
  MemoryEnv env(disk, kFirstBoot, next_process());
  return check_machine(env, point.oracle);
}

}  // namespace branchfs::test
