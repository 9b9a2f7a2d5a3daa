// What is written into a layer is what is read from it, alone and through a chain of layers.
#include <thread>

#include "tests/unit/format/support.h"

namespace branchfs::test {

TEST_CASE("a layer gives back names, inodes and data") {
  TempDir dir;
  ObjectId id{1, 2};
  auto writer = writer_for(dir, id);
  Bytes small = pattern(1, 1);
  Bytes large = pattern(2, 3) + Bytes(2 * kBlockSize) + noise(3, 40);
  must(writer->add_inode(attr_of(5, S_IFDIR | 0750, 0, 2)));
  must(writer->add_name(kRootIno, "base", Ino{5}, DT_DIR));
  must(writer->add_inode(attr_of(6, S_IFLNK | 0777, 9), "../target"));
  must(writer->add_name(Ino{5}, "link", Ino{6}, DT_LNK));
  add_file(*writer, 3, "small", 1);
  add_file(*writer, 4, "large", large.size() / kBlockSize);
  must(writer->add_name(Ino{5}, "also-large", Ino{4}, DT_REG));
  must(writer->add_data(Ino{4}, BlockNo{0}, large));
  must(writer->add_data(Ino{3}, BlockNo{0}, small));
  must(writer->finish(77));
  CHECK(writer->stats().zero_bytes == 2 * kBlockSize);
  CHECK(writer->stats().file_bytes == slurp(dir.layer(id)).size());

  LayerSet set(posix_env(), dir.path_of());
  auto layer = must(set.open(id));
  CHECK(must(set.open(id)) == layer);
  CHECK(layer->created() == 77);
  CHECK(layer->max_ino() == Ino{6});
  CHECK(file_of(*layer, 3) == small);
  CHECK(file_of(*layer, 4) == large);
  CHECK(must(layer->inode(Ino{6}))->symlink == "../target");
  CHECK_FALSE(must(layer->inode(Ino{7})).has_value());
  CHECK(must(layer->find(Ino{5}, "also-large"))->ino == Ino{4});
  CHECK_FALSE(must(layer->find(Ino{5}, "also")).has_value());
  CHECK_FALSE(must(layer->find(Ino{4}, "x")).has_value());
  auto [first, count] = must(layer->names_of(kRootIno));
  REQUIRE(count == 3);
  CHECK(must(layer->name_at(first)).name == "base");
  CHECK(must(layer->name_at(first + 2)).name == "small");
  CHECK(must(layer->names_of(Ino{6})).second == 0);
  CHECK(must(layer->inode(Ino{4}))->attr.mtime.tv_sec == 1'700'000'000);

  // Inode 4 has two names but says one: the only rule this layer breaks.
  CHECK(problems_of(*layer).size() == 1);
}

TEST_CASE("holes reach to the next extent, and the last one to the end of numbers") {
  TempDir dir;
  ObjectId id{1, 2};
  auto writer = writer_for(dir, id);
  add_file(*writer, 2, "f", 2000);
  must(writer->add_data(Ino{2}, BlockNo{6}, pattern(1, 1)));
  must(writer->add_data(Ino{2}, BlockNo{1000}, pattern(2, 6)));
  must(writer->finish(0));
  LayerSet set(posix_env(), dir.path_of());
  auto layer = must(set.open(id));
  auto map = must(layer->inode(Ino{2}))->map;
  auto at = [&](std::uint64_t b) { return must(Layer::extent_at(map, BlockNo{b})); };
  CHECK((at(0).layer == nullptr && at(0).count == 6));
  CHECK((at(6).layer == layer && at(6).count == 1));
  CHECK((at(7).layer == nullptr && at(7).count == 993));
  CHECK((at(1000).count == 4 && at(1003).count == 1 && at(1003).skip == 3));
  CHECK((at(1004).count == 2 && at(1006).layer == nullptr));
  CHECK(at(1006).count == UINT64_MAX - 1006);
  CHECK(at(UINT64_MAX).count == 0);
  CHECK(must(Layer::extent_at(MapRef{}, BlockNo{9})).count == UINT64_MAX - 9);
  CHECK(problems_of(*layer).empty());
}

TEST_CASE("a chunk can be read in parts, by several threads, of several stores with equal ids") {
  TempDir dirs[2];
  ObjectId id{1, 2};
  Bytes data[2] = {pattern(1, 400), pattern(2, 400)};
  std::vector<std::unique_ptr<LayerSet>> sets;
  for (int i = 0; i < 2; ++i) {
    auto writer = writer_for(dirs[i], id, {.chunk_blocks = 32});
    add_file(*writer, 2, "f", 400);
    must(writer->add_data(Ino{2}, BlockNo{0}, data[i]));
    must(writer->finish(0));
    sets.push_back(std::make_unique<LayerSet>(posix_env(), dirs[i].path_of()));
  }
  auto check = [&](std::uint64_t step, std::atomic<int>& wrong) {
    LayerPtr layers[2] = {*sets[0]->open(id), *sets[1]->open(id)};
    for (std::uint64_t b = 0; b + step <= 400; b += step) {
      for (int i = 0; i < 2; ++i) {
        auto got = read_blocks(layers[i]->inode(Ino{2})->value().map, b, step);
        auto want = data[i].begin() + static_cast<std::ptrdiff_t>(b * kBlockSize);
        if (!got || !std::equal(got->begin(), got->end(), want)) ++wrong;
      }
    }
  };
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (std::uint64_t step : {1, 3, 32, 50}) threads.emplace_back(check, step, std::ref(wrong));
  for (auto& t : threads) t.join();
  CHECK(wrong == 0);
}

// Layer 1: files 2, 3. Layer 2: changes one block of 3, keeps 2. Layer 3: keeps both, adds 4. And so on.
TEST_CASE("kept maps lead through a chain of layers of any length in one step") {
  TempDir dir;
  LayerSet set(posix_env(), dir.path_of());
  Bytes two = pattern(2, 9);
  Bytes three = pattern(3, 64);
  LayerPtr below;
  for (std::uint64_t n = 1; n <= 64; ++n) {
    ObjectId id{7, 100 - n};
    auto writer = writer_for(dir, id);
    add_file(*writer, 2, "two", 9);
    add_file(*writer, 3, "three", 64);
    if (n == 1) {
      must(writer->add_data(Ino{2}, BlockNo{0}, two));
      must(writer->add_data(Ino{3}, BlockNo{0}, three));
    } else {
      must(writer->keep_map(Ino{2}, must(below->inode(Ino{2}))->map));
      auto map = must(below->inode(Ino{3}))->map;
      Bytes changed = pattern(1000 + n, 1);
      for (std::uint64_t b = 0; b < 64;) {
        auto extent = must(Layer::extent_at(map, BlockNo{b}));
        if (b < n && n < b + extent.count) extent.count = n - b;
        if (b == n) {
          must(writer->add_data(Ino{3}, BlockNo{b}, changed));
          extent.count = 1;
        } else {
          must(writer->add_extent(Ino{3}, extent));
        }
        b += extent.count;
      }
      if (n < 64)
        std::copy(changed.begin(), changed.end(),
                  three.begin() + static_cast<std::ptrdiff_t>(n * kBlockSize));
    }
    must(writer->finish(0));
    below = must(set.open(id));
    INFO("layer " << n);
    CHECK(file_of(*below, 2) == two);
    CHECK(file_of(*below, 3) == three);
  }
  CHECK(must(below->inode(Ino{2}))->map.layer->id() == ObjectId{7, 99});
  CHECK(below->dependencies().size() == 63);
  CHECK(problems_of(*below).empty());

  // A new set opens the chain from its end; what the layers need is opened with them, and stays.
  LayerSet again(posix_env(), dir.path_of());
  auto reopened = must(again.open(below->id()));
  for (std::uint64_t n = 1; n <= 64; ++n) must(posix_env().unlink(dir.layer(ObjectId{7, 100 - n})));
  CHECK(file_of(*reopened, 3) == three);
}

}  // namespace branchfs::test
