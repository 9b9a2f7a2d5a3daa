// Manifests that nobody wrote with a branchfs.
#include "layers/store/manifest.h"

#include <fmt/format.h>

#include "layers/base/checksum.h"
#include "tests/catch.h"

using namespace branchfs;

TEST_CASE("a manifest that is nested without end is damage, and takes no stack") {
  constexpr std::size_t kDeep = 1'000'000;
  for (const auto& [open, close] : {std::pair("[", "]"), std::pair("{\"a\":", "}")}) {
    std::string body = R"({"id":"00000000000000000000000000000001","stack":[],"next_ino":2,"created":0,"expires":0,)"
                       R"("protected":false,"state":"ready","origin":"pgdata","postgres":{"x":)";
    for (std::size_t i = 0; i < kDeep; ++i) body += open;
    body += "1";
    for (std::size_t i = 0; i < kDeep; ++i) body += close;
    body += "}}";
    const auto sum = checksum(std::as_bytes(std::span(body)));
    const auto manifest = Manifest::decode(fmt::format("branchfs-manifest 1 {:016x} {}\n{}", sum, body.size(), body));
    REQUIRE_FALSE(manifest);
    CHECK(manifest.error().kind == Kind::damaged);
  }
}
