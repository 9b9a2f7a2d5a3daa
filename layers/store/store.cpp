#include "layers/store/store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <thread>

#include <fmt/format.h>

namespace branchfs {
namespace {

std::string encode_branch_name(std::string_view name) {
  std::string out;
  for (char c : name) out += c == '/' ? std::string("%2F") : std::string(1, c);
  return out;
}

bool is_name_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-' || c == '/';
}

std::string store_file(ObjectId id) {
  nlohmann::json j{{"format", kStoreVersion}, {"id", id.hex()}, {"features", nlohmann::json::array()}};
  return "branchfs store\n" + j.dump(1) + "\n";
}

Result<ObjectId> read_store_file(std::string_view text, const std::string& dir) {
  constexpr std::string_view kFirstLine = "branchfs store\n";
  if (!text.starts_with(kFirstLine)) return make_error(Kind::damaged, dir + "/store is not the file of a store");
  nlohmann::json j = nlohmann::json::parse(text.substr(kFirstLine.size()), nullptr, false);
  if (!j.is_object() || !j.contains("format") || !j["format"].is_number_unsigned() || !j.contains("id") ||
      !j["id"].is_string()) {
    return make_error(Kind::damaged, dir + "/store cannot be read");
  }
  auto format = j["format"].get<std::uint64_t>();
  bool unknown_features = j.contains("features") && j["features"].is_array() && !j["features"].empty();
  if (format > kStoreVersion || unknown_features) {
    return make_error(Kind::refused, fmt::format("{} was written by a newer branchfs (store format {}, this one reads {})",
                                                 dir, format, kStoreVersion),
                      "install the newer version");
  }
  auto id = ObjectId::parse(j["id"].get<std::string>());
  if (!id) return make_error(Kind::damaged, dir + "/store has no valid id");
  return id;
}

Manifest as_of(Manifest manifest, const std::string& name, const std::string& renamed_from) {
  manifest.name = name;
  manifest.renamed_from = renamed_from;
  return manifest;
}

// In a user namespace that does not map everybody, files of the system appear as nobody's.
bool sees_all_users() {
  std::ifstream map("/proc/self/uid_map");
  std::uint64_t first = 0;
  std::uint64_t outside = 0;
  std::uint64_t count = 0;
  return (map >> first >> outside >> count) && count >= UINT32_MAX;
}

// Root trusts itself and whoever called sudo, who can do as root what he likes; everybody else his own.
bool is_trusted(::uid_t owner) {
  const ::uid_t me = ::geteuid();
  if (owner == me) return true;
  const char* caller = me == 0 ? std::getenv("SUDO_UID") : nullptr;
  return caller != nullptr && fmt::to_string(owner) == caller;
}

// Whoever can replace the store, or one of its directories, decides what the owner's commands do: as root, what root does.
Status check_ownership(Env& env, const struct ::stat& st, const std::string& dir) {
  const ::uid_t me = ::geteuid();
  if (!is_trusted(st.st_uid)) {
    return make_error(Kind::refused, fmt::format("{} belongs to another user (uid {})", dir, st.st_uid),
                      me == 0 ? "run it as that user, or give the store to root" : "use your own store with --store");
  }
  if ((st.st_mode & S_IWOTH) != 0) {
    return make_error(Kind::refused, dir + " is writable for everyone", "chmod o-w " + dir);
  }
  for (const char* sub : Store::kDirs) {
    const std::string path = fmt::format("{}/{}", dir, sub);
    auto found = env.stat(path);
    if (!found && found.error().sys == ENOENT) continue;  // whoever needs it will say so
    BFS_ASSIGN(const struct ::stat below, std::move(found));
    if (!S_ISDIR(below.st_mode)) return make_error(Kind::refused, path + " is not a directory of the store's own", "put the real one back");
    if (!is_trusted(below.st_uid) || (below.st_mode & S_IWOTH) != 0) {
      return make_error(Kind::refused, path + " belongs to another user or is writable for everyone", "chown and chmod it as the store");
    }
  }
  const bool root = me == 0 && sees_all_users();
  for (std::string above = dir; above.size() > 1;) {
    above.resize(std::max<std::size_t>(above.rfind('/'), 1));
    BFS_ASSIGN(const struct ::stat parent, env.stat(above));
    if ((parent.st_mode & (S_IWOTH | S_ISVTX)) == S_IWOTH) {
      return make_error(Kind::refused, fmt::format("{}, above {}, is writable for everyone", above, dir), "chmod o-w " + above);
    }
    if (root && !is_trusted(parent.st_uid)) {
      return make_error(Kind::refused, fmt::format("{}, above root's store {}, belongs to uid {}", above, dir, parent.st_uid),
                        "put the store where only root can, or run it as that user");
    }
  }
  return {};
}

}  // namespace

Status check_branch_name(std::string_view name) {
  auto bad = [&](std::string_view why) {
    constexpr std::size_t kShown = 80;
    return make_error(Kind::usage, fmt::format("\"{}{}\" is not a branch name: {}", name.substr(0, kShown), name.size() > kShown ? "..." : "", why),
                      "letters, digits, and . _ - / inside; at most 63");
  };
  if (name.empty() || name.size() > 63) return bad(name.empty() ? "it is empty" : "it is longer than 63 characters");
  for (char c : name) {
    if (!is_name_char(c)) return bad("it has a character that is not allowed");
  }
  if (name.find("..") != std::string_view::npos) return bad("it contains \"..\"");
  std::size_t start = 0;
  while (start <= name.size()) {
    std::size_t end = std::min(name.find('/', start), name.size());
    std::string_view part = name.substr(start, end - start);
    if (part.empty()) return bad("a part between slashes is empty");
    if (part[0] == '.' || part[0] == '-') return bad("a part begins with . or -");
    start = end + 1;
  }
  if (name[0] == '_') return bad("it begins with _");
  return {};
}

Status BranchLock::describe_holder(const nlohmann::json& holder) {
  std::string text = holder.dump() + "\n";
  BFS_TRY(file_->write_at(std::as_bytes(std::span(text)), 0));
  return file_->truncate(text.size());  // never empty in between
}

Result<bool> BranchLock::is_described() const {
  BFS_ASSIGN(const struct ::stat st, file_->stat());
  return st.st_size > 0;
}

Status BranchLock::forget_holder() { return file_->truncate(0); }

Store::Store(Env& env, std::string dir, ObjectId id) : env_(env), dir_(std::move(dir)), id_(id) {
  layers_ = std::make_unique<LayerSet>(env, [this](ObjectId layer) { return layer_path(layer); });
}

Status Store::init(Env& env, const std::string& dir) {
  if (env.exists(dir + "/store")) return make_error(Kind::exists, dir + " is a store already");
  if (env.exists(dir)) {
    BFS_ASSIGN(auto items, env.list(dir));
    if (!items.empty()) return make_error(Kind::refused, dir + " is not empty", "choose an empty or a new directory");
  } else {
    BFS_TRY(env.make_dir(dir, 0700));
  }
  for (const char* sub : kDirs) BFS_TRY(env.make_dir(dir + "/" + sub, 0700));
  // The file "store" is what makes it one, so it comes last.
  BFS_TRY(env.replace_file(dir + "/lock", ""));
  BFS_TRY(env.replace_file(dir + "/settled", ""));
  BFS_TRY(write_store_file(env, dir));
  auto slash = dir.rfind('/');
  return env.sync_dir(slash == 0 ? "/" : dir.substr(0, slash));
}

Status Store::write_store_file(Env& env, const std::string& dir) {
  return env.replace_file(dir + "/store", store_file(env.new_id()));
}

Result<std::shared_ptr<Store>> Store::open(Env& env, const std::string& dir) {
  auto st = env.stat(dir + "/store");
  if (!st && st.error().sys == ENOENT) {
    return make_error(Kind::not_found, "there is no store at " + dir, "branchfs init " + dir);
  }
  if (!st) return std::move(st).error();
  BFS_ASSIGN(struct ::stat dir_st, env.stat(dir));
  BFS_TRY(check_ownership(env, dir_st, dir));
  BFS_TRY(env.confine(dir));
  BFS_ASSIGN(std::string text, env.read_file(dir + "/store", 1U << 20U));
  BFS_ASSIGN(ObjectId id, read_store_file(text, dir));
  return std::shared_ptr<Store>(new Store(env, dir, id));
}

std::string Store::branch_dir(std::string_view name) const { return branches_dir() + "/" + encode_branch_name(name); }

Result<std::string> Store::decode_branch_dir(std::string_view encoded) {
  std::string name;
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    if (encoded.substr(i, 3) == "%2F") {
      name += '/';
      i += 2;
    } else {
      name += encoded[i];
    }
  }
  BFS_TRY(check_branch_name(name));
  return name;
}

Result<StoreLock> Store::lock() const {
  BFS_ASSIGN(auto file, env_.open(dir_ + "/lock", O_RDWR));
  BFS_TRY(file->lock(LockMode::exclusive));
  return StoreLock(std::move(file));
}

Result<BranchLock> Store::lock_branch(const std::string& name, LockMode mode) const {
  std::string path = branch_dir(name) + "/lock";
  auto file = env_.open(path, O_RDWR | O_CREAT, 0600);
  if (!file && file.error().sys == ENOENT) return make_error(Kind::not_found, fmt::format("no branch \"{}\"", name));
  if (!file) return std::move(file).error();
  // Somebody may hold it for an instant only to see whether anybody does (branch_holder): ask more than once.
  for (int attempt = 0; attempt < 4; ++attempt) {
    if (attempt > 0) std::this_thread::sleep_for(std::chrono::milliseconds(3));
    BFS_ASSIGN(bool locked, (*file)->try_lock(mode));
    if (locked) return BranchLock(*std::move(file));
  }
  BFS_ASSIGN(nlohmann::json holder, branch_holder(name));
  std::string who = "another process";
  if (holder.is_object() && holder.contains("pid")) {
    who = fmt::format("process {}", holder["pid"].dump());
    if (holder.contains("mountpoint") && holder["mountpoint"].is_string()) {
      who += " has it mounted at " + holder["mountpoint"].get<std::string>();
    }
  }
  return make_error(Kind::busy, fmt::format("branch \"{}\" is in use: {}", name, who),
                    fmt::format("branchfs umount {}", name));
}

Result<bool> Store::was_left_open(const std::string& name) const {
  BFS_ASSIGN(const BranchLock lock, lock_branch(name, LockMode::exclusive));
  return lock.is_described();
}

Result<nlohmann::json> Store::branch_holder(const std::string& name) const {
  std::string path = branch_dir(name) + "/lock";
  auto file = env_.open(path, O_RDWR);
  if (!file && file.error().sys == ENOENT) return nlohmann::json();
  if (!file) return std::move(file).error();
  BFS_ASSIGN(bool is_free, (*file)->try_lock(LockMode::exclusive));
  if (is_free) return nlohmann::json();
  std::string text(4096, '\0');
  BFS_ASSIGN(std::size_t got, (*file)->read_at(std::as_writable_bytes(std::span(text)), 0));
  text.resize(got);
  nlohmann::json holder = nlohmann::json::parse(text, nullptr, false);
  return holder.is_object() ? holder : nlohmann::json::object();
}

bool Store::has_branch(const std::string& name) const { return env_.exists(branch_dir(name) + "/manifest"); }

Result<Manifest> Store::read_manifest(const std::string& name) const {
  BFS_TRY(check_branch_name(name));
  auto text = env_.read_file(branch_dir(name) + "/manifest");
  if (!text && text.error().sys == ENOENT) {
    return make_error(Kind::not_found, fmt::format("no branch \"{}\"", name), "branchfs list");
  }
  if (!text) return std::move(text).error();
  auto manifest = Manifest::decode(*text);
  if (!manifest) return std::move(manifest).error().context(fmt::format("branch \"{}\"", name));
  const std::string& said = manifest->name;
  if (!said.empty() && said != name && manifest->renamed_from != name) {
    return make_error(Kind::damaged, fmt::format("branch \"{}\": its manifest is that of branch \"{}\"", name, said));
  }
  return manifest;
}

Status Store::write_manifest(const StoreLock& lock, const std::string& name, const Manifest& manifest,
                             const std::string& renamed_from) const {
  const std::string& dir = renamed_from.empty() ? name : renamed_from;
  return change(lock, [&] { return env_.replace_file(branch_dir(dir) + "/manifest", as_of(manifest, name, renamed_from).encode()); });
}

Result<std::string> Store::prepare_manifest(const StoreLock&, const std::string& name, const Manifest& manifest) const {
  return env_.prepare_file(branch_dir(name) + "/manifest", as_of(manifest, name, {}).encode());
}

Status Store::publish_manifest(const StoreLock& lock, const std::string& name, const std::string& prepared) const {
  Status published = change(lock, [&]() -> Status {
    BFS_TRY(env_.rename(prepared, branch_dir(name) + "/manifest"));
    return env_.sync_dir(branch_dir(name));
  });
  if (!published) ignore(env_.unlink(prepared));  // if it still has that name; the first error is the one to report
  return published;
}

// The mark of an incomplete change is the size of the lock's file: setting it takes no room on a full disk. It need not be durable, since
// only a machine that goes on can show names that are not. Changes may be nested; the outermost one takes the mark away.
Status Store::change(const StoreLock& lock, const std::function<Status()>& change) const {
  if (lock.changing_) return change();
  BFS_TRY(settle(lock));
  BFS_TRY(mark_unsettled(lock));
  lock.changing_ = true;
  const Status done = change();
  lock.changing_ = false;
  BFS_TRY(done);
  mark_settled(lock);
  return {};
}

// A filesystem that never writes in place (btrfs) needs room for any change but a removal: there the mark is that a file is gone.
Status Store::mark_unsettled(const StoreLock& lock) const {
  Status marked = lock.file_->truncate(1);
  if (marked || !means_full(marked.error().sys)) return marked;
  Status gone = env_.unlink(settled_path());
  if (!gone && gone.error().sys != ENOENT) return gone;
  return {};
}

// Where that fails the mark stays: what is settled once more is as it was.
void Store::mark_settled(const StoreLock& lock) const {
  const auto st = lock.file_->stat();
  if (!st) return;
  if (st->st_size != 0 && !lock.file_->truncate(0)) return;
  if (!env_.exists(settled_path())) static_cast<void>(env_.open(settled_path(), O_WRONLY | O_CREAT).ok());
}

Result<bool> Store::is_settled() const {
  BFS_ASSIGN(const struct ::stat st, env_.stat(dir_ + "/lock"));
  return st.st_size == 0 && env_.exists(settled_path());
}

Status Store::settle() const {
  BFS_ASSIGN(const bool settled, is_settled());
  if (settled) return {};
  BFS_ASSIGN(const StoreLock held, lock());
  return settle(held);
}

Status Store::settle(const StoreLock& lock) const {
  BFS_ASSIGN(const bool settled, is_settled());
  if (settled) return {};
  BFS_TRY(env_.sync_dir(branches_dir()));
  BFS_ASSIGN(const auto items, env_.list(branches_dir()));
  for (const DirItem& item : items) {
    Status synced = env_.sync_dir(branches_dir() + "/" + item.name);
    if (!synced && synced.error().sys != ENOTDIR) return synced;  // a file here is nobody's branch
  }
  mark_settled(lock);
  return {};
}

Result<std::vector<BranchInfo>> Store::list(
    const std::function<void(const std::string& name, const Error&)>& damaged) const {
  BFS_ASSIGN(auto items, env_.list(branches_dir()));
  std::vector<BranchInfo> all;
  for (const DirItem& item : items) {
    auto name = decode_branch_dir(item.name);
    if (!name) continue;
    // not_found: half-made by a crashed create, gc removes it. A host that cannot tell is not the same.
    auto manifest = read_manifest(*name);
    if (manifest) {
      all.push_back({*name, *std::move(manifest)});
    } else if (manifest.error().kind != Kind::not_found && damaged) {
      damaged(*name, manifest.error());
    }
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return all;
}

Result<std::string> Store::name_of(ObjectId branch) const {
  BFS_ASSIGN(auto all, list());
  for (const BranchInfo& info : all) {
    if (info.manifest.id == branch) return info.name;
  }
  return make_error(Kind::not_found, "no branch with id " + branch.hex());
}

Status Store::trash(const std::string& path) const {
  Status moved = env_.rename(path, trash_dir() + "/" + env_.new_id().hex());
  if (!moved && moved.error().sys == ENOENT) return {};
  // A full disk may have no room for the name in trash/. What frees space must not need any.
  if (!moved && means_full(moved.error().sys)) return remove_in_place(path);
  return moved;
}

// A branch goes with its manifest, at one moment: what is left of it then, and half a delta, are what gc takes away.
Status Store::remove_in_place(const std::string& path) const {
  Status unnamed = env_.unlink(path + "/manifest");
  if (unnamed) BFS_TRY(env_.sync_dir(path));
  Status removed = env_.remove_tree(path);
  if (!removed && removed.error().sys == ENOENT) return {};
  return removed;
}

Status Store::empty_trash() const {
  BFS_ASSIGN(auto items, env_.list(trash_dir()));
  for (const DirItem& item : items) {
    Status removed = env_.remove_tree(trash_dir() + "/" + item.name);
    // Two processes may empty it at once: what is gone is gone.
    if (!removed && removed.error().sys != ENOENT && removed.error().sys != ENOTEMPTY) return removed;
  }
  return {};
}

}  // namespace branchfs
