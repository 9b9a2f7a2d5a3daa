// A store in a directory of its own, and the whole program called in-process.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "layers/store/branches.h"
#include "tests/catch.h"
#include "tools/command_line.h"

namespace branchfs {

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
  [[nodiscard]] nlohmann::json json() const { return nlohmann::json::parse(out); }
};

class ToolsFixture {
 public:
  ToolsFixture() {
    std::string pattern = std::filesystem::temp_directory_path().string() + "/branchfs-tools.XXXXXX";
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    dir_ = pattern;
    REQUIRE(branchfs({"init"}).code == 0);
  }
  ~ToolsFixture() { std::filesystem::remove_all(dir_); }

  [[nodiscard]] std::string store_dir() const { return dir_ + "/store"; }
  Outcome branchfs(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"--store", store_dir()});
    std::ostringstream out;
    std::ostringstream err;
    Outcome outcome;
    outcome.code = branchfs_main(arguments, out, err);
    outcome.out = out.str();
    outcome.err = err.str();
    return outcome;
  }
  [[nodiscard]] std::shared_ptr<Store> open() const { return *Store::open(posix_env(), store_dir()); }
  // A root without data: enough for everything that does not mount.
  void make_root(const std::string& name) const {
    const auto store = open();
    const auto lock = store->lock();
    Manifest manifest;
    manifest.origin = "initdb";
    manifest.postgres = {{"major", 15}, {"port", 23456}, {"prepared", true}, {"role", "alice"},
                         {"neutralized", {"archive_mode: off"}}};
    REQUIRE(create_root(*store, *lock, name, manifest));
  }

 private:
  std::string dir_;
};

}  // namespace branchfs
