// Compressed values as a server made them, and bytes that only look like some.
#include "tools/mask/proof/compressed.h"

#include <algorithm>

#include "tests/unit/mask-proof/support.h"

namespace branchfs::mask::test {
namespace {

// Inline values with their headers, from heap_page_items() of PostgreSQL 15: repeat('Customer …', 50) as pglz and as lz4, and as pglz
// string_agg(format('%s: kim.%s@example.org;', i, i * 7919 % 1000), ' ') of i = 1 … 130.
constexpr char kPglzRepeat[] =
    "8a010000280a000000437573746f6d657200206a2e736d69746800406578616d706c65002e636f6d2063616c006c65642061626f75"
    "0074206f7264657220f031372e200f34ff0f34ff0f34ff0f34ff3f0f34ff0f34ff0f34ff0f34ff0f34ff0f3449";
constexpr char kLz4Repeat[] =
    "42010000280a0040ff25437573746f6d6572206a2e736d697468406578616d706c652e636f6d2063616c6c65642061626f7574206f72"
    "6465722031372e203400ffffffffffffffffffe5502031372e20";
constexpr char kPglzList[] =
    "720e0000b70c000000313a206b696d2e39003139406578616d70006c652e6f72673b20a23203183833380b18330318283735370b183403"
    "1836378a360b183503183539350b185236041831340b18370318341433330b18380318333532450b183903183237310b18316230031931"
    "39300c1904f231aa300cf23104f3320cf23104f39439340cf33104f438360cf4523104f537380cf53104f6374a300cf63104f736320cf7"
    "312904f835340cf83104f93436a50cf93204f933380cf93204f9ac32391deb05f9310cfa3204fa5431330cfa3204fa350cf9322904f939"
    "370cf93204f93839a50cf93204f938310cf93204f99437330cf93204f936350cf9523304f935370cf93304f934ca380cf93304f934302d"
    "e504f99433320cf93304f932340cfad23304fa31360cfa3305fa0cf9963304f90cf73304f739320cf7523304f738340cf73404f7374a36"
    "0cf73404f736370cf7342904f735390cf73404f73531533ddd04f734330cf73404f7334a350cf73404f732370cf8342904f831390cfa34"
    "04fa3131550cfa3404fa330cf93504f9394a350cf93504f938360cf935a904f937380cf93545d6300cf95a3545d7324dd745d8340cf935"
    "a904f934360cf93515f1380cf9aa3545db300cf93545dc320cfaaa3645dc340cfa3604fa350cf9523604f939370cf93604f938aa390cf9"
    "3645dc310cf93645dca6335dd104f936350cf93604f99435370cf93604f934390cf9aa3645dc310cf93745dc330cf92a3745dc340cfa37"
    "04fa3136ed0cfa3705fa0cf93715f20c1745da3a320cf73736e06dc904f73736a50cf73704f736380cf73745daaa300cf73845da320cf7"
    "3845da4a330cf73804f733350cf7382904f732370cf83804f83139550cfa3845da310cfa3804fa33650cf93804f939357dc304f9384a37"
    "0cf93804f937390cf9395545dc310cf93945dc320cf9399545dc340cf93904f934360cf9523904f933380cf93945dc30550cf93945dc32"
    "0cfa3945dc349d0cfa3915f38dbd04f939388ebe3545dd308dbf3045de9db231305345df9db4313004fd369db631a63075ca9db8313004"
    "ff349dbacc313045e39dbc313045e49dbe9431301402329dc031301404fe319ec295c39fc200a5b50d1845e79ec36d95c4389ec495c537"
    "9ec595c636db9ec695c7369ec795c8359ec895c956349ec995ca339dca3195cb32559dcb3195cc319dcc3195cd31ad9dcd3195ce9dcd31"
    "95ce399dcfaa3195d0389dd03195d1379dd1aa3195d2379dd23195d3369dd3aa3195d4359dd43195d5349cd5";

std::string repeated() {
  std::string out;
  for (int i = 0; i < 50; ++i) out += "Customer j.smith@example.com called about order 17. ";
  return out;
}
std::string listed() {
  std::string out;
  for (int i = 1; i <= 130; ++i) {
    out += (i > 1 ? " " : "") + std::to_string(i) + ": kim." + std::to_string(i * 7919 % 1000) + "@example.org;";
  }
  return out;
}

std::map<std::size_t, std::string> values_in(std::string_view data, std::size_t alignment) {
  std::map<std::size_t, std::string> out;
  const auto count = for_each_compressed(bytes_of(data), alignment, [&](std::size_t offset, std::span<const std::byte> value) {
    out[offset] = {reinterpret_cast<const char*>(value.data()), value.size()};
  });
  CHECK(count == out.size());
  return out;
}

}  // namespace

TEST_CASE("a server's pglz and lz4 values are decompressed") {
  CHECK(values_in(from_hex(kPglzRepeat), 4) == std::map<std::size_t, std::string>{{0, repeated()}});
  CHECK(values_in(from_hex(kLz4Repeat), 4) == std::map<std::size_t, std::string>{{0, repeated()}});
  CHECK(values_in(from_hex(kPglzList), 4) == std::map<std::size_t, std::string>{{0, listed()}});
}

TEST_CASE("compressed values are found wherever they stand in a page") {
  const std::string list = from_hex(kPglzList);
  for (std::size_t at = 0; at + list.size() <= kPageSize; at += at < 64 || at + list.size() + 64 > kPageSize ? 1 : 257) {
    std::string page(kPageSize, '\0');
    page.replace(at, list.size(), list);
    INFO("at " << at);
    CHECK(values_in(page, 1) == std::map<std::size_t, std::string>{{at, listed()}});
    CHECK(values_in(page, 4).size() == (at % 4 == 0 ? 1 : 0));
  }
  std::string cut(kPageSize, '\0');
  cut.replace(kPageSize - list.size() + 4, list.size() - 4, list.substr(0, list.size() - 4));
  CHECK(values_in(cut, 1).empty());
}

TEST_CASE("what is no whole value is none") {
  const std::string list = from_hex(kPglzList);
  std::vector<std::byte> out(listed().size());
  const auto packed = bytes_of(list).subspan(8);
  CHECK(decompress_pglz(packed, out));
  CHECK_FALSE(decompress_pglz(packed.first(packed.size() - 1), out));
  CHECK_FALSE(decompress_pglz(packed, std::span(out).first(out.size() - 1)));
  out.push_back({});
  CHECK_FALSE(decompress_pglz(packed, out));
  // A copy from before the beginning, and one from nowhere.
  CHECK_FALSE(decompress_pglz(bytes_of(std::string("\x02" "a\x00\x02", 4)), std::span(out).first(4)));
  CHECK_FALSE(decompress_pglz(bytes_of(std::string("\x02" "a\x00\x00", 4)), std::span(out).first(4)));
  CHECK(decompress_pglz(bytes_of(std::string("\x02" "a\x00\x01", 4)), std::span(out).first(4)));
  std::vector<std::byte> buffer;
  CHECK(decompress_value(bytes_of("\xff\xff\xff\x3f" "abcdefgh"), buffer).empty());  // 1 GiB out of 8 bytes
  CHECK(buffer.empty());
}

TEST_CASE("damaged values are refused without reading or writing beyond them") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  Random random(seed);
  for (const char* hex : {kPglzRepeat, kLz4Repeat, kPglzList}) {
    const std::string value = from_hex(hex);
    for (int round = 0; round < 3000; ++round) {
      std::string damaged = value;
      for (std::size_t i = 0, count = 1 + below(random, 4); i < count; ++i) {
        damaged[below(random, 3) == 0 ? below(random, 16) : below(random, damaged.size())] = static_cast<char>(random());
      }
      damaged.resize(below(random, 4) == 0 ? below(random, damaged.size()) : damaged.size());
      damaged.shrink_to_fit();
      for_each_compressed(bytes_of(damaged), 1, [](std::size_t, std::span<const std::byte> raw) {
        std::vector<std::byte> copy(raw.begin(), raw.end());  // all of it can be read
        REQUIRE_FALSE(copy.empty());
      });
    }
  }
}

}  // namespace branchfs::mask::test
