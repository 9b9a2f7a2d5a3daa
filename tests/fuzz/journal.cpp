// What lies in a delta's `journal`, `confirm` or `sealed`: replay ends with a view or an error, and so does everything that is asked
// of the view, of the branch that is opened for writing on it, and of the layer that is packed from it. An input is one of the three
// files, whichever the type of its first record belongs to.
#include "layers/delta/journal.h"

#include <algorithm>
#include <optional>

#include "layers/branch/branch.h"
#include "layers/jobs/jobs.h"
#include "layers/jobs/tree_reader.h"
#include "layers/store/branches.h"
#include "tests/fuzz/support.h"

namespace {

using namespace branchfs;
using namespace branchfs::fuzz;

constexpr const char* kStore = "/store";
constexpr const char* kBranch = "b";
constexpr ObjectId kBase{0, 1};
constexpr ObjectId kFrozen{0, 2};  // a delta between the layer and the input, which owns file 9 and has blocks of file 3
constexpr std::size_t kHeader = 48;
constexpr std::size_t kIdAt = 16;
constexpr std::uint64_t kMostBlocks = 1U << 20U;  // an input may list more; the memory they take is known

ObjectId id_of(std::span<const std::byte> file) {
  ObjectId id;
  if (file.size() < kHeader) return id;
  std::memcpy(&id.hi, file.data() + kIdAt, sizeof id.hi);
  std::memcpy(&id.lo, file.data() + kIdAt + sizeof id.hi, sizeof id.lo);
  return id;
}

void put_data(Delta& delta, Ino ino) {
  auto file = need(delta.open_file(ino, true, true));
  need(file->write_at(pattern(ino.v, 2), 0));
}

std::vector<ObjectId> stack_of(bool frozen, ObjectId id) {
  std::vector<ObjectId> stack{kFrozen, kBase};
  if (frozen) stack.insert(stack.begin(), id);
  return stack;
}

void fill(Env& env) {
  need(Store::init(env, kStore));
  auto store = need(Store::open(env, kStore));
  write_layer(env, store->layer_path(kBase), kBase);
  need(Delta::create(env, store->delta_dir(kFrozen), kFrozen));
  auto delta = need(Delta::open(env, store->delta_dir(kFrozen), kFrozen, true, [](const Edit&, Told) { return Status{}; }));
  put_data(*delta, Ino{3});
  put_data(*delta, Ino{9});
  Edit edit;
  edit.presents.push_back({Ino{3}, {{BlockNo{1}, 1}}});
  edit.inodes.push_back({attr_of(9, S_IFREG | 0600, 2 * kBlockSize), "", true});
  edit.names.push_back({kRootIno, "nine", Ino{9}, DT_REG});
  need(delta->journal().sync(delta->append(edit)));
  need(delta->seal());
  Manifest manifest;
  manifest.stack = stack_of(false, {});
  need(create_root(*store, need(store->lock()), kBranch, manifest));
}

// The store with the input as the delta of its name.
class World {
 public:
  World(const test::DiskImage& image, std::span<const std::byte> input, const std::string& name, bool frozen)
      : disk_(image), env_(disk_, 1, 2), store_(need(Store::open(env_, kStore))), id_(id_of(input)) {
    const std::string dir = store_->delta_dir(id_);
    need(Delta::create(env_, dir, id_));
    {
      auto delta = need(Delta::open(env_, dir, id_, true, [](const Edit&, Told) { return Status{}; }));
      for (const std::uint64_t ino : {3U, 9U, 10U}) put_data(*delta, Ino{ino});
    }
    put_file(env_, dir + "/" + name, input);
    Manifest manifest = need(store_->read_manifest(kBranch));
    manifest.stack = stack_of(frozen, id_);
    manifest.delta = frozen ? ObjectId{} : id_;
    need(store_->write_manifest(need(store_->lock()), kBranch, manifest));
  }

  [[nodiscard]] const std::shared_ptr<Store>& store() const { return store_; }
  [[nodiscard]] std::string path(const std::string& name) const { return store_->delta_dir(id_) + "/" + name; }
  [[nodiscard]] Env& env() { return env_; }

 private:
  test::MemoryDisk disk_;
  test::MemoryEnv env_;
  std::shared_ptr<Store> store_;
  ObjectId id_;
};

bool is_reasonable(const Edit& edit) {
  std::uint64_t blocks = 0;
  const auto count = [&](const BlockRange& range) { blocks += range.count; };
  for (const auto& item : edit.zeros) count(item.range);
  for (const auto& item : edit.clones) count(item.range);
  for (const auto& item : edit.presents) std::for_each(item.ranges.begin(), item.ranges.end(), count);
  return blocks <= kMostBlocks;
}

struct Record {
  RecordType type{};
  std::uint64_t synced = 0;
  Bytes payload;
};

std::vector<Record> records_of(std::span<const std::byte> file) {
  std::vector<Record> records;
  for (std::size_t at = kHeader; file.size() - at >= 24;) {
    std::uint32_t size = 0;
    Record record;
    std::memcpy(&size, file.data() + at, sizeof size);
    std::memcpy(&record.type, file.data() + at + 4, sizeof record.type);
    std::memcpy(&record.synced, file.data() + at + 8, sizeof record.synced);
    const std::size_t padded = (std::size_t{size} + 7) / 8 * 8;
    if (padded > file.size() - at - 24) break;
    const auto payload = file.subspan(at + 16, size);
    record.payload.assign(payload.begin(), payload.end());
    records.push_back(std::move(record));
    at += padded + 24;
  }
  return records;
}

std::span<const std::byte> edit_in(const Record& record) {
  constexpr std::size_t kUnsyncedHead = 16;
  const std::span<const std::byte> all(record.payload);
  return record.type == RecordType::unsynced ? all.subspan(std::min(kUnsyncedHead, all.size())) : all;
}

void read_tree(TreeReader& reader) {
  std::vector<Ino> files;
  const Status listed = reader.entries([&](const TreeReader::Entry& entry) -> Status {
    if (S_ISREG(entry.attr.mode)) files.push_back(entry.attr.ino);
    return {};
  });
  ignore(listed);
  Bytes buffer(3 * kBlockSize);
  for (const Ino ino : files) {
    ignore(reader.read(ino, kBlockSize - 7, buffer));
    std::uint64_t end = 0;
    ignore(reader.runs(ino, [&](const TreeReader::Stored& stored) -> Status {
      expect(stored.blocks.first.v >= end && stored.blocks.count > 0);
      end = stored.blocks.end();
      return {};
    }));
    ignore(reader.data(ino, 0, UINT64_MAX, [&](std::uint64_t begin, std::uint64_t stop) -> Status {
      expect(begin < stop);
      return reader.read(ino, begin, std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), stop - begin)));
    }));
  }
}

// What a mount would do.
void use_branch(const World& world) {
  BranchOptions options;
  options.flush_interval = 0;
  options.sums = false;
  auto branch = Branch::open(world.store(), kBranch, options);
  if (!branch) return;
  Branch& b = **branch;
  const auto names = b.list(kRootIno);
  Bytes buffer(2 * kBlockSize);
  for (const NameEntry& entry : names ? *names : std::vector<NameEntry>()) {
    const auto attr = b.lookup(kRootIno, entry.name);
    if (!attr) continue;
    ignore(b.list(attr->ino));
    ignore(b.parent_of(attr->ino));
    ignore(b.readlink(attr->ino));
    ignore(b.read(attr->ino, kBlockSize / 2, buffer));
    ignore(b.seek(attr->ino, 0, SEEK_DATA));
    ignore(b.seek(attr->ino, 0, SEEK_HOLE));
    ignore(b.blocks_512(attr->ino));
    ignore(b.write(attr->ino, kBlockSize + 3, std::span(buffer).first(100)));
    SetAttr cut;
    cut.size = kBlockSize + 50;
    ignore(b.setattr(attr->ino, cut));
    ignore(b.copy_range(attr->ino, 0, attr->ino, 4 * kBlockSize, kBlockSize));
    ignore(b.sync(attr->ino, true));
  }
  ignore(b.create({kRootIno, "new", S_IFREG | 0600, 0, 0, 0, ""}));
  ignore(b.rename(kRootIno, "base", kRootIno, "moved", 0));
  ignore(b.freeze(need(world.store()->lock()), kBranch));
  ignore(b.unlink(kRootIno, "nine"));
  ignore(b.sync_all());
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed) {
  Random random(seed + 1);
  const auto file = as_span(data, size);
  const ObjectId id = id_of(file);
  if (!id.valid() || below(random, 32) == 0) return LLVMFuzzerMutate(data, size, max_size);
  std::vector<Record> records = records_of(file);
  for (std::size_t n = 1 + below(random, 3); n > 0; --n) {
    if (records.empty()) records.push_back({RecordType::edit, 0, {}});
    const std::size_t i = below(random, records.size());
    const std::size_t k = below(random, records.size());
    Record& record = records[i];
    switch (below(random, 8)) {
      case 0: records.push_back(record); break;
      case 1: records.erase(records.begin() + static_cast<std::ptrdiff_t>(i)); break;
      case 2: std::swap(record, records[k]); break;
      case 3: record.payload.insert(record.payload.end(), records[k].payload.begin(), records[k].payload.end()); break;
      case 4: record.type = static_cast<RecordType>(1 + below(random, 4)); break;
      case 5: record.synced = number(random); break;
      default: mutate(record.payload, record.payload.size() + 64); break;
    }
  }
  Bytes out = Journal::header_bytes(id);
  for (const Record& record : records) {
    const Bytes bytes = Journal::record_bytes(id, out.size(), record.type, record.payload, record.synced);
    out.insert(out.end(), bytes.begin(), bytes.end());
  }
  return out.size() <= max_size ? give(out, data, max_size) : size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Stage stage(fill);
  const auto input = as_span(data, size);
  const ObjectId id = id_of(input);
  if (!id.valid() || id == kBase || id == kFrozen) return 0;
  std::string name = "journal";
  for (const Record& record : records_of(input)) {
    if (record.type == RecordType::confirm) name = "confirm";
    if (record.type == RecordType::sealed) name = "sealed";
    const auto edit = Edit::decode(edit_in(record));
    if (edit && !is_reasonable(*edit)) return 0;
  }
  {
    World world(stage.image(), input, name, false);
    ignore(dump(world.env(), world.path(name)));
    auto reader = TreeReader::open(world.store(), kBranch);
    if (!reader) return 0;
    read_tree(**reader);
    use_branch(world);
  }
  World world(stage.image(), input, name, true);
  ignore(usage(*world.store(), kBranch));
  const auto before = verify_branch(*world.store(), kBranch);
  const auto packed = pack(*world.store(), kBranch);
  // What verify finds no fault with becomes a layer that it finds no fault with.
  if (!before || before->problems > 0) return 0;
  expect(packed.ok());
  expect(need(verify_branch(*world.store(), kBranch)).problems == 0);
  return 0;
}
