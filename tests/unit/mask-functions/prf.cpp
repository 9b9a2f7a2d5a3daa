// The PRF against its published vectors and another implementation; seeds, draws and tokens.
#include "tools/mask/functions/prf.h"

#include <openssl/evp.h>

#include <set>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/unit/mask-functions/key.h"

using namespace branchfs::mask;

namespace {

std::string hex(const PrfKey& value, std::size_t size) {
  unsigned char bytes[16];
  std::memcpy(bytes, &value.low, 8);
  std::memcpy(bytes + 8, &value.high, 8);
  std::string out;
  for (std::size_t i = 0; i < size; ++i) {
    out += "0123456789abcdef"[bytes[i] >> 4];
    out += "0123456789abcdef"[bytes[i] & 15];
  }
  return out;
}

std::vector<unsigned char> counting(std::size_t size) {
  std::vector<unsigned char> out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<unsigned char>(i);
  return out;
}

std::string openssl_siphash(const std::vector<unsigned char>& key, const std::vector<unsigned char>& message,
                            std::size_t size) {
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, "SIPHASH", nullptr);
  REQUIRE(mac != nullptr);
  EVP_MAC_CTX* context = EVP_MAC_CTX_new(mac);
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_size_t("size", &size), OSSL_PARAM_construct_end()};
  unsigned char out[16];
  std::size_t written = 0;
  REQUIRE(EVP_MAC_init(context, key.data(), key.size(), parameters) == 1);
  REQUIRE(EVP_MAC_update(context, message.data(), message.size()) == 1);
  REQUIRE(EVP_MAC_final(context, out, &written, sizeof out) == 1);
  EVP_MAC_CTX_free(context);
  EVP_MAC_free(mac);
  PrfKey value;
  std::memcpy(&value.low, out, 8);
  if (size == 16) std::memcpy(&value.high, out + 8, 8);
  return hex(value, size);
}

}  // namespace

TEST_CASE("SipHash-2-4 gives the published values") {
  const auto key_bytes = counting(16);
  const PrfKey key{load_little(key_bytes.data(), 8), load_little(key_bytes.data() + 8, 8)};
  CHECK(hex(prf(key, nullptr, 0, Sip::Width::bits64), 8) == "310e0edd47db6f72");
  CHECK(hex(prf(key, counting(15).data(), 15, Sip::Width::bits64), 8) == "e545be4961ca29a1");
  CHECK(hex(prf(key, nullptr, 0), 16) == "a3817f04ba25a8e66df67214c7550293");
  CHECK(hex(prf(key, counting(1).data(), 1), 16) == "da87c1d86b99af44347659119b22fc45");
}

TEST_CASE("SipHash-2-4 agrees with OpenSSL for every length up to 300 bytes") {
  const auto key_bytes = counting(16);
  const PrfKey key{load_little(key_bytes.data(), 8), load_little(key_bytes.data() + 8, 8)};
  for (std::size_t size = 0; size <= 300; ++size) {
    const auto message = counting(size);
    REQUIRE(hex(prf(key, message.data(), size, Sip::Width::bits64), 8) ==
            openssl_siphash(key_bytes, message, 8));
    REQUIRE(hex(prf(key, message.data(), size), 16) == openssl_siphash(key_bytes, message, 16));
  }
  const std::uint64_t words[] = {7, 8};
  CHECK(hex(prf(key, 7, 8), 16) == hex(prf(key, words, 16), 16));
}

TEST_CASE("a seed depends on the key, the form and the value") {
  const auto low = [](const Seed& seed) { return seed.choose.low; };
  CHECK(low(seed_of("a")) == low(seed_of("a")));
  CHECK(low(seed_of("a")) != low(seed_of("b")));
  CHECK(low(test_key().seed(Form::text, "a", 1)) != low(test_key().seed(Form::binary, "a", 1)));
  CHECK(low(test_key().seed(Form::text, "a", 1)) != low(test_key(1).seed(Form::text, "a", 1)));
  CHECK(seed_of("a").choose.low != seed_of("a").token.low);
  CHECK(low(reseed(seed_of("a"), "salt")) != low(seed_of("a")));
}

TEST_CASE("draws are uniform and independent of one another") {
  constexpr int kDraws = 100'000, kSides = 10;
  int counts[kSides] = {};
  std::set<std::uint64_t> seen;
  for (std::uint32_t call = 0; call < kDraws / 4; ++call) {
    Draw draw(seed_of("x"), constant_hash("dice"), call);
    for (int i = 0; i < 4; ++i) ++counts[draw.below(kSides)];
    seen.insert(Draw(seed_of("x"), constant_hash("dice"), call).next());
  }
  double chi = 0;
  for (const int count : counts)
    chi += (count - kDraws / kSides) * 1.0 * (count - kDraws / kSides) / (kDraws / kSides);
  CHECK(chi < 33.7);  // 9 degrees of freedom, one in ten thousand
  CHECK(seen.size() == kDraws / 4);
  CHECK(Draw(seed_of("x"), constant_hash("dice"), 0).next() !=
        Draw(seed_of("x"), constant_hash("cards"), 0).next());
}

TEST_CASE("tokens are distinct, and every bit of them counts") {
  std::set<std::string> seen;
  std::set<char> places[kTokenLength];
  for (std::int64_t i = 0; i < 20'000; ++i) {
    const auto shown = token(seed_of(i), 0);
    seen.insert({shown.data(), shown.size()});
    for (int place = 0; place < kTokenLength; ++place)
      places[place].insert(shown[static_cast<std::size_t>(place)]);
  }
  CHECK(seen.size() == 20'000);
  for (const auto& characters : places) CHECK(characters.size() == 32);
}
