// `import --move` takes the user's only copy of a cluster: after a kill or a power cut before any of its
// calls, and one more while gc undoes it, the branch holds every file with every byte, or the directory does
// again (P8, P10). BRANCHFS_CRASH_ROUNDS as in crash_test.
#include <fcntl.h>

#include <cstdlib>

#include "layers/jobs/import.h"
#include "layers/jobs/jobs.h"
#include "layers/jobs/tree_reader.h"
#include "tests/fault/crash_check.h"
#include "tests/support/must.h"

namespace branchfs::test {
namespace {

const std::string kSource = "/source";
using Files = std::map<std::string, std::string>;

const Files& cluster() {
  static const Files files{{"PG_VERSION", "15\n"},
                           {"base/1/100", std::string(3 * kBlockSize + 100, 'a')},
                           {"base/1/101", std::string(kBlockSize, 'b')},
                           {"base/1/empty", ""},
                           {"global/pg_control", std::string(kBlockSize, 'c')}};
  return files;
}

std::span<const std::byte> span_of(const std::string& text) { return std::as_bytes(std::span(text)); }

// A store, and the cluster, durably.
void make_machine(Env& env) {
  must(Store::init(env, kStore));
  for (const char* dir : {"", "/base", "/base/1", "/global"}) must(env.make_dir(kSource + dir));
  for (const auto& [path, bytes] : cluster()) {
    auto file = must(env.open(kSource + "/" + path, O_RDWR | O_CREAT));
    must(file->write_at(span_of(bytes), 0));
  }
  must(env.sync_filesystem(kSource));
}

Result<std::string> read_source(Env& env, const std::string& path) {
  BFS_ASSIGN(std::string text, env.read_file(kSource + "/" + path));
  return text;
}

// What is different from the cluster; "" for nothing.
std::string source_differs(Env& env) {
  for (const auto& [path, bytes] : cluster()) {
    auto text = read_source(env, path);
    if (!text) return path + " is not back: " + text.error().what;
    if (*text != bytes) return path + " has other bytes";
  }
  return {};
}

std::string branch_differs(const std::shared_ptr<Store>& store) {
  auto reader = TreeReader::open(store, "main");
  if (!reader) return reader.error().what;
  Files found;
  std::string why;
  Status walked = (*reader)->entries([&](const TreeReader::Entry& entry) -> Status {
    if (!S_ISREG(entry.attr.mode)) return {};
    std::string bytes(entry.attr.size, '?');
    BFS_TRY((*reader)->read(entry.attr.ino, 0, std::as_writable_bytes(std::span(bytes))));
    found[entry.path] = std::move(bytes);
    return {};
  });
  if (!walked) return walked.error().what;
  if (found != cluster()) return "the branch has other files";
  return {};
}

// What a program of `process` finds in the image; an image of each moment of its own goes to `moments`, if
// wanted.
std::string check(MemoryDisk& disk, std::uint64_t boot, std::vector<DiskImage>* moments) {
  MemoryEnv env(disk, boot, next_process());
  if (moments != nullptr) {
    env.hook = [&](const DiskCall& call) -> Status {
      if (call.changes) moments->push_back(disk.image());
      return {};
    };
  }
  auto store = Store::open(env, kStore);
  if (!store) return store.error().what;
  for (int look = 0; look < 2; ++look) {  // before and after what gc does
    if ((*store)->has_branch("main")) {
      if (std::string why = branch_differs(*store); !why.empty()) return why;
      auto report = verify_store(**store);
      if (!report || report->problems > 0)
        return "verify: " + (report ? report->lines.at(0) : report.error().what);
    } else if (look == 1) {
      if (std::string why = source_differs(env); !why.empty()) return why;
    }
    auto collected = collect_garbage(**store);
    if (!collected) return "gc: " + collected.error().what;
  }
  return {};
}

std::uint64_t rounds() {
  const char* given = std::getenv("BRANCHFS_CRASH_ROUNDS");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 2;
}

const std::vector<Cut> kCuts{Cut::lost, Cut::names_only, Cut::data_only, Cut::random};

std::string check_cuts(const DiskImage& image, std::uint64_t seed, bool again) {
  for (const Cut cut : kCuts) {
    for (std::uint64_t round = 0; round < (cut == Cut::random ? rounds() : 1); ++round) {
      MemoryDisk disk(after_cut(image, *make_fate(cut, seed + round)));
      std::vector<DiskImage> moments;
      std::string why = check(disk, next_process(), again ? &moments : nullptr);
      if (!why.empty()) return why;
      if (moments.empty()) continue;
      why = check_cuts(moments[seed * 7919 % moments.size()], seed + 1, false);
      if (!why.empty()) return "and once more meanwhile: " + why;
    }
  }
  return {};
}

TEST_CASE("a directory that is moved in is never lost, whenever the import ends", "[crash]") {
  MemoryDisk disk;
  const std::uint64_t boot = next_process();
  MemoryEnv env(disk, boot, next_process());
  make_machine(env);
  auto store = must(Store::open(env, kStore));
  std::vector<std::pair<std::string, DiskImage>> moments;
  env.hook = [&](const DiskCall& call) -> Status {
    if (call.changes) moments.emplace_back(std::string(call.name) + " " + call.path, disk.image());
    return {};
  };
  must(import_move(*store, "main", kSource, {}, {}));
  moments.emplace_back("anything more", disk.image());
  env.hook = {};
  CHECK(branch_differs(store).empty());
  store.reset();
  std::uint64_t number = 0;
  for (const auto& [call, image] : moments) {
    INFO("moment " << number << ", before " << call);
    std::string why = check_cuts(image, ++number, true);
    CHECK(why.empty());
    if (!why.empty()) FAIL("power cut: " << why);
    MemoryDisk here(image);
    why = check(here, boot, nullptr);
    if (!why.empty()) FAIL("killed: " << why);
  }
  WARN(moments.size() << " moments");
}

bool looks_up(const DiskCall& call) { return call.name == "stat" || (call.name == "open" && !call.changes); }

TEST_CASE("a directory that is moved in is never lost, whichever call fails", "[fault]") {
  struct Failing {
    int error;
    std::function<bool(const DiskCall&)> matches;
  };
  const auto changes = [](const DiskCall& call) { return call.changes; };
  for (const auto& [error, matches] : {Failing{ENOSPC, changes}, Failing{EIO, changes}, Failing{EIO, looks_up}}) {
    for (std::size_t n = 0, calls = SIZE_MAX; n < calls; ++n) {
      MemoryDisk disk;
      MemoryEnv env(disk, next_process(), next_process());
      make_machine(env);
      auto store = must(Store::open(env, kStore));
      std::size_t made = 0;
      std::string failed;
      env.hook = [&](const DiskCall& call) -> Status {
        if (!matches(call) || made++ != n) return {};
        failed = std::string(call.name) + " " + call.path;
        return Error{Kind::failed, error, "injected", {}};
      };
      const auto moved = import_move(*store, "main", kSource, {}, {});
      env.hook = {};
      calls = failed.empty() ? 0 : SIZE_MAX;
      INFO("call " << n << ", " << failed << ", error " << error << ": "
                   << (moved ? "imported" : moved.error().what));
      if (moved) CHECK(branch_differs(store).empty());
      store.reset();
      const std::string why = check(disk, 1, nullptr);
      CHECK(why.empty());
      if (!why.empty()) FAIL(why);
    }
  }
}

// What gc cannot find out it does not take for gone: then it would remove the delta with the files that are still in it.
TEST_CASE("gc brings back a directory whatever it fails to look up", "[fault]") {
  std::vector<DiskImage> moments;
  {
    MemoryDisk disk;
    MemoryEnv env(disk, next_process(), next_process());
    make_machine(env);
    auto store = must(Store::open(env, kStore));
    env.hook = [&](const DiskCall& call) -> Status {
      if (call.changes) moments.push_back(disk.image());
      return {};
    };
    must(import_move(*store, "main", kSource, {}, {}));
  }
  for (std::size_t moment = 0; moment < moments.size(); ++moment) {
    for (std::size_t n = 0, calls = SIZE_MAX; n < calls; ++n) {
      MemoryDisk disk(moments[moment]);
      MemoryEnv env(disk, next_process(), next_process());
      auto store = must(Store::open(env, kStore));
      std::size_t made = 0;
      std::string failed;
      env.hook = [&](const DiskCall& call) -> Status {
        if (!looks_up(call) || made++ != n) return {};
        failed = std::string(call.name) + " " + call.path;
        return Error{Kind::failed, EIO, "injected", {}};
      };
      const auto collected = collect_garbage(*store);
      env.hook = {};
      calls = failed.empty() ? 0 : SIZE_MAX;
      INFO("moment " << moment << ", look-up " << n << ", " << failed << ": " << (collected ? "collected" : collected.error().what));
      store.reset();
      const std::string why = check(disk, 1, nullptr);
      CHECK(why.empty());
      if (!why.empty()) FAIL(why);
    }
  }
}

}  // namespace
}  // namespace branchfs::test
