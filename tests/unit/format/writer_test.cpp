// The writer: deduplication, equal bytes for equal input, errors, what it leaves behind.
#include <fcntl.h>

#include <future>

#include "tests/unit/format/support.h"

namespace branchfs::test {

TEST_CASE("equal chunks are stored once, in a layer and across layers") {
  TempDir dir;
  LayerSet set(posix_env(), dir.path_of());
  Bytes data = pattern(1, 400);
  {
    auto writer = writer_for(dir, ObjectId{0, 1});
    add_file(*writer, 2, "a", 400);
    add_file(*writer, 3, "b", 400);
    must(writer->add_data(Ino{2}, BlockNo{0}, data));
    must(writer->add_data(Ino{3}, BlockNo{0}, data));
    must(writer->finish(0));
    CHECK(writer->stats().shared_bytes == data.size());
  }
  auto first = must(set.open(ObjectId{0, 1}));
  CHECK(first->chunk_count() == 100);
  CHECK(file_of(*first, 3) == data);

  Bytes changed = data;
  changed[123 * kBlockSize] ^= std::byte{1};
  auto writer = writer_for(dir, ObjectId{0, 2}, {.dedup_against = {first}});
  add_file(*writer, 9, "a", 400);
  must(writer->add_data(Ino{9}, BlockNo{0}, changed));
  must(writer->finish(0));
  auto second = must(set.open(ObjectId{0, 2}));
  CHECK(second->chunk_count() == 1);
  CHECK(second->dependencies() == std::vector<LayerPtr>{first});
  CHECK(file_of(*second, 9) == changed);
  CHECK(problems_of(*second).empty());
}

TEST_CASE("a layer that gave nothing is no dependency, and a damaged chunk is not shared") {
  TempDir dir;
  Bytes data = pattern(1, 4);
  auto make = [&](std::uint64_t n, std::vector<LayerPtr> against, std::uint64_t seed) {
    auto writer = writer_for(dir, ObjectId{0, n}, {.dedup_against = std::move(against)});
    add_file(*writer, 2, "a", 4);
    must(writer->add_data(Ino{2}, BlockNo{0}, pattern(seed, 4)));
    must(writer->finish(0));
  };
  make(1, {}, 1);
  LayerSet set(posix_env(), dir.path_of());
  auto first = must(set.open(ObjectId{0, 1}));
  make(2, {first}, 2);
  CHECK(must(set.open(ObjectId{0, 2}))->dependencies().empty());

  Bytes file = slurp(dir.layer(ObjectId{0, 1}));
  file[kLayerHeaderSize + 5] ^= std::byte{1};
  spill(dir.layer(ObjectId{0, 1}), file);
  make(3, {first}, 1);
  auto third = must(set.open(ObjectId{0, 3}));
  CHECK(third->dependencies().empty());
  CHECK(file_of(*third, 2) == data);
}

TEST_CASE("equal input gives an equal file, however it is cut and however many workers there are") {
  TempDir a;
  TempDir b;
  ObjectId id{3, 4};
  Bytes data = pattern(1, 500) + Bytes(kBlockSize) + noise(2, 300);
  auto make = [&](const TempDir& dir, unsigned threads, std::uint64_t step) {
    auto writer = writer_for(dir, id, {.threads = threads});
    add_file(*writer, 2, "a", data.size() / kBlockSize);
    for (std::uint64_t at = 0; at < data.size(); at += step * kBlockSize) {
      auto part = std::span(data).subspan(at, std::min<std::size_t>(step * kBlockSize, data.size() - at));
      must(writer->add_data(Ino{2}, BlockNo{at / kBlockSize}, part));
    }
    must(writer->finish(5));
  };
  make(a, 1, 1000);
  make(b, 3, 1);
  CHECK(slurp(a.layer(id)) == slurp(b.layer(id)));
}

TEST_CASE("a writer that does not finish leaves nothing") {
  TempDir dir;
  ObjectId id{3, 4};
  {
    auto writer = writer_for(dir, id);
    must(writer->add_data(Ino{2}, BlockNo{0}, pattern(1, 1000)));
    CHECK(posix_env().exists(dir.layer(id)));
  }
  CHECK_FALSE(posix_env().exists(dir.layer(id)));

  spill(dir.layer(id), noise(1, 9));  // as a killed writer leaves it
  auto writer = writer_for(dir, id);
  must(writer->finish(0));
  LayerSet set(posix_env(), dir.path_of());
  CHECK(must(set.open(id))->inode_count() == 1);
}

TEST_CASE("a writer waits for the collector's look at its file, and starts anew when that takes the name") {
  TempDir dir;
  ObjectId id{3, 4};
  auto collector = must(posix_env().open(dir.layer(id), O_RDWR | O_CREAT));
  REQUIRE(must(collector->try_lock(LockMode::exclusive)));
  auto begun = std::async(std::launch::async, [&] { return LayerWriter::create(posix_env(), dir.layer(id), id, {}); });
  CHECK(begun.wait_for(std::chrono::milliseconds(100)) == std::future_status::timeout);
  must(posix_env().rename(dir.layer(id), dir.path() + "/trashed"));
  collector.reset();
  auto writer = must(begun.get());
  CHECK(posix_env().exists(dir.layer(id)));
  CHECK(slurp(dir.path() + "/trashed").empty());
}

TEST_CASE("misuse is refused") {
  TempDir dir;
  LayerSet set(posix_env(), dir.path_of());
  auto first = writer_for(dir, ObjectId{0, 1});
  add_file(*first, 2, "a", 4);
  must(first->add_data(Ino{2}, BlockNo{0}, pattern(1, 4)));
  must(first->finish(0));
  auto map = must(must(set.open(ObjectId{0, 1}))->inode(Ino{2}))->map;

  auto writer = writer_for(dir, ObjectId{0, 2});
  SECTION("a block twice") {
    add_file(*writer, 2, "a", 4);
    must(writer->add_data(Ino{2}, BlockNo{0}, pattern(1, 3)));
    must(writer->add_data(Ino{2}, BlockNo{2}, pattern(1, 1)));
  }
  SECTION("an inode twice") {
    add_file(*writer, 2, "a", 0);
    add_file(*writer, 2, "b", 0);
  }
  SECTION("a name twice") {
    add_file(*writer, 2, "a", 0);
    add_file(*writer, 3, "a", 0);
  }
  SECTION("a kept map and data") {
    add_file(*writer, 2, "a", 5);
    must(writer->keep_map(Ino{2}, map));
    must(writer->add_data(Ino{2}, BlockNo{4}, pattern(1, 1)));
  }
  CHECK_FALSE(writer->finish(0).ok());
  CHECK_FALSE(writer->add_name(kRootIno, "a/b", Ino{2}, DT_REG).ok());
  CHECK_FALSE(writer->add_name(kRootIno, "..", Ino{2}, DT_REG).ok());
  CHECK_FALSE(writer->add_data(Ino{2}, BlockNo{0}, Bytes(5)).ok());
}

TEST_CASE("a full disk is one error, told at the next call and at finish, and leaves nothing") {
  class FullFile final : public File {
   public:
    explicit FullFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
    Result<std::size_t> read_at(std::span<std::byte> out, std::uint64_t o) override {
      return file_->read_at(out, o);
    }
    Status write_at(std::span<const std::byte>, std::uint64_t) override {
      return sys_error("write layer", ENOSPC);
    }
    Status append(std::span<const std::byte> d) override { return file_->append(d); }
    Status sync_data() override { return {}; }
    Status sync() override { return {}; }
    Status truncate(std::uint64_t size) override { return file_->truncate(size); }
    Status allocate(int m, std::uint64_t o, std::uint64_t l) override { return file_->allocate(m, o, l); }
    Result<struct ::stat> stat() override { return file_->stat(); }
    Status set_times(const struct ::timespec t[2]) override { return file_->set_times(t); }
    Result<std::uint64_t> seek(std::uint64_t o, int w) override { return file_->seek(o, w); }
    Result<std::size_t> copy_to(File& to, std::uint64_t a, std::uint64_t b, std::size_t n) override {
      return file_->copy_to(to, a, b, n);
    }
    Result<Mapping> map(std::uint64_t o, std::size_t n) override { return file_->map(o, n); }
    Result<bool> try_lock(LockMode mode) override { return file_->try_lock(mode); }
    Status lock(LockMode mode) override { return file_->lock(mode); }
    void start_writeback(std::uint64_t, std::uint64_t) override {}
    [[nodiscard]] int fd() const override { return file_->fd(); }

   private:
    std::unique_ptr<File> file_;
  };
  class FullEnv final : public Env {
   public:
    Result<std::unique_ptr<File>> open(const std::string& p, int flags, ::mode_t mode) override {
      BFS_ASSIGN(auto file, posix_env().open(p, flags, mode));
      return std::unique_ptr<File>(std::make_unique<FullFile>(std::move(file)));
    }
    Status make_dir(const std::string& p, ::mode_t m) override { return posix_env().make_dir(p, m); }
    Status rename(const std::string& a, const std::string& b, unsigned f) override {
      return posix_env().rename(a, b, f);
    }
    Status unlink(const std::string& p) override { return posix_env().unlink(p); }
    Status remove_dir(const std::string& p) override { return posix_env().remove_dir(p); }
    Status sync_dir(const std::string& p) override { return posix_env().sync_dir(p); }
    Status sync_filesystem(const std::string& p) override { return posix_env().sync_filesystem(p); }
    Result<std::vector<DirItem>> list(const std::string& p) override { return posix_env().list(p); }
    Result<struct ::stat> stat(const std::string& p) override { return posix_env().stat(p); }
    Result<struct ::statvfs> space(const std::string& p) override { return posix_env().space(p); }
    struct ::timespec now() override {
      return posix_env().now();
    }
    std::string boot_id() override { return posix_env().boot_id(); }
    ObjectId new_id() override { return posix_env().new_id(); }
  };
  TempDir dir;
  FullEnv env;
  ObjectId id{3, 4};
  {
    auto writer = must(LayerWriter::create(env, dir.layer(id), id, {.threads = 2}));
    Status status;
    std::uint64_t calls = 0;
    for (; status && calls < 100; ++calls) {
      status = writer->add_data(Ino{2}, BlockNo{calls * 128}, noise(calls, 128));
    }
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().sys == ENOSPC);
    auto end = writer->finish(0);
    REQUIRE_FALSE(end.ok());
    CHECK(end.error().sys == ENOSPC);
  }
  CHECK_FALSE(posix_env().exists(dir.layer(id)));
}

}  // namespace branchfs::test
