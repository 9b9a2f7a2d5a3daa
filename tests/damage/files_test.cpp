// Small damaged files, one for each thing that a reader looks at, each with the line that it must be answered with: what a reader of
// store files once refused it refuses for ever, in the same words.
//
// files/KIND/NAME and NAME.expected. BRANCHFS_BAD_FILES=DIR damage_test "[.make]" writes the set anew.
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>

#include <fmt/format.h>

#include "layers/base/checksum.h"
#include "layers/delta/delta.h"
#include "layers/format/layer_writer.h"
#include "tests/damage/damage.h"
#include "tests/support/scratch.h"

namespace branchfs::test {

namespace fs = std::filesystem;

namespace {

const ObjectId kId{0x0011223344556677ULL, 0x8899AABBCCDDEEFFULL};

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }
std::string text_of(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

class Scratch {
 public:
  Scratch() {
    const char* tmp = std::getenv("TMPDIR");
    dir_ = std::string(tmp != nullptr ? tmp : "/tmp") + "/branchfs-files-XXXXXX";
    if (::mkdtemp(dir_.data()) == nullptr) FAIL("mkdtemp " << dir_);
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(dir_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] const std::string& dir() const { return dir_; }

 private:
  std::string dir_;
};

std::string says(const Error& error) { return fmt::format("{} {}", static_cast<int>(error.kind), error.what); }
template <class T>
std::string says(const Result<T>& result) {
  return result ? "nothing" : says(result.error());
}

std::string read_layer(const std::string& dir, const std::string& bytes) {
  spill(dir + "/layer", bytes);
  LayerSet set(posix_env(), [&](ObjectId) { return dir + "/layer"; });
  auto layer = set.open(kId);
  if (!layer) return says(layer);
  std::string first;
  auto count = (*layer)->verify([&](const std::string& line) { first = first.empty() ? "7 " + line : first; });
  return count && first.empty() ? "nothing" : count ? first : says(count);
}

std::string read_delta(const std::string& dir, const std::string& journal, const std::string& sealed) {
  must(Delta::create(posix_env(), dir + "/delta", kId));
  if (!journal.empty()) spill(dir + "/delta/journal", journal);
  if (!sealed.empty()) spill(dir + "/delta/sealed", sealed);
  return says(Delta::open(posix_env(), dir + "/delta", kId, false, [](const Edit&, Told) { return Status{}; }));
}

std::string read_store(const std::string& dir, const std::string& bytes) {
  must(Store::init(posix_env(), dir + "/store"));
  spill(dir + "/store/store", bytes);
  return says(Store::open(posix_env(), dir + "/store"));
}

std::string read_as(const std::string& kind, const std::string& bytes) {
  const Scratch scratch;
  std::string answer;
  if (kind == "layer") answer = read_layer(scratch.dir(), bytes);
  if (kind == "journal") answer = read_delta(scratch.dir(), bytes, "");
  if (kind == "sealed") answer = read_delta(scratch.dir(), "", bytes);
  if (kind == "manifest") answer = says(Manifest::decode(bytes));
  if (kind == "store") answer = read_store(scratch.dir(), bytes);
  for (std::size_t at = 0; (at = answer.find(scratch.dir(), at)) != std::string::npos;) answer.replace(at, scratch.dir().size(), "DIR");
  return answer;
}

// --- the set --------------------------------------------------------------------------------------------------

std::string good_layer() {
  const Scratch scratch;
  auto writer = must(LayerWriter::create(posix_env(), scratch.dir() + "/layer", kId, {}));
  Attr root;
  root.ino = kRootIno;
  root.mode = S_IFDIR | 0700;
  root.nlink = 2;
  must(writer->add_inode(root));
  Attr file = root;
  file.ino = Ino{2};
  file.mode = S_IFREG | 0600;
  file.nlink = 1;
  file.size = 6;
  must(writer->add_inode(file));
  must(writer->add_name(kRootIno, "hello", Ino{2}, S_IFREG >> 12U));
  std::vector<std::byte> block(kBlockSize);
  std::memcpy(block.data(), "hello\n", 6);
  must(writer->add_data(Ino{2}, BlockNo{0}, block));
  must(writer->finish(1'700'000'000));
  return slurp(scratch.dir() + "/layer");
}

// Records that follow each other, the last two of which testify that what came before was durable.
std::string journal_of(const std::vector<std::pair<RecordType, std::string>>& records) {
  std::string out = text_of(Journal::header_bytes(kId));
  for (const auto& [type, payload] : records) {
    out += text_of(Journal::record_bytes(kId, out.size(), type, bytes_of(payload), out.size()));
  }
  return out;
}

std::string edit_of(std::uint64_t next_ino) {
  Edit edit;
  edit.next_ino = Ino{next_ino};
  return text_of(edit.encode());
}

std::string manifest_of(const std::string& body) {
  return fmt::format("branchfs-manifest 1 {:016x} {}\n{}", checksum(bytes_of(body)), body.size(), body);
}

std::string flipped(std::string bytes, std::size_t at) {
  bytes.at(at) = static_cast<char>(bytes.at(at) ^ 1);
  return bytes;
}

std::map<std::string, std::string> bad_files() {
  const std::string layer = good_layer();
  const std::size_t footer = layer.size() - sizeof(Footer);
  const std::string journal = journal_of({{RecordType::edit, edit_of(5)}, {RecordType::edit, edit_of(6)}, {RecordType::edit, edit_of(7)}});
  std::string mark(16, '\0');
  mark[0] = mark[8] = 100;
  const std::string sealed = journal_of({{RecordType::sealed, mark}});
  Manifest manifest;
  manifest.id = kId;
  manifest.stack = {kId};
  const std::string good = manifest.encode();
  return {
      {"layer/header", flipped(layer, 3)},
      {"layer/header-id", flipped(layer, 17)},
      {"layer/header-unused", flipped(layer, 1000)},
      {"layer/chunk", flipped(layer, 4100)},
      {"layer/index", flipped(layer, 8300)},
      {"layer/page-sums", flipped(layer, footer - 3)},
      {"layer/footer", flipped(layer, footer + 40)},
      {"layer/cut", layer.substr(0, 8300)},
      {"layer/longer", layer + "x"},
      {"layer/empty", ""},
      {"journal/header", flipped(journal, 20)},
      {"journal/middle", flipped(journal, 66)},
      {"journal/empty", " "},
      {"journal/no-edit", journal_of({{RecordType::edit, "\x63nothing known"}})},
      {"journal/mark", sealed},
      {"sealed/header", flipped(sealed, 9)},
      {"sealed/first-record", flipped(sealed, 70)},
      {"sealed/longer-journal", sealed},
      {"manifest/body", flipped(good, 100)},
      {"manifest/first-line", flipped(good, 2)},
      {"manifest/cut", good.substr(0, good.size() / 2)},
      {"manifest/longer", good + "\n"},
      {"manifest/no-stack", manifest_of("{\"id\": \"00112233445566778899aabbccddeeff\", \"stack\": 5}\n")},
      {"manifest/wrong-type", manifest_of("{\"id\": 5}\n")},
      {"manifest/no-json", manifest_of("hello\n")},
      {"store/first-line", "branchfs stort\n{}\n"},
      {"store/no-json", "branchfs store\nhello\n"},
      {"store/no-id", "branchfs store\n{\"format\": 1, \"id\": \"0011\", \"features\": []}\n"},
      {"store/newer", "branchfs store\n{\"format\": 2, \"id\": \"00112233445566778899aabbccddeeff\", \"features\": []}\n"},
      {"store/empty", ""},
  };
}

}  // namespace

TEST_CASE("what readers refused once they refuse in the same words", "[P3]") {
  unsigned seen = 0;
  for (const auto& item : fs::recursive_directory_iterator(BRANCHFS_BAD_FILES_DIR)) {
    if (!item.is_regular_file() || item.path().extension() == ".expected") continue;
    const std::string kind = item.path().parent_path().filename();
    INFO(item.path().string());
    CHECK(read_as(kind, slurp(item.path())) + "\n" == slurp(item.path().string() + ".expected"));
    ++seen;
  }
  CHECK(seen >= 30);
}

TEST_CASE("writes the set of bad files", "[.make]") {
  const char* dir = std::getenv("BRANCHFS_BAD_FILES");
  REQUIRE(dir != nullptr);
  for (const auto& [name, bytes] : bad_files()) {
    const std::string path = std::string(dir) + "/" + name;
    fs::create_directories(fs::path(path).parent_path());
    spill(path, bytes);
    const std::string answer = read_as(name.substr(0, name.find('/')), bytes);
    std::cout << name << ": " << answer << "\n";
    CHECK(answer != "nothing");
    spill(path + ".expected", answer + "\n");
  }
}

}  // namespace branchfs::test
