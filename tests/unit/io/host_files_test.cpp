// Many reads and syncs at once: the same answers from io_uring and from the plain calls that stand in for it.
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <random>

#include "layers/io/env.h"
#include "layers/io/host_ring.h"
#include "tests/catch.h"
#include "tests/support/must.h"

namespace branchfs::test {
namespace {

class Directory {
 public:
  Directory() {
    path_ = (std::filesystem::temp_directory_path() / "branchfs-io-XXXXXX").string();
    if (::mkdtemp(path_.data()) == nullptr) FAIL("mkdtemp " << path_);
  }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  [[nodiscard]] std::unique_ptr<File> file(const std::string& name, std::string_view content) const {
    auto file = must(posix_env().open(path_ + "/" + name, O_RDWR | O_CREAT, 0600));
    must(file->write_at(std::as_bytes(std::span(content)), 0));
    return file;
  }

 private:
  std::string path_;
};

std::string random_text(std::size_t size) {
  std::mt19937 random(7);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>('a' + random() % 26);
  return text;
}

// With io_uring where the kernel has it, and without.
void both_ways(const std::function<void(const std::function<Status(std::span<FileRead>)>&)>& check) {
  SECTION("the host's way") {
    check([](std::span<FileRead> reads) { return posix_env().read_at(reads); });
  }
  SECTION("plain calls") {
    check([](std::span<FileRead> reads) { return posix_env().Env::read_at(reads); });
  }
}

TEST_CASE("many reads give what single ones give, to the end of the file and behind it") {
  const Directory dir;
  const std::string text = random_text(100'000);
  const auto one = dir.file("one", text);
  const auto two = dir.file("two", text.substr(50'000));
  both_ways([&](const auto& read_at) {
    // More than one submission holds.
    std::vector<std::string> out(200, std::string(1000, '?'));
    std::vector<FileRead> reads;
    for (std::size_t i = 0; i < out.size(); ++i) {
      reads.push_back({i % 2 == 0 ? one.get() : two.get(), (i * 7919) % 100'500, std::as_writable_bytes(std::span(out[i])), 0});
    }
    must(read_at(reads));
    for (std::size_t i = 0; i < out.size(); ++i) {
      const std::string_view whole = i % 2 == 0 ? std::string_view(text) : std::string_view(text).substr(50'000);
      const std::string_view want =
          reads[i].offset < whole.size() ? whole.substr(reads[i].offset, 1000) : std::string_view();
      INFO("read " << i << " at " << reads[i].offset);
      REQUIRE(reads[i].got == want.size());
      CHECK(std::string_view(out[i]).substr(0, reads[i].got) == want);
    }
  });
}

TEST_CASE("one bad file among many is an error, from reads and from syncs") {
  const Directory dir;
  const auto good = dir.file("good", "0123456789");
  const std::vector<File*> twice = {good.get(), good.get()};
  must(posix_env().sync_data(twice));  // makes the thread's ring, which must not get the number that is closed now
  const auto bad = dir.file("bad", "0123456789");
  REQUIRE(::close(bad->fd()) == 0);
  std::string out(10, '?');
  both_ways([&](const auto& read_at) {
    std::vector<FileRead> reads = {{good.get(), 0, std::as_writable_bytes(std::span(out)), 0},
                                   {bad.get(), 0, std::as_writable_bytes(std::span(out)), 0}};
    const Status read = read_at(reads);
    REQUIRE_FALSE(read.ok());
    CHECK(read.error().sys == EBADF);
    CHECK(read.error().what.find("/bad") != std::string::npos);
  });
  const std::vector<File*> files = {good.get(), bad.get(), good.get()};
  for (const Status& synced : {posix_env().sync_data(files), posix_env().Env::sync_data(files)}) {
    REQUIRE_FALSE(synced.ok());
    CHECK(synced.error().sys == EBADF);
    CHECK(synced.error().what.find("/bad") != std::string::npos);
  }
  must(posix_env().sync_data(twice));  // the ring is as good as before
}

}  // namespace
}  // namespace branchfs::test
