// STORE/lost+found: where repairing puts what it takes out of the store, one directory for each repair, with the paths that the
// files had. Nothing in the store reads it or removes it. Owner: one repair, under the store lock; one thread.
#pragma once

#include <string>
#include <vector>

#include "layers/io/env.h"

namespace branchfs {

class SetAside {
 public:
  SetAside(Env& env, std::string store_dir) : env_(env), store_dir_(std::move(store_dir)) {}
  // Takes a file or directory of the store out of it.
  Status move(const std::string& path);
  // `fresh` takes the place of `path` at one moment; what was there, if anything, is set aside. After an error `fresh` is gone, unless it
  // is the only copy of what was there.
  Status exchange(const std::string& fresh, const std::string& path);
  // Says, next to what was set aside, what was found, done and lost.
  Status write_report(const std::vector<std::string>& found, const std::vector<std::string>& done,
                      const std::vector<std::string>& lost);
  [[nodiscard]] const std::string& dir() const { return dir_; }  // empty: nothing was set aside

 private:
  Status keep(const std::string& from, const std::string& path);  // as if `from` had been `path`
  Status begin();

  Env& env_;
  std::string store_dir_;
  std::string dir_;
};

}  // namespace branchfs
