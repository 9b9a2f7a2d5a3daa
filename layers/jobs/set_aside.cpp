#include "layers/jobs/set_aside.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

namespace branchfs {

Status SetAside::begin() {
  if (!dir_.empty()) return {};
  const std::string all = store_dir_ + "/lost+found";
  Status made = env_.make_dir(all);
  if (!made && made.error().sys != EEXIST) return made;
  const std::string stamp = fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(env_.now().tv_sec));
  std::string dir = all + "/" + stamp + "-" + env_.new_id().hex().substr(0, 8);
  BFS_TRY(env_.make_dir(dir));
  BFS_TRY(env_.sync_dir(all));
  BFS_TRY(env_.sync_dir(store_dir_));
  dir_ = std::move(dir);
  return {};
}

Status SetAside::keep(const std::string& from, const std::string& path) {
  BFS_TRY(begin());
  const std::string relative = path.substr(store_dir_.size() + 1);
  for (auto slash = relative.find('/'); slash != std::string::npos; slash = relative.find('/', slash + 1)) {
    Status made = env_.make_dir(dir_ + "/" + relative.substr(0, slash));
    if (!made && made.error().sys != EEXIST) return made;
  }
  std::string to = dir_ + "/" + relative;
  // Its directory may have been set aside before, with a file of this name.
  for (int n = 1; env_.exists(to); ++n) to = fmt::format("{}/{}.{}", dir_, relative, n);
  BFS_TRY(env_.rename(from, to));
  BFS_TRY(env_.sync_dir(to.substr(0, to.rfind('/'))));
  return env_.sync_dir(from.substr(0, from.rfind('/')));
}

Status SetAside::move(const std::string& path) { return keep(path, path); }

Status SetAside::exchange(const std::string& fresh, const std::string& path) {
  auto is_there = env_.is_there(path);
  Status done = is_there.ok() ? Status{} : Status(std::move(is_there).error());
  if (done && !*is_there) {
    done = env_.rename(fresh, path);
    if (done) return env_.sync_dir(path.substr(0, path.rfind('/')));
  }
  constexpr unsigned kExchange = 2;  // RENAME_EXCHANGE
  if (done) done = begin();
  if (done) done = env_.rename(fresh, path, kExchange);
  if (done) {
    done = keep(fresh, path);
    if (done) return {};
    // `fresh` is what was there before, if it is not in lost+found yet: it goes back, or stays.
    if (!env_.rename(fresh, path, kExchange)) return done;
  }
  ignore(env_.unlink(fresh));  // the first error is the one to report
  return done;
}

Status SetAside::write_report(const std::vector<std::string>& found, const std::vector<std::string>& done,
                              const std::vector<std::string>& lost) {
  if (lost.empty() && dir_.empty()) return {};
  BFS_TRY(begin());
  std::string text;
  auto list = [&](const char* title, const std::vector<std::string>& lines) {
    text += std::string(title) + "\n";
    for (const std::string& line : lines) text += "  " + line + "\n";
  };
  list("found", found);
  list("mended", done);
  list("lost", lost);
  return env_.replace_file(dir_ + "/REPORT", text);
}

}  // namespace branchfs
