#include "tools/mask/engine/key.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tests/catch.h"
#include "tests/support/must.h"

namespace branchfs::test {
namespace {

namespace fs = std::filesystem;
using mask::Key;

struct KeyDir {
  std::string path;
  KeyDir() {
    std::string name = (fs::temp_directory_path() / "bfs-key-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~KeyDir() { fs::remove_all(path); }
  KeyDir(const KeyDir&) = delete;
  KeyDir& operator=(const KeyDir&) = delete;
  [[nodiscard]] std::string put(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    std::ofstream(path + "/" + name) << text;
    REQUIRE(::chmod((path + "/" + name).c_str(), mode) == 0);
    return "file:" + path + "/" + name;
  }
};

TEST_CASE("a key file gives the same key and the same name every time, another file another") {
  const KeyDir dir;
  const Key one = must(Key::load(dir.put("a", "0123456789abcdef0123456789abcdef"), "/"));
  const Key again = must(Key::load("file:a", dir.path));
  const Key other = must(Key::load(dir.put("b", "0123456789abcdef0123456789abcdee"), "/"));
  CHECK(one.bytes().size() == 32);
  CHECK(one.bytes() == again.bytes());
  CHECK(one.id() == again.id());
  CHECK(again.spec() == "file:" + dir.path + "/a");
  CHECK(one.bytes() != other.bytes());
  CHECK(one.id() != other.id());
  CHECK_FALSE(one.ephemeral());
  // The name gives nothing of the key away, and the key is not the file's text.
  CHECK(one.id().size() == 16);
  CHECK(std::string(one.bytes()).find("0123456789abcdef") == std::string::npos);
}

TEST_CASE("an ephemeral key is another one every time") {
  const Key one = must(Key::load("ephemeral", "/"));
  const Key two = must(Key::load("ephemeral", "/"));
  CHECK(one.ephemeral());
  CHECK(one.bytes() != two.bytes());
  CHECK(one.id() != two.id());
}

TEST_CASE("key files that others can read, that are too short, or that are none are refused") {
  const KeyDir dir;
  for (const auto& [spec, why] : {std::pair{dir.put("open", std::string(32, 'k'), 0640), "open to other users"},
                                  std::pair{dir.put("short", "too short"), "bytes"},
                                  std::pair{std::string("file:" + dir.path), "no regular file"},
                                  std::pair{std::string("secret"), "neither"}, std::pair{std::string("file:"), "neither"}}) {
    const auto key = Key::load(spec, "/");
    INFO(spec);
    REQUIRE(!key);
    if (spec != "file:" + dir.path) CHECK(key.error().kind == Kind::refused);
    CHECK_THAT(key.error().what, Catch::Contains(why));
  }
  CHECK(!Key::load("file:missing", dir.path));
}

}  // namespace
}  // namespace branchfs::test
