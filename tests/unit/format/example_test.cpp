// The worked example of layers/FORMAT.md §3.9: its bytes are what the writer writes and what the reader
// accepts.
#include <cstdio>
#include <fstream>
#include <sstream>

#include "tests/unit/format/support.h"

namespace branchfs::test {
namespace {

// Lines "offset: hex bytes…"; a line "*" fills with zeros up to the next offset.
Bytes parse_example() {
  std::ifstream in(BRANCHFS_SOURCE_DIR "/layers/FORMAT.md");
  std::string line;
  while (std::getline(in, line) && line != "### 3.9 Example") {
  }
  while (std::getline(in, line) && line != "```hex") {
  }
  Bytes out;
  while (std::getline(in, line) && line != "```") {
    std::size_t colon = line.find(':');
    if (colon == line.npos) continue;
    out.resize(std::stoul(line.substr(0, colon)));
    std::istringstream bytes(line.substr(colon + 1));
    for (unsigned b = 0; bytes >> std::hex >> b;) out.push_back(static_cast<std::byte>(b));
  }
  return out;
}

std::string print_example(const Bytes& bytes) {
  std::string out;
  bool skipped = false;
  for (std::size_t at = 0; at < bytes.size(); at += 16) {
    auto line = std::span(bytes).subspan(at, std::min<std::size_t>(16, bytes.size() - at));
    bool zero = std::all_of(line.begin(), line.end(), [](std::byte b) { return b == std::byte{0}; });
    if (zero && !skipped) out += "*\n";
    skipped = zero;
    if (zero) continue;
    char text[32];
    std::snprintf(text, sizeof text, "%zu:", at);
    out += text;
    for (std::byte b : line) {
      std::snprintf(text, sizeof text, " %02x", static_cast<unsigned>(b));
      out += text;
    }
    out += "\n";
  }
  return out;
}

}  // namespace

TEST_CASE("the example of FORMAT.md is what is written and read") {
  TempDir dir;
  ObjectId id = must(ObjectId::parse("00112233445566778899aabbccddeeff"));
  Bytes block(kBlockSize);
  std::string_view hello = "hello\n";
  std::copy_n(reinterpret_cast<const std::byte*>(hello.data()), hello.size(), block.begin());
  {
    auto writer = writer_for(dir, id);
    must(writer->add_inode(attr_of(2, S_IFREG | 0600, hello.size())));
    must(writer->add_name(kRootIno, "hello", Ino{2}, DT_REG));
    must(writer->add_data(Ino{2}, BlockNo{0}, block));
    must(writer->finish(1'700'000'000));
  }
  Bytes written = slurp(dir.layer(id));
  Bytes documented = parse_example();
  INFO("what is written:\n" << print_example(written));
  REQUIRE((written == documented));  // in one piece: not printed byte by byte

  spill(dir.layer(id), documented);
  LayerSet set(posix_env(), dir.path_of());
  auto layer = must(set.open(id));
  CHECK(must(layer->find(kRootIno, "hello"))->ino == Ino{2});
  CHECK(file_of(*layer, 2) == block);
  CHECK(problems_of(*layer).empty());
}

}  // namespace branchfs::test
