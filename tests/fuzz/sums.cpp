// The file "sums" of a delta: whatever is in it, it is refused or its answers stay within what it says, and
// reading it never ends the program.
//
// Input: a byte that says how the file is made; then either the file's bytes, or pieces (a byte: length / 8,
// its bytes) that become the payloads of valid records, so that what lies behind their checksums is reached.
#include "layers/delta/delta.h"
#include "tests/fuzz/support.h"

using namespace branchfs;
using namespace branchfs::fuzz;

namespace {

constexpr ObjectId kId{0x1122334455667788, 0x99aabbccddeeff00};

void fill(Env& env) { need(env.make_dir("/d")); }

Bytes file_of(std::span<const std::byte> input) {
  if (input.empty()) return {};
  const bool raw = (input[0] & std::byte{1}) != std::byte{0};
  input = input.subspan(1);
  if (raw) return {input.begin(), input.end()};
  Bytes file = Journal::header_bytes(kId);
  while (!input.empty()) {
    const std::size_t size =
        std::min<std::size_t>(std::to_integer<std::size_t>(input[0]) * 8, input.size() - 1);
    const Bytes record =
        Journal::record_bytes(kId, file.size(), RecordType::sums, input.subspan(1, size), file.size());
    file.insert(file.end(), record.begin(), record.end());
    input = input.subspan(1 + size);
  }
  return file;
}

void ask(const Sums& sums, Ino ino, std::uint64_t size, std::uint64_t blocks) {
  expect(sums.size_of(ino) == size && blocks <= blocks_for(size));
  const std::uint64_t limit = offset_of(BlockNo{blocks});
  std::uint64_t at = 0;
  for (int i = 0; i < 64 && at < limit; ++i) {
    const DataRange range = sums.next_data(ino, at, limit);
    expect(range.begin >= at && range.begin <= range.end && range.end <= limit);
    if (range.begin == limit) break;
    expect(range.end > range.begin);
    at = range.end;
  }
  for (std::uint64_t first : {std::uint64_t{0}, blocks / 2, blocks == 0 ? 0 : blocks - 1, blocks}) {
    Bytes bytes(3 * kBlockSize, std::byte{7});
    Status checked = sums.check(ino, BlockNo{first}, bytes, bytes.size() / (first % 3 + 1));
    expect(checked.ok() || checked.error().kind == Kind::damaged);
    // Behind the end of the file there is nothing.
    for (std::uint64_t i = 0; i < bytes.size(); i += 512)
      expect(offset_of(BlockNo{first}) + i < size || bytes[i] == std::byte{0});
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Stage stage(fill);
  test::MemoryDisk disk(stage.image());
  test::MemoryEnv env(disk, 1, 2);
  put_file(env, "/d/sums", file_of(as_span(data, size)));
  auto sums = Sums::open(env, "/d", kId);
  if (!sums) {
    expect(sums.error().kind == Kind::damaged);
    return 0;
  }
  if (*sums)
    (*sums)->for_each_file(
        [&](Ino ino, std::uint64_t bytes, std::uint64_t blocks) { ask(**sums, ino, bytes, blocks); });
  return 0;
}
