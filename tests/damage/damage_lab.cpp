#include "tests/damage/damage_lab.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "layers/base/checksum.h"
#include "layers/base/codec.h"
#include "layers/jobs/import.h"
#include "layers/jobs/reach.h"

namespace branchfs::test {

namespace fs = std::filesystem;

namespace {

// Half of it compresses.
std::string content(std::uint64_t seed, std::size_t size) {
  Random random(seed);
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<char>(i / kBlockSize % 2 == 0 ? random.next() >> 40U : 'a' + (random.next() >> 60U) % 3);
  }
  return bytes;
}

void make_source(const fs::path& dir, std::uint64_t seed) {
  fs::create_directories(dir / "base/5");
  fs::create_directories(dir / "global");
  fs::create_directories(dir / "empty");
  spill(dir / "PG_VERSION", "15\n");
  spill(dir / "base/5/1259", content(seed + 1, 5 * kBlockSize));
  spill(dir / "base/5/1260", content(seed + 2, 3 * kBlockSize + 100));
  spill(dir / "base/5/nothing", "");
  spill(dir / "base/5/gone", content(seed + 3, 2 * kBlockSize));
  spill(dir / "global/pg_control", content(seed + 4, kBlockSize));
  spill(dir / "sparse", content(seed + 5, kBlockSize) + std::string(6 * kBlockSize, '\0') + content(seed + 6, kBlockSize));
  fs::create_hard_link(dir / "PG_VERSION", dir / "global/PG_VERSION");
  fs::create_symlink("base/5/1259", dir / "link");
}

Attr root_attr() {
  Attr attr;
  attr.ino = kRootIno;
  attr.mode = S_IFDIR | 0700;
  attr.uid = ::geteuid();
  attr.gid = ::getegid();
  return attr;
}

void import_dir(std::shared_ptr<Store> store, const fs::path& source, const std::string& name) {
  auto builder = must(TreeBuilder::create(*store, root_attr()));
  must(import_tree(*builder, source, "", {}));
  must(builder->publish(name, {}));
}

Ino at(Branch& branch, const std::string& path) {
  Ino ino = kRootIno;
  for (std::size_t from = 0; from <= path.size();) {
    const std::size_t slash = std::min(path.find('/', from), path.size());
    ino = must(branch.lookup(ino, path.substr(from, slash - from))).ino;
    from = slash + 1;
  }
  return ino;
}

void write(Branch& branch, Ino ino, std::uint64_t offset, const std::string& bytes) {
  must(branch.write(ino, offset, std::as_bytes(std::span(bytes))));
}

Ino make(Branch& branch, Ino parent, const std::string& name, const std::string& bytes) {
  NewNode node;
  node.parent = parent;
  node.name = name;
  node.mode = S_IFREG | 0600;
  Ino ino = must(branch.create(node)).ino;
  if (!bytes.empty()) write(branch, ino, 0, bytes);
  return ino;
}

// All that a delta can say.
void work(Branch& branch, std::uint64_t seed) {
  Ino base = at(branch, "base/5");
  Ino table = at(branch, "base/5/1259");
  write(branch, table, kBlockSize, content(seed, 2 * kBlockSize));
  make(branch, base, fmt::format("own{}", seed), content(seed + 1, 3 * kBlockSize + 77));
  must(branch.sync(table, false));
  Ino growing = make(branch, base, fmt::format("more{}", seed), content(seed + 2, kBlockSize));
  must(branch.sync_all());
  must(branch.link(growing, kRootIno, fmt::format("linked{}", seed)));
  if (branch.lookup(base, "gone")) must(branch.rename(base, "gone", kRootIno, fmt::format("moved{}", seed), 0));
  SetAttr shorter;
  shorter.size = kBlockSize + 10;
  must(branch.setattr(at(branch, "base/5/1260"), shorter));
  must(branch.sync_all());
  write(branch, at(branch, "sparse"), 3 * kBlockSize + 5, "in the hole");
  must(branch.copy_range(table, 0, at(branch, "base/5/1260"), 0, kBlockSize));
  NewNode link;
  link.parent = kRootIno;
  const std::string name = fmt::format("symlink{}", seed);
  link.name = name;
  link.mode = S_IFLNK | 0777;
  link.symlink = "global/pg_control";
  must(branch.create(link));
  must(branch.sync_all());
}

std::unique_ptr<Branch> open_branch(const std::shared_ptr<Store>& store, const std::string& name) {
  BranchOptions options;
  options.flush_interval = 0;
  options.sums = false;
  return must(Branch::open(store, name, options));
}

}  // namespace

// Deltas: sealed (under "dev" and "stage"), frozen and not sealed (under "live" and "child of live", whose process was killed), open
// ones, one that was packed; layers with and without dependencies; a branch that was renamed, one that was never opened, one
// that is anonymized, and "solo", which shares nothing with the others.
void DamageLab::build(const std::string& store_dir) {
  HookEnv env;
  env.pretend_sync = true;
  must(Store::init(env, store_dir));
  auto store = must(Store::open(env, store_dir));
  make_source(dir_ + "/source", 100);
  import_dir(store, dir_ + "/source", "main");
  fs::remove_all(dir_ + "/source");
  make_source(dir_ + "/source", 200);
  import_dir(store, dir_ + "/source", "solo");
  work(*open_branch(store, "solo"), 900);
  must(create_branch(*store, "dev", "main", {}));
  work(*open_branch(store, "dev"), 1);
  must(create_branch(*store, "stage", "dev", {}));
  work(*open_branch(store, "dev"), 2);
  work(*open_branch(store, "stage"), 3);
  must(create_branch(*store, "packed", "main", {}));
  work(*open_branch(store, "packed"), 4);
  CreateOptions masked;
  masked.masking = {{"rules", "some"}};
  must(create_branch(*store, "anonymized", "packed", masked));
  must(pack(*store, "packed"));
  must(collect_garbage(*store));
  work(*open_branch(store, "anonymized"), 5);
  must(create_branch(*store, "anonymized2", "anonymized", {}));
  must(create_branch(*store, "before", "main", {}));
  must(rename_branch(*store, "before", "preview/renamed"));
  must(create_branch(*store, "live", "main", {}));
  auto live = open_branch(store, "live");
  work(*live, 6);
  write(*live, at(*live, "base/5/1259"), 0, content(7, kBlockSize));
  write(*live, at(*live, "base/5/1260"), 0, content(8, 100));
  must(fork_live(*store, *live, "live", "livekid"));
  make(*live, kRootIno, "later", content(9, 200));
  must(live->flush());
  fs::copy(store_dir, original(), fs::copy_options::recursive);
  // As if the process had been killed before it sealed what it froze, with two inodes synced since.
  const ObjectId frozen = must(store->read_manifest("livekid")).stack.front();
  const std::string delta_dir = original() + "/deltas/" + frozen.hex();
  fs::remove(delta_dir + "/sealed");
  auto delta = must(Delta::open(env, delta_dir, frozen, false, [](const Edit&, Told) { return Status{}; }));
  must(delta->confirm(at(*live, "base/5/1259")));
  must(delta->confirm(at(*live, "base/5/1260")));
  for (const auto& item : fs::directory_iterator(original() + "/deltas")) {
    const ObjectId id = must(ObjectId::parse(item.path().filename().string()));
    auto one = must(Delta::open(env, item.path(), id, false, [](const Edit&, Told) { return Status{}; }));
    if (one->sealed()) must(one->make_sums([] { return false; }));
  }
}

DamageLab::DamageLab() {
  const char* tmp = std::getenv("TMPDIR");
  std::string pattern = std::string(tmp != nullptr ? tmp : "/tmp") + "/branchfs-damage-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) FAIL("mkdtemp " << pattern);
  dir_ = pattern;
  build(dir_ + "/building");
  fs::remove_all(dir_ + "/building");
  fs::remove_all(dir_ + "/source");
  for (const char* boot : {"boot one", "boot two"}) right_[boot] = look(original(), boot);
  for (const auto& [name, picture] : right_.at("boot one")) {
    if (!picture.error.empty()) FAIL(name << ": " << picture.error);
    branches_.push_back(name);
  }
  auto store = must(Store::open(posix_env(), original()));
  Reach reach(*store);
  for (const std::string& name : branches_) {
    ObjectSet reached;
    must(reach.add(must(store->read_manifest(name)), reached));
    reach_[name] = {reached.begin(), reached.end()};
  }
  list_files();
}

DamageLab::~DamageLab() {
  std::error_code ignored;
  fs::remove_all(dir_, ignored);
}

void DamageLab::list_files() {
  for (const auto& item : fs::recursive_directory_iterator(original())) {
    if (!item.is_regular_file()) continue;
    StoreFile file;
    file.path = item.path().lexically_relative(original());
    const std::string top = file.path.substr(0, file.path.find('/'));
    const std::string leaf = item.path().filename();
    const std::string parent = item.path().parent_path().filename();
    if (top == "branches") {
      file.sort = leaf == "manifest" ? Sort::manifest : Sort::branch_lock;
      file.branch = must(Store::decode_branch_dir(parent));
    } else if (top == "layers") {
      file.sort = Sort::layer;
      file.object = must(ObjectId::parse(item.path().stem().string()));
    } else if (top == "deltas") {
      file.sort = parent == "f" ? Sort::data : leaf == "journal" ? Sort::journal : leaf == "pack.lock" ? Sort::lock : leaf == "sums" ? Sort::sums : Sort::mark;
      file.object = must(ObjectId::parse(file.path.substr(7, 32)));
    } else {
      file.sort = top == "store" ? Sort::store : Sort::lock;
    }
    files_.push_back(std::move(file));
  }
  std::sort(files_.begin(), files_.end(), [](const auto& a, const auto& b) { return std::pair(a.sort, a.path) < std::pair(b.sort, b.path); });
  // The next of its sort; data files and marks change places within anything of their sort, too.
  for (std::size_t i = 0; i < files_.size(); ++i) {
    for (std::size_t k = 1; k < files_.size() && files_[i].other.empty(); ++k) {
      const StoreFile& next = files_[(i + k) % files_.size()];
      if (next.sort == files_[i].sort) files_[i].other = next.path;
    }
  }
}

bool DamageLab::uses(const std::string& branch, const StoreFile& file) const {
  switch (file.sort) {
    case Sort::store: return true;
    case Sort::lock: return false;
    case Sort::branch_lock:
    case Sort::manifest: return file.branch == branch;
    default: return reach_.at(branch).contains(file.object);
  }
}

std::string DamageLab::copy(const std::string& name, const std::vector<std::string>& own) const {
  const fs::path to = dir_ + "/" + name;
  fs::remove_all(to);
  for (const auto& item : fs::recursive_directory_iterator(original())) {
    const fs::path relative = item.path().lexically_relative(original());
    fs::create_directories((to / relative).parent_path());
    if (item.is_directory()) {
      fs::create_directory(to / relative);
    } else if (item.path().filename() == "lock" || item.path().filename() == "journal" ||  // locked, by each case for itself
               std::find(own.begin(), own.end(), relative.string()) != own.end()) {
      fs::copy_file(item.path(), to / relative);
    } else {
      fs::create_hard_link(item.path(), to / relative);
    }
  }
  for (const char* sub : Store::kDirs) fs::create_directories(to / sub);
  fs::permissions(to, fs::perms::owner_all);
  return to;
}

std::uint64_t DamageLab::sealed_size(ObjectId id) const {
  const std::string bytes = slurp(original() + "/deltas/" + id.hex() + "/sealed");
  auto record = Journal::record_at(std::as_bytes(std::span(bytes)), Journal::header_bytes(id).size(), id);
  if (!record) return 0;
  Decoder d(record->payload);
  return d.get<std::uint64_t>();
}

bool DamageLab::has_sums(ObjectId id) const {
  auto sums = must(Sums::open(posix_env(), original() + "/deltas/" + id.hex(), id));
  return sums && sums->complete();
}

// --- what branches show ------------------------------------------------------------------------------------

namespace {

std::string describe(const Attr& a) {
  return fmt::format("{:o} {}:{} x{} {} {}.{}", a.mode, a.uid, a.gid, a.nlink, S_ISDIR(a.mode) ? 0 : a.size, a.mtime.tv_sec, a.mtime.tv_nsec);
}

void look_at_file(Branch& branch, const Attr& attr, Shown& shown) {
  std::vector<std::byte> block(kBlockSize);
  for (std::uint64_t at = 0; at < attr.size; at += kBlockSize) {
    auto out = std::span(block).first(std::min<std::uint64_t>(kBlockSize, attr.size - at));
    auto got = branch.read(attr.ino, at, out);
    if (!got) {
      shown.blocks.push_back("error: " + got.error().what);
    } else {
      shown.blocks.push_back(fmt::format("{} {:016x}", *got, checksum(out.first(*got))));
    }
  }
}

void look_at_dir(Branch& branch, Ino dir, const std::string& path, Picture& picture) {
  auto entries = branch.list(dir);
  if (!entries) {
    picture.unlisted[path] = entries.error().what;
    return;
  }
  for (const NameEntry& entry : *entries) {
    const std::string below = path.empty() ? entry.name : path + "/" + entry.name;
    Shown& shown = picture.names[below];
    auto attr = branch.lookup(dir, entry.name);
    if (!attr) {
      shown.error = attr.error().what;
      continue;
    }
    shown.attr = describe(*attr);
    shown.ino = attr->ino.v;
    if (S_ISLNK(attr->mode)) {
      auto target = branch.readlink(attr->ino);
      shown.symlink = target ? *target : "error: " + target.error().what;
    }
    if (S_ISREG(attr->mode)) look_at_file(branch, *attr, shown);
    if (S_ISDIR(attr->mode)) look_at_dir(branch, attr->ino, below, picture);
    branch.forget(attr->ino, 1);
  }
}

}  // namespace

Pictures DamageLab::look(const std::string& dir, const std::string& boot) const {
  HookEnv env;
  env.boot = boot;
  env.pretend_sync = true;
  Pictures pictures;
  auto store = Store::open(env, dir);
  if (!store) {
    for (const std::string& name : branches_) pictures[name].error = store.error().what;
    return pictures;
  }
  std::vector<std::string> names = branches_;
  if (names.empty()) {
    for (const BranchInfo& info : must((*store)->list())) names.push_back(info.name);
  }
  for (const std::string& name : names) {
    Picture& picture = pictures[name];
    BranchOptions options;
    options.mode = OpenMode::read_only;
    options.flush_interval = 0;
    options.sums = false;
    auto branch = Branch::open(*store, name, options);
    if (!branch) {
      picture.error = branch.error().what;
    } else {
      look_at_dir(**branch, kRootIno, "", picture);
    }
  }
  return pictures;
}

Difference compare(const Picture& right, const Picture& seen, const std::set<std::uint64_t>& untold,
                   const std::set<std::uint64_t>& gone, const std::set<std::uint64_t>& times) {
  Difference out;
  if (!seen.error.empty()) {
    out.errors.push_back(seen.error);
    return out;
  }
  for (const auto& [path, why] : seen.unlisted) out.errors.push_back(why);
  auto is_unlisted = [&](const std::string& path) {
    return std::any_of(seen.unlisted.begin(), seen.unlisted.end(),
                       [&](const auto& dir) { return dir.first.empty() || path.starts_with(dir.first + "/"); });
  };
  for (const auto& [path, want] : right.names) {
    auto found = seen.names.find(path);
    if (found == seen.names.end()) {
      // Below a directory that cannot be looked up, too.
      bool hidden = is_unlisted(path);
      for (auto slash = path.rfind('/'); slash != std::string::npos && !hidden; slash = slash == 0 ? slash : path.rfind('/', slash - 1)) {
        auto above = seen.names.find(path.substr(0, slash));
        hidden = above != seen.names.end() && !above->second.error.empty();
        if (slash == 0) break;
      }
      if (!hidden) out.wrong.push_back(path + " is not there");
      continue;
    }
    const Shown& have = found->second;
    if (!have.error.empty()) {
      out.errors.push_back(have.error);
      continue;
    }
    if (untold.contains(want.ino) && want.ino == have.ino) continue;
    const bool same = times.contains(want.ino) ? have.attr.substr(0, have.attr.rfind(' ')) == want.attr.substr(0, want.attr.rfind(' '))
                                               : have.attr == want.attr || gone.contains(want.ino);
    if (!same) out.wrong.push_back(fmt::format("{}: {} instead of {}", path, have.attr, want.attr));
    if (have.symlink.starts_with("error: ")) {
      out.errors.push_back(have.symlink);
    } else if (have.symlink != want.symlink) {
      out.wrong.push_back(path + ": another symlink");
    }
    for (std::size_t i = 0; i < std::min(have.blocks.size(), want.blocks.size()); ++i) {
      if (have.blocks[i].starts_with("error: ")) {
        out.errors.push_back(have.blocks[i].substr(7));
      } else if (have.blocks[i] != want.blocks[i]) {
        out.wrong.push_back(fmt::format("{}: block {}", path, i));
      }
    }
  }
  for (const auto& [path, have] : seen.names) {
    if (!right.names.contains(path)) out.wrong.push_back(path + " should not be there");
  }
  return out;
}

}  // namespace branchfs::test
