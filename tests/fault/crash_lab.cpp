#include "tests/fault/crash_lab.h"

#include <fcntl.h>

#include <algorithm>

#include "layers/jobs/import.h"
#include "layers/jobs/jobs.h"
#include "tests/support/fork_live.h"
#include "tests/support/must.h"

namespace branchfs::test {
namespace {

constexpr std::uint64_t kFirstBoot = 0;  // all others are numbers of processes

}  // namespace

CrashLab::CrashLab() : boot_(kFirstBoot), env_(disk_, boot_, next_process()) {
  must(Store::init(env_, kStore));
  watch();
}

CrashLab::CrashLab(DiskImage image, std::uint64_t boot) : disk_(std::move(image)), boot_(boot), env_(disk_, boot_, next_process()) {
  watch();
}

CrashLab::CrashLab(const CrashPoint& point) : CrashLab(point.image, point.boot) {
  oracle_ = point.oracle;
  for (const auto& [name, entry] : oracle_.branches) unseen_.insert(name);
  unseen_since_ = When::after_kill;
}

CrashLab::CrashLab(const CrashPoint& point, Cut cut, std::uint64_t seed)
    : CrashLab(after_cut(point.image, *make_fate(cut, seed)), next_process()) {
  oracle_ = point.oracle;
  for (auto& [name, entry] : oracle_.branches) {
    unseen_.insert(name);
    entry.exists.reopen();
    for (BranchOracle& branch : entry.any_of) branch.reopen();
  }
  unseen_since_ = When::after_cut;
}

void CrashLab::watch() {
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
  if (recording_ && call.changes) points_.push_back({disk_.image(), oracle_, std::string(call.name) + " " + call.path, boot_});
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
  return {disk_.image(), oracle_, "the end", boot_};
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
    const FileId id = oracle_.next_file++;
    FileOracle& made = oracle.files[id];
    made.size = made.size.certain(sectors * kSector);
    for (std::size_t i = 0; i < sectors; ++i) {
      const Tag tag = oracle_.next_tag++;
      made.sectors.push_back(Possible<Tag>::certain(tag));
      contents[name] += sector_of(tag);
    }
    oracle.names[name] = Possible<FileId>::certain(id);
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
  oracle_.branches[branch].exists = Possible<bool>::certain(true);
  return {};
}

Status CrashLab::open(const std::string& branch) {
  close();
  BranchOptions options;
  options.flush_interval = 0;
  BFS_ASSIGN(branch_, Branch::open(store_, branch, options));
  name_ = branch;
  {
    Lock lock(mutex_);
    if (has_failed_) mine().reopen();
  }
  if (unseen_.erase(branch) == 0) return {};
  StoreOracle::Entry entry = here().oracle.branches.at(branch);
  if (std::string why = observe(*branch_, entry, unseen_since_); !why.empty()) {
    return make_error(Kind::failed, "as found by a new process, branch " + branch + ": " + why);
  }
  Lock lock(mutex_);
  oracle_.branches.at(branch) = std::move(entry);
  return {};
}

// Closing makes everything durable. When it cannot it has nobody to tell.
void CrashLab::close() {
  const bool was_open = branch_ != nullptr;
  branch_.reset();
  Lock lock(mutex_);
  if (was_open && !has_failed_) mine().settle();
}

Status CrashLab::create(const std::string& name) {
  FileId id = 0;
  {
    Lock lock(mutex_);
    id = oracle_.next_file++;
    mine().files[id].size = Possible<std::uint64_t>::certain(0);
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
    first = oracle_.next_tag;
    for (std::size_t i = 0; i < count; ++i) {
      changed.sectors[sector + i].begin(oracle_.next_tag);
      bytes += sector_of(oracle_.next_tag++);
    }
    for (const std::uint64_t before : changed.size.now) sizes.insert(std::max(before, end));
    // After a cut: where what made it longer before is lost, and with a part of this write, the gap before it being the first.
    const std::uint64_t least = *changed.size.after_cut.begin();
    for (std::uint64_t torn = least + kSector; torn <= end; torn += kSector) {
      changed.size.after_cut.insert(torn);
      changed.size.after_kill.insert(torn);
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

Status CrashLab::flush() {
  BFS_TRY(branch_->flush());
  Lock lock(mutex_);
  mine().flush();
  return {};
}

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
    if (branch.names[to].now == std::set<FileId>{moved}) moved = 0;  // two links of one file: POSIX leaves both
    if (moved != 0) {
      branch.linked.erase(*branch.names[to].now.rbegin());
      branch.names[from].begin(0);
      branch.names[to].begin(moved);
    }
  }
  BFS_TRY(branch_->rename(kRootIno, from, kRootIno, to, 0));
  Lock lock(mutex_);
  if (moved == 0) return {};
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

Status CrashLab::link(const std::string& name, const std::string& other) {
  FileId linked = 0;
  {
    Lock lock(mutex_);
    linked = *mine().names.at(name).now.rbegin();
    mine().names[other].begin(linked);
  }
  BFS_ASSIGN(const Attr attr, branch_->lookup(kRootIno, name));
  const auto done = branch_->link(attr.ino, kRootIno, other);
  branch_->forget(attr.ino, done ? 2 : 1);
  if (!done) return done.error();
  Lock lock(mutex_);
  mine().names[other].done(linked);
  return {};
}

Status CrashLab::zero(const std::string& name, std::size_t sector, std::size_t count) {
  std::size_t end = sector + count;
  {
    Lock lock(mutex_);
    FileOracle& changed = file(name);
    end = std::min(end, changed.sectors.size());
    for (std::size_t i = sector; i < end; ++i) changed.sectors[i].begin(0);
  }
  BFS_ASSIGN(const Attr attr, branch_->lookup(kRootIno, name));
  const Status done =
      branch_->allocate(attr.ino, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, sector * kSector, count * kSector);
  branch_->forget(attr.ino, 1);
  BFS_TRY(done);
  Lock lock(mutex_);
  for (std::size_t i = sector; i < end; ++i) file(name).sectors[i].done(0);
  return {};
}

// Of a file to another one, within the source's size.
Status CrashLab::copy(const std::string& from, std::size_t from_sector, const std::string& to, std::size_t to_sector,
                      std::size_t count) {
  std::vector<std::set<Tag>> tags(count, {0});
  const std::uint64_t end = (to_sector + count) * kSector;
  std::set<std::uint64_t> sizes;
  {
    Lock lock(mutex_);
    const FileOracle& source = file(from);
    for (std::size_t i = 0; i < count && from_sector + i < source.sectors.size(); ++i) {
      tags[i] = source.sectors[from_sector + i].now;
    }
    FileOracle& changed = file(to);
    if (changed.sectors.size() < to_sector + count) changed.sectors.resize(to_sector + count);
    for (std::size_t i = 0; i < count; ++i) {
      for (const Tag tag : tags[i]) changed.sectors[to_sector + i].begin(tag);
    }
    for (const std::uint64_t before : changed.size.now) sizes.insert(std::max(before, end));
    // In pieces: shared blocks, and copied bytes before and behind them.
    const std::uint64_t least = *changed.size.after_cut.begin();
    for (std::uint64_t part = least + kSector; part <= end; part += kSector) changed.size.begin(part);
    for (const std::uint64_t size : sizes) changed.size.begin(size);
  }
  BFS_ASSIGN(const Attr source, branch_->lookup(kRootIno, from));
  BFS_ASSIGN(const Attr target, branch_->lookup(kRootIno, to));
  const auto done = branch_->copy_range(source.ino, from_sector * kSector, target.ino, to_sector * kSector, count * kSector);
  branch_->forget(source.ino, 1);
  branch_->forget(target.ino, 1);
  if (!done) return done.error();
  if (*done != count * kSector) return make_error(Kind::failed, "copied " + std::to_string(*done) + " bytes");
  Lock lock(mutex_);
  FileOracle& changed = file(to);
  for (std::size_t i = 0; i < count; ++i) changed.sectors[to_sector + i].now = tags[i];
  changed.size.now = sizes;
  return {};
}

std::vector<std::string> CrashLab::branches() const {
  std::vector<std::string> names;
  for (const BranchInfo& branch : must(store_->list())) names.push_back(branch.name);
  return names;
}

std::vector<std::string> CrashLab::files() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : oracle().names) {
    if (*file.now.begin() != 0) names.push_back(name);
  }
  return names;
}

std::size_t CrashLab::sectors_of(const std::string& name) { return *file(name).size.now.rbegin() / kSector; }

std::string CrashLab::parent_of(const std::string& branch) const { return must(store_->read_manifest(branch)).parent_name; }

Status CrashLab::create_live(const std::string& child) {
  {
    Lock lock(mutex_);
    StoreOracle::Entry& entry = oracle_.branches[child];
    entry.exists.begin(true);
    entry.any_of = {mine()};
  }
  BFS_TRY(fork_live(*store_, *branch_, name_, child));
  Lock guard(mutex_);
  // The instant is in the host's hands: a child shows it whole, whatever becomes of the process.
  mine().flush();
  oracle_.branches[child].any_of = {mine()};
  oracle_.branches[child].exists = Possible<bool>::certain(true);
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
  oracle_.branches[child].exists = Possible<bool>::certain(true);
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
    std::erase_if(oracle_.renaming, [&](const auto& names) { return names.first == branch || names.second == branch; });
  }
  BFS_TRY(delete_branch(*store_, branch));
  Lock lock(mutex_);
  oracle_.branches.at(branch).exists = Possible<bool>::certain(false);
  return {};
}

Status CrashLab::rename_branch(const std::string& from, const std::string& to) {
  {
    Lock lock(mutex_);
    oracle_.branches[to].any_of = oracle_.branches.at(from).any_of;
    oracle_.branches[to].exists.begin(true);
    oracle_.branches.at(from).exists.begin(false);
    oracle_.renaming.emplace_back(from, to);
  }
  BFS_TRY(branchfs::rename_branch(*store_, from, to));
  Lock lock(mutex_);
  oracle_.branches[to].exists = Possible<bool>::certain(true);
  oracle_.branches.at(from).exists = Possible<bool>::certain(false);
  oracle_.renaming.pop_back();
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
  if (const std::string why = compare(*branch_, mine(), When::now); !why.empty()) FAIL("now, branch " << name_ << ": " << why);
}

}  // namespace branchfs::test
