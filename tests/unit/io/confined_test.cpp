// Paths below a confined directory lead nowhere else, whatever links stand in them.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "layers/io/env.h"
#include "tests/catch.h"

namespace branchfs {
namespace {

namespace fs = std::filesystem;

struct Planted {
  fs::path top;
  std::string store, outside;
  Env& env = posix_env();

  Planted() {
    const char* tmp = std::getenv("TMPDIR");
    std::string pattern = std::string(tmp != nullptr ? tmp : "/tmp") + "/branchfs-io-XXXXXX";
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    top = pattern;
    store = pattern + "/store";
    outside = pattern + "/outside";
    fs::create_directories(store + "/real");
    fs::create_directories(outside + "/below");
    std::ofstream(outside + "/file") << "precious";
    std::ofstream(store + "/real/file") << "own";
    fs::create_symlink(outside, store + "/link");
    fs::create_symlink("../real", store + "/real/inner");
    REQUIRE(env.confine(store).ok());
  }
  ~Planted() { fs::remove_all(top); }
  Planted(const Planted&) = delete;
  Planted& operator=(const Planted&) = delete;
};

TEST_CASE("no call on a path below a confined directory follows a link in it") {
  Planted at;
  const std::string link = at.store + "/link";
  CHECK(!at.env.open(link + "/file", O_RDONLY).ok());
  CHECK(!at.env.open(link + "/new", O_RDWR | O_CREAT, 0600).ok());
  CHECK(!at.env.list(link).ok());
  CHECK(!at.env.stat(link + "/file").ok());
  CHECK(!at.env.sync_dir(link).ok());
  CHECK(!at.env.make_dir(link + "/new").ok());
  CHECK(!at.env.unlink(link + "/file").ok());
  CHECK(!at.env.remove_dir(link + "/below").ok());
  CHECK(!at.env.rename(link + "/file", at.store + "/taken").ok());
  CHECK(!at.env.rename(at.store + "/real/file", link + "/given").ok());
  CHECK(!at.env.replace_file(link + "/file", "changed").ok());
  CHECK(!at.env.read_file(at.store + "/real/inner/file").ok());  // also one that stays inside
  CHECK(!at.env.read_file(at.store + "/../outside/file").ok());
  CHECK(fs::exists(at.outside + "/file"));
  CHECK(fs::file_size(at.outside + "/file") == 8);
  CHECK(std::distance(fs::directory_iterator(at.outside), fs::directory_iterator()) == 2);
  // The link itself can go, and what is no link works as ever.
  CHECK(at.env.remove_tree(link).ok());
  CHECK(fs::exists(at.outside + "/below"));
  auto text = at.env.read_file(at.store + "/real/file");
  REQUIRE(text.ok());
  CHECK(*text == "own");
}

TEST_CASE("a directory that is confined anew is the one that is there now") {
  Planted at;
  fs::rename(at.store, at.store + ".old");
  fs::create_directories(at.store);
  std::ofstream(at.store + "/file") << "new";
  REQUIRE(at.env.confine(at.store).ok());
  auto text = at.env.read_file(at.store + "/file");
  REQUIRE(text.ok());
  CHECK(*text == "new");
}

}  // namespace
}  // namespace branchfs
