#include "tools/lifecycle/reap.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>

#include <fmt/format.h>

#include "tools/lifecycle/lifecycle.h"

namespace branchfs {

namespace {

constexpr std::int64_t kRetryAfter = 60;  // seconds

struct Candidate {
  std::string name;
  ObjectId id;  // invalid in a runner's ticket, which is older than its branch
  std::int64_t expires = 0;  // what the manifest said when the entry was written
  std::string run;           // a masking run's ticket: only the branch that this very run left unfinished
};

Result<Candidate> parse_candidate(const std::string& file_name, const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("name") || !json["name"].is_string()) {
    return make_error(Kind::damaged, fmt::format("reap/{} is not readable", file_name));
  }
  Candidate candidate{json["name"].get<std::string>(), {}, 0, {}};
  if (json.contains("run") && json["run"].is_string()) candidate.run = json["run"].get<std::string>();
  if (json.contains("expires") && json["expires"].is_number_integer()) {
    candidate.expires = json["expires"].get<std::int64_t>();
  }
  BFS_TRY(check_branch_name(candidate.name));
  if (!json.contains("runner")) {
    BFS_ASSIGN(candidate.id, ObjectId::parse(file_name));
  }
  return candidate;
}

// The branch's present name if it is to go now, "" if it is not there any more.
Result<std::string> due_branch(const Store& store, const Candidate& candidate, bool& later) {
  later = false;
  std::string name = candidate.name;
  auto manifest = store.read_manifest(name);
  if (!candidate.id.valid()) return store.has_branch(name) ? name : std::string();
  if (!manifest || manifest->id != candidate.id) {
    auto renamed = store.name_of(candidate.id);
    if (!renamed) return renamed.error().kind == Kind::not_found ? Result<std::string>(std::string()) : renamed;
    name = *renamed;
    manifest = store.read_manifest(name);
    if (!manifest) return std::move(manifest).error();
  }
  if (manifest->expires == 0) return std::string();
  if (manifest->is_protected || manifest->expires > store.env().now().tv_sec) later = true;
  return name;
}

void try_again_later(File& file, std::int64_t now) {
  const struct ::timespec at {static_cast<std::time_t>(now + kRetryAfter), 0};
  const struct ::timespec times[2] = {at, at};
  ignore(file.set_times(times));  // then it is tried by the next command already
}

Status remove_entry(Env& env, const std::string& path) {
  auto gone = env.unlink(path);
  if (!gone && gone.error().sys != ENOENT) return gone;
  return {};
}

Status reap_one(Store& store, const std::string& file_name) {
  Env& env = store.env();
  const std::string path = store.reap_dir() + "/" + file_name;
  auto opened = env.open(path, O_RDWR);
  if (!opened) return {};  // another command was faster
  std::unique_ptr<File> file = *std::move(opened);
  BFS_ASSIGN(const bool free, file->try_lock(LockMode::exclusive));
  if (!free) return {};
  const std::int64_t now = env.now().tv_sec;
  BFS_ASSIGN(const struct ::stat stat, file->stat());
  if (stat.st_nlink == 0) return {};
  // Nobody puts anything off by more than this: a time further ahead was set by a clock that has been put back since.
  if (stat.st_mtim.tv_sec > now && stat.st_mtim.tv_sec <= now + kRetryAfter) return {};
  BFS_ASSIGN(const std::string text, env.read_file(path, 4096));
  auto candidate = parse_candidate(file_name, text);
  if (!candidate) {
    try_again_later(*file, now);
    return std::move(candidate).error();
  }
  if (candidate->expires > now) return {};
  bool later = false;
  BFS_ASSIGN(const std::string name, due_branch(store, *candidate, later));
  if (later) {
    try_again_later(*file, now);
    return {};
  }
  if (!name.empty()) {
    RemoveOptions options;
    options.urgent = true;
    options.ignore_protection = !candidate->run.empty();
    // Somebody may have extended its life while we came here.
    options.only_if = [&](const Manifest& manifest) {
      if (!candidate->run.empty()) return manifest.state != "ready" && manifest.masking.value("run", "") == candidate->run;
      return !candidate->id.valid() || (manifest.expires != 0 && manifest.expires <= now);
    };
    auto gone = remove_branch(store, name, options);
    if (!gone && gone.error().kind != Kind::not_found) {
      try_again_later(*file, now);
      // Children keep it, as they keep any branch: it goes with the last of them. Whoever has it open just now (pack, verify) is gone
      // when the next command tries.
      if (gone.error().kind == Kind::refused || gone.error().kind == Kind::busy) return {};
      return std::move(gone).error().context(fmt::format("cannot delete expired branch \"{}\"", name));
    }
  }
  if (candidate->id.valid() && !name.empty() && store.has_branch(name)) return {};  // its life was extended
  return remove_entry(env, path);
}

Status write_entry(const Store& store, const std::string& file_name, const nlohmann::json& content) {
  BFS_ASSIGN(const StoreLock lock, store.lock());
  return store.env().replace_file(store.reap_dir() + "/" + file_name, content.dump() + "\n");
}

// A delete that was killed leaves the entry of a branch that is gone.
Status remove_orphaned_entries(const Store& store) {
  BFS_ASSIGN(const StoreLock lock, store.lock());
  BFS_ASSIGN(const auto items, store.env().list(store.reap_dir()));
  for (const DirItem& item : items) {
    const std::string path = store.reap_dir() + "/" + item.name;
    // Written under the store lock, which is held: its writer was killed.
    if (item.name.ends_with(".tmp")) BFS_TRY(remove_entry(store.env(), path));
    auto text = store.env().read_file(path, 4096);
    if (!text) continue;  // reaped meanwhile
    auto candidate = parse_candidate(item.name, *text);
    if (!candidate || !candidate->id.valid()) continue;
    // Looked up after the entry was seen, which is younger than its branch.
    const auto name = store.name_of(candidate->id);
    if (!name && name.error().kind == Kind::not_found) BFS_TRY(remove_entry(store.env(), path));
  }
  return {};
}

}  // namespace

Status schedule_expiry(const Store& store, const std::string& name, const Manifest& manifest) {
  if (manifest.expires == 0) return remove_entry(store.env(), store.reap_dir() + "/" + manifest.id.hex());
  return write_entry(store, manifest.id.hex(), {{"name", name}, {"expires", manifest.expires}});
}

std::vector<std::string> reap_due(Store& store) {
  std::vector<std::string> problems;
  auto items = store.env().list(store.reap_dir());
  if (!items) return problems;  // a store just made, or not ours to change
  for (const DirItem& item : *items) {
    if (item.name.empty() || item.name.size() != 32) continue;  // something being written
    auto done = reap_one(store, item.name);
    if (!done) problems.push_back(done.error().what);
  }
  return problems;
}

Status rebuild_reap_index(const Store& store) {
  BFS_ASSIGN(const std::vector<BranchInfo> all, store.list());
  for (const BranchInfo& branch : all) {
    // One that is not ready yet is its maker's, whose ticket decides.
    if (branch.manifest.expires == 0 || branch.manifest.state != "ready") continue;
    if (store.env().exists(store.reap_dir() + "/" + branch.manifest.id.hex())) continue;
    BFS_TRY(schedule_expiry(store, branch.name, branch.manifest));
  }
  return remove_orphaned_entries(store);
}

Result<RunnerTicket> RunnerTicket::issue(const Store& store, const std::string& name, const std::string& run) {
  Env& env = store.env();
  const std::string path = store.reap_dir() + "/" + env.new_id().hex();
  // Locked under a name that reapers skip, then given its own: they never see it unlocked.
  const std::string draft = path + ".new";
  BFS_ASSIGN(auto file, env.open(draft, O_RDWR | O_CREAT | O_EXCL, 0600));
  BFS_ASSIGN(const bool locked, file->try_lock(LockMode::exclusive));
  if (!locked) return make_error(Kind::busy, fmt::format("{} is locked by another process", draft));
  nlohmann::json ticket = {{"name", name}, {"runner", ::getpid()}};
  if (!run.empty()) ticket["run"] = run;
  const std::string text = ticket.dump() + "\n";
  BFS_TRY(file->write_at(std::as_bytes(std::span(text)), 0));
  BFS_TRY(env.rename(draft, path, RENAME_NOREPLACE));
  return RunnerTicket(env, path, std::move(file));
}

Status RunnerTicket::withdraw() { return remove_entry(env_, path_); }

}  // namespace branchfs
