#include "tools/progress.h"

#include <fcntl.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/catch.h"

namespace branchfs {
namespace {

class Pipe {
 public:
  Pipe() { REQUIRE(::pipe2(ends_, O_CLOEXEC | O_NONBLOCK) == 0); }
  ~Pipe() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  [[nodiscard]] int in() const { return ends_[1]; }
  std::string text() const {
    std::string all(65536, '\0');
    const ssize_t n = ::read(ends_[0], all.data(), all.size());
    all.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return all;
  }

 private:
  int ends_[2] = {-1, -1};
};

}  // namespace

TEST_CASE("a bar shows part, amount and label, fits the width and is erased") {
  const Pipe pipe;
  {
    ProgressReporter bar(ProgressReporter::Style::bar, pipe.in());
    bar.begin("copying");
    bar.update(512ULL << 20U, 1024ULL << 20U);
    const std::string shown = pipe.text();
    CHECK(shown.find("copying") != std::string::npos);
    CHECK(shown.find(" 50%") != std::string::npos);
    CHECK(shown.find("512.0 MiB of 1.0 GiB") != std::string::npos);
    CHECK(shown.size() <= 80 + 4);
    CHECK(shown.find('\n') == std::string::npos);
  }
  CHECK(pipe.text() == "\r\x1b[K");
}

TEST_CASE("a bar is drawn at most ten times a second") {
  const Pipe pipe;
  ProgressReporter bar(ProgressReporter::Style::bar, pipe.in());
  bar.begin("copying");
  for (std::uint64_t i = 1; i <= 10000; ++i) bar.update(i, 10000);
  const std::string shown = pipe.text();
  CHECK(std::count(shown.begin(), shown.end(), '\r') <= 3);
}

TEST_CASE("json events are one object a line and the last one is the end") {
  const Pipe pipe;
  {
    ProgressReporter events(ProgressReporter::Style::json, pipe.in());
    events.begin("copying");
    events.update(10, 100);
    events.update(60, 100);
    events.update(120, 100);  // more than was estimated
  }
  std::istringstream lines(pipe.text());
  std::vector<nlohmann::json> seen;
  for (std::string line; std::getline(lines, line);) seen.push_back(nlohmann::json::parse(line));
  REQUIRE(seen.size() == 2);
  CHECK(seen.front()["event"] == "progress");
  CHECK(seen.front()["done"] == 10);
  CHECK(seen.back()["done"] == 120);
  CHECK(seen.back()["total"] == 120);
  CHECK(seen.back()["rate"].is_number());
}

TEST_CASE("quiet says nothing, and an unknown total promises nothing") {
  const Pipe pipe;
  {
    ProgressReporter none(ProgressReporter::Style::none, pipe.in());
    none.begin("copying");
    none.update(1, 2);
  }
  CHECK(pipe.text().empty());
  ProgressReporter bar(ProgressReporter::Style::bar, pipe.in());
  bar.begin("receiving");
  bar.update(1000, 0);
  CHECK(pipe.text().find('%') == std::string::npos);
}

}  // namespace branchfs
