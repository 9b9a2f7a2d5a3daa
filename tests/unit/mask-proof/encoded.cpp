// Values in the encodings that programs make of them, against a naive search for every encoded form.
#include <algorithm>

#include "tests/unit/mask-proof/support.h"
#include "tools/mask/proof/encodings.h"
#include "tools/mask/proof/pattern_search.h"

namespace branchfs::mask::test {
namespace {

using Hits = std::multiset<std::string>;

std::string text(const SecretBytes& bytes) { return {bytes.begin(), bytes.end()}; }
std::string hex(std::string_view bytes, bool upper) {
  SecretBytes out;
  append_hex(out, bytes, upper);
  return text(out);
}
std::string base64(std::string_view bytes, unsigned before) {
  SecretBytes out;
  append_base64(out, bytes, before);
  return text(out);
}
std::string utf16(std::string_view value, bool big_endian) {
  SecretBytes out;
  append_utf16(out, value, big_endian);
  return text(out);
}

// A value and what of it must be found.
struct Value {
  std::string name;  // "text 17"
  std::string type, given, bytes, on_disk;
};

class Naive {
 public:
  explicit Naive(const std::string& data) : data_(data), lower_(data) {
    for (char& c : lower_) c = static_cast<char>(c >= 'A' && c <= 'F' ? c | 0x20 : c);
  }
  Hits hits(const std::vector<Value>& values) {
    for (const Value& v : values) {
      if (!v.bytes.empty()) {
        find(data_, v.name + " plain ", v.bytes);
        find(data_, v.name + " utf16le ", utf16(v.bytes, false));
        find(data_, v.name + " utf16be ", utf16(v.bytes, true));
        add_encoded(v.name, v.bytes, 0);
      }
      if (v.on_disk.empty()) continue;
      find(data_, v.name + " binary ", v.on_disk);
      add_encoded(v.name, v.on_disk, v.type == "bytea" ? 0 : PatternSearch::kInner);
    }
    return std::move(hits_);
  }

 private:
  void add_encoded(const std::string& name, const std::string& bytes, std::size_t least_for_base64) {
    find(lower_, name + " hex ", hex(bytes, false));
    for (unsigned before = 0; bytes.size() >= least_for_base64 && before < 3; ++before) find(data_, name + " base64 ", base64(bytes, before));
  }
  void find(const std::string& data, const std::string& name, const std::string& form) {
    if (form.size() < PatternSearch::kShortest) return;
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    const bool number = name.find(" plain ") != name.npos && std::none_of(form.begin(), form.end(), [](char c) {
                          return (c & 0x80) != 0 || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
                        });
    for (std::size_t at = data.find(form); at != data.npos; at = data.find(form, at + 1)) {
      const std::size_t end = at + form.size();
      // Digits inside a longer number are chance.
      if (number && ((at > 0 && is_digit(data[at - 1])) || (end < data.size() && is_digit(data[end])))) continue;
      hits_.insert(name + std::to_string(at));
    }
  }
  const std::string& data_;
  std::string lower_;
  Hits hits_;
};

std::string random_of(Random& random, std::string_view alphabet, std::size_t size) {
  std::string out(size, '\0');
  for (char& c : out) c = alphabet[below(random, alphabet.size())];
  return out;
}
std::string random_bytes(Random& random, std::size_t size) {
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(below(random, 256));
  return out;
}

Value random_value(Random& random) {
  static const std::string types[] = {"text", "text", "text", "bytea", "uuid", "int8"};
  Value v;
  v.type = types[below(random, 6)];
  if (v.type == "text") {
    const char* alphabets[] = {"abcdef", "Anna +/019", "\xC3\xA9\xC3\xBC", "kim.o'neill@example"};
    const unsigned which = static_cast<unsigned>(below(random, 4));
    v.given = random_of(random, which == 2 ? "abcdefgh" : alphabets[which], 8 + below(random, below(random, 2) == 0 ? 4 : 40));
    if (which == 2) v.given += "\xC3\xA9" "rd\xC5\x82";
    v.bytes = v.given;
  } else if (v.type == "int8") {
    v.given = std::to_string((1ULL << 60U) + (random() >> 4U));
    v.bytes = v.given;
  } else {
    const std::string raw = random_bytes(random, v.type == "uuid" ? 16 : 8 + below(random, 20));
    v.given = v.type == "uuid" ? hex(raw, false) : "\\x" + hex(raw, false);
    if (v.type == "uuid") v.bytes = v.given;
  }
  SecretBytes disk;
  if (append_on_disk(disk, v.type, v.given)) v.on_disk = text(disk);
  return v;
}

// The value as it is, or in an encoding of a longer text that it is part of, with something of that cut off at both ends.
std::string occurrence(Random& random, const Value& v) {
  const std::string& bytes = v.bytes.empty() || (!v.on_disk.empty() && below(random, 2) == 0) ? v.on_disk : v.bytes;
  const std::string whole = random_of(random, "ab \xFE", below(random, 6)) + bytes + random_of(random, "01\x7F", below(random, 6));
  std::string out;
  switch (below(random, 6)) {
    case 0: return whole;
    case 1: out = hex(whole, below(random, 2) == 0); break;
    case 2: out = hex(whole.substr(0, whole.size() / 2), true) + hex(whole.substr(whole.size() / 2), false); break;
    case 3: out = utf16(whole, below(random, 2) == 0); break;
    default: out = base64(whole, 0);
  }
  const std::size_t cut = below(random, std::min<std::size_t>(out.size(), 9));
  const std::size_t first = below(random, cut + 1);
  return out.substr(first, out.size() - cut);
}

std::string filler(Random& random) {
  const std::size_t size = below(random, below(random, 3) == 0 ? 200 : 8);
  switch (below(random, 6)) {
    case 0: return random_bytes(random, size);
    case 1: return random_of(random, "abcdefghijklmnopqrstuvwxyzABCDEF0123456789+/", size);
    case 2: return random_of(random, "0123456789abcdef", size);
    case 3: return std::string(size, '\0');
    case 4: return utf16(random_of(random, "abcdef", size), below(random, 2) == 0);
    default: return random_of(random, " .\n", size);
  }
}

}  // namespace

TEST_CASE("every encoding is found at every alignment, between whatever stands around it, and nothing else is") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  Random random(seed);
  std::map<std::string, std::size_t> kinds;
  for (int round = 0; round < 40; ++round) {
    WitnessSet set;
    std::map<std::string, std::size_t> columns;
    std::map<std::string, std::size_t> counts;
    for (const char* type : {"text", "bytea", "uuid", "int8"}) columns[type] = set.add_column(type, type);
    std::vector<Value> values;
    for (std::size_t i = 0, count = 1 + below(random, 150); i < count; ++i) {
      Value v = random_value(random);
      if (!set.add(columns[v.type], v.given)) continue;
      v.name = v.type + " " + std::to_string(counts[v.type]++);
      values.push_back(std::move(v));
    }
    set.seal();
    std::string data;
    while (!values.empty() && data.size() < 20'000) data += filler(random) + occurrence(random, values[below(random, values.size())]);
    const Hits expected = Naive(data).hits(values);
    for (const std::string& hit : expected) ++kinds[hit.substr(0, hit.find(' ')) + hit.substr(hit.find(' ', hit.find(' ') + 1), 5)];
    INFO("round " << round);
    REQUIRE(hits_in(set, data) == expected);
  }
  for (const char* kind : {"text plai", "text utf1", "text hex ", "text base", "bytea bina", "bytea base", "uuid hex ", "int8 bina"}) {
    INFO(kind);
    CHECK(kinds[kind] > 20);
  }
}

TEST_CASE("the digits that a value determines alone are enough, whatever its length") {
  for (std::size_t size = 8; size < 40; ++size) {
    WitnessSet set;
    const std::string value = std::string("Zq7+xkWv0bD3hJ5mN8rTs2y9.Lp4@uGf6/cKa1eQi").substr(0, size);
    REQUIRE(set.add(set.add_column("c", "text"), value));
    set.seal();
    for (unsigned before = 0; before < 3; ++before) {
      const std::string digits = base64(value, before);
      for (std::size_t shift = 0; shift < 70; ++shift) {
        const std::string data = std::string(shift, shift % 2 == 0 ? ' ' : 'x') + digits;
        INFO(size << " bytes, " << before << " before, at " << shift);
        REQUIRE(hits_in(set, data) == Hits{"c 0 base64 " + std::to_string(shift)});
        REQUIRE(hits_in(set, data.substr(0, data.size() - 1)).empty());
        REQUIRE(hits_in(set, data + "==").size() == 1);
      }
    }
  }
}

TEST_CASE("hex is found wherever it begins among other digits") {
  WitnessSet set;
  REQUIRE(set.add(set.add_column("c", "text"), "Zq7+xkWv"));
  set.seal();
  for (const bool upper : {false, true}) {
    for (std::size_t shift = 0; shift < 200; ++shift) {
      const std::string data = std::string(shift, shift % 2 == 0 ? 'x' : '0') + hex("Zq7+xkWv", upper) + std::string(30, 'x');
      INFO("at " << shift);
      REQUIRE(hits_in(set, data) == Hits{"c 0 hex " + std::to_string(shift)});
      REQUIRE(hits_in(set, data.substr(0, shift + 15)).empty());
    }
  }
}

TEST_CASE("what is met by chance is no witness: short words, digits inside longer numbers") {
  WitnessSet set;
  const std::size_t column = set.add_column("c", "text");
  CHECK_FALSE(set.add(column, "Quinniva"));
  CHECK(set.add(column, "Quinnivastotelia"));
  CHECK(set.add(column, "882161620"));
  set.seal();
  CHECK(hits_in(set, "no 882161620, 1882161620 or 8821616205").size() == 1);
}

}  // namespace branchfs::mask::test
