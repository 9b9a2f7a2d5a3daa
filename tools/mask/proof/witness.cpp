#include "tools/mask/proof/witness.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <unordered_map>

#include "tools/mask/proof/byte_runs.h"
#include "tools/mask/proof/encoded_search.h"
#include "tools/mask/proof/encodings.h"
#include "tools/mask/proof/pattern_search.h"

namespace branchfs::mask {
namespace {

constexpr std::size_t kLeastDigits = 9;       // a number of fewer is met by chance in any large table
constexpr std::size_t kLeastDifferent = 4;
constexpr double kLeastBits = 16;             // of entropy: "aaaaaaab" has 4
// Shorter values are looked for in base64 digit by digit, and have at least so many.
constexpr std::size_t kBriefBase64 = 10;
// One look at the data for each kind of search while it is in the first-level cache; also the unit in which zeros are skipped.
constexpr std::size_t kStep = 8192;

bool is_json(std::string_view type) { return type == "json" || type == "jsonb"; }

// Letters and other characters: 9 digits are needed only where there are none.
constexpr std::size_t kShortestWord = 12;

bool has_enough_digits(std::string_view text) {
  std::size_t digits = 0;
  for (const char c : text) {
    const auto b = static_cast<unsigned char>(c);
    if (b >= 0x80 || ((b | 0x20U) >= 'a' && (b | 0x20U) <= 'z')) return true;
    if (b >= '0' && b <= '9') ++digits;
  }
  return digits >= kLeastDigits;
}

bool is_letter(char c) {
  const auto b = static_cast<unsigned char>(c);
  return b >= 0x80 || ((b | 0x20U) >= 'a' && (b | 0x20U) <= 'z');
}

// One short word: two generated ones that happen to stand side by side in a jsonb value may spell it.
bool is_short_word(std::string_view text) {
  return text.size() < kShortestWord && std::all_of(text.begin(), text.end(), is_letter);
}

// Digits without letters inside a longer number are chance.
bool is_part_of_a_number(std::span<const std::byte> bytes, std::size_t offset, std::size_t size) {
  const auto digit = [&](std::size_t at) { return at < bytes.size() && bytes[at] >= std::byte{'0'} && bytes[at] <= std::byte{'9'}; };
  if (!(offset > 0 && digit(offset - 1)) && !digit(offset + size)) return false;
  const auto found = bytes.subspan(offset, size);
  return std::none_of(found.begin(), found.end(), [](std::byte b) { return is_letter(static_cast<char>(b)); });
}

bool is_varied(std::string_view bytes) {
  std::array<std::size_t, 256> counts{};
  for (const char c : bytes) ++counts[static_cast<unsigned char>(c)];
  const auto size = static_cast<double>(bytes.size());
  double bits = 0;
  std::size_t different = 0;
  for (const std::size_t count : counts) {
    if (count == 0) continue;
    ++different;
    bits -= static_cast<double>(count) * std::log2(static_cast<double>(count) / size);
  }
  return different >= kLeastDifferent && bits >= kLeastBits;
}

// Not in the middle of a UTF-8 character.
std::string_view cut(std::string_view value) {
  if (value.size() <= kWitnessBytes) return value;
  std::size_t end = kWitnessBytes;
  for (int i = 0; i < 3 && (static_cast<unsigned char>(value[end]) & 0xC0U) == 0x80; ++i) --end;
  return value.substr(0, end);
}

}  // namespace

const char* to_string(Encoding encoding) {
  switch (encoding) {
    case Encoding::plain: return "plain";
    case Encoding::utf16le: return "utf16le";
    case Encoding::utf16be: return "utf16be";
    case Encoding::hex: return "hex";
    case Encoding::base64: return "base64";
    case Encoding::binary: return "binary";
  }
  return "";
}

struct WitnessSet::Data {
  struct Value {
    std::uint64_t offset = 0;
    std::uint32_t size = 0;
    bool live = true;
    std::size_t whole = 0;  // hash of the value before it was cut
  };
  struct Column {
    std::string name, base_type;
    SecretBytes bytes;
    SecretVector<Value> values;
    std::unordered_multimap<std::size_t, std::uint32_t> by_hash;  // of the cut value
    std::size_t live = 0;

    [[nodiscard]] std::string_view text(const Value& v) const { return {bytes.data() + v.offset, v.size}; }
    Value* find(std::string_view value) {
      auto [begin, end] = by_hash.equal_range(std::hash<std::string_view>{}(value));
      for (auto it = begin; it != end; ++it) {
        if (text(values[it->second]) == value) return &values[it->second];
      }
      return nullptr;
    }
  };
  // Whose form a pattern is; a pattern's id is its index here.
  struct Form {
    std::uint32_t value = 0;
    std::uint32_t size = 0;
    std::uint16_t column = 0;
    Encoding encoding = Encoding::plain;
  };

  std::function<bool(std::string_view)> is_common;
  std::vector<Column> columns;
  SecretBytes arena;
  SecretVector<Form> forms;
  PatternSearch anywhere;      // also in decoded runs
  PatternSearch brief_base64;  // digits of short values, in runs of digits
  bool sees_zeros = false;
  std::size_t longest = 1;

  [[nodiscard]] bool is_useful(const Column& column, std::string_view value) const;
  void add_forms(std::uint16_t column, std::uint32_t value);
  void add_text_forms(const Form& form, std::string_view text, bool json);
  // The encodings in which the search itself does not find `bytes`.
  void add_encoded_forms(const Form& form, std::string_view bytes);
  // What was appended to the arena since `from` is a form.
  void add_form(Form form, Encoding encoding, std::size_t from, PatternSearch& search);
  bool scan_runs(std::span<const std::byte> bytes, std::size_t from, std::size_t to, const std::function<bool(const Hit&)>& hit) const;
};

bool WitnessSet::Data::is_useful(const Column& column, std::string_view value) const {
  if (column.base_type == "bytea") {
    SecretBytes raw;
    return append_on_disk(raw, column.base_type, value) && is_varied({raw.data(), raw.size()});
  }
  return value.size() >= PatternSearch::kShortest && !is_short_word(value) && has_enough_digits(value) && is_varied(value) &&
         !is_whole_seconds(column.base_type, value) && !(is_common && is_common(value));
}

void WitnessSet::Data::add_form(Form form, Encoding encoding, std::size_t from, PatternSearch& search) {
  const std::size_t size = arena.size() - from;
  if (size < PatternSearch::kShortest) return arena.resize(from);
  form.encoding = encoding;
  form.size = static_cast<std::uint32_t>(size);
  search.add(static_cast<std::uint32_t>(forms.size()), from, size);
  forms.push_back(form);
  const bool decodes = encoding == Encoding::plain || encoding == Encoding::binary;
  longest = std::max(longest, decodes ? 2 * size : size);  // hex and UTF-16 are twice as long
}

void WitnessSet::Data::add_encoded_forms(const Form& form, std::string_view bytes) {
  if (bytes.size() >= PatternSearch::kInner) return;
  for (unsigned before = 0; before < 3; ++before) {
    const std::size_t from = arena.size();
    append_base64(arena, bytes, before);
    add_form(form, Encoding::base64, from, brief_base64);
  }
}

void WitnessSet::Data::add_text_forms(const Form& form, std::string_view text, bool json) {
  std::size_t from = arena.size();
  arena.insert(arena.end(), text.begin(), text.end());
  add_form(form, Encoding::plain, from, anywhere);
  if (json) {
    from = arena.size();
    append_json_escaped(arena, text);
    if (arena.size() - from == text.size()) {
      arena.resize(from);
    } else {
      add_form(form, Encoding::plain, from, anywhere);
    }
  }
  add_encoded_forms(form, text);
  if (is_ascii(text)) return;
  for (const bool big_endian : {false, true}) {
    from = arena.size();
    append_utf16(arena, text, big_endian);
    add_form(form, big_endian ? Encoding::utf16be : Encoding::utf16le, from, anywhere);
  }
}

void WitnessSet::Data::add_forms(std::uint16_t column, std::uint32_t value) {
  const Column& c = columns[column];
  const std::string_view text = c.text(c.values[value]);
  const Form form{value, 0, column, Encoding::plain};
  if (c.base_type != "bytea") add_text_forms(form, text, is_json(c.base_type));
  SecretBytes raw;
  if (!append_on_disk(raw, c.base_type, text)) return;
  const std::size_t from = arena.size();
  arena.insert(arena.end(), raw.begin(), raw.end());
  add_form(form, Encoding::binary, from, anywhere);
  if (c.base_type == "bytea") add_encoded_forms(form, {raw.data(), raw.size()});
}

bool WitnessSet::Data::scan_runs(std::span<const std::byte> bytes, std::size_t from, std::size_t to,
                                 const std::function<bool(const Hit&)>& hit) const {
  const FoundEncoded found = [&](std::uint32_t id, Encoding encoding, std::size_t offset, std::size_t size) {
    const Form& form = forms[id];
    const bool is_text = form.encoding == Encoding::plain;
    const bool is_value = is_text || (form.encoding == Encoding::binary && encoding != Encoding::utf16le && encoding != Encoding::utf16be);
    return !is_value || hit(Hit{form.column, form.value, encoding, offset, size});
  };
  const PatternSearch::Found found_brief = [&](std::uint32_t id, std::size_t offset) {
    const Form& form = forms[id];
    return hit(Hit{form.column, form.value, form.encoding, offset, form.size});
  };
  auto look_into_digits = [&](std::size_t begin, std::size_t end) {
    const auto run = bytes.subspan(begin, end - begin);
    return find_in_digits(anywhere, bytes, begin, end, found) &&
           brief_base64.find(run, 0, run.size(), [&](std::uint32_t id, std::size_t offset) { return found_brief(id, begin + offset); });
  };
  auto look_into_alternating = [&](std::size_t begin, std::size_t end) { return find_in_alternating(anywhere, bytes, begin, end, found); };
  return for_each_base64_run(bytes, from, to, brief_base64.empty() ? kLeastBase64 : kBriefBase64, look_into_digits) &&
         for_each_alternating_run(bytes, from, to, look_into_alternating);
}

WitnessSet::WitnessSet(std::function<bool(std::string_view)> is_common) : data_(std::make_unique<Data>()) {
  data_->is_common = std::move(is_common);
}
WitnessSet::~WitnessSet() = default;
WitnessSet::WitnessSet(WitnessSet&&) noexcept = default;
WitnessSet& WitnessSet::operator=(WitnessSet&&) noexcept = default;

std::size_t WitnessSet::add_column(std::string name, std::string base_type) {
  data_->columns.emplace_back();
  data_->columns.back().name = std::move(name);
  data_->columns.back().base_type = std::move(base_type);
  return data_->columns.size() - 1;
}

bool WitnessSet::add(std::size_t column, std::string_view value) {
  Data::Column& c = data_->columns[column];
  const std::string_view start = cut(value);
  const std::size_t whole = std::hash<std::string_view>{}(value);
  if (Data::Value* known = c.find(start)) {
    if (known->live && known->whole != whole) {  // a common beginning says nothing about either
      known->live = false;
      --c.live;
    }
    return false;
  }
  if (!data_->is_useful(c, start)) return false;
  c.by_hash.emplace(std::hash<std::string_view>{}(start), static_cast<std::uint32_t>(c.values.size()));
  c.values.push_back({c.bytes.size(), static_cast<std::uint32_t>(start.size()), true, whole});
  c.bytes.insert(c.bytes.end(), start.begin(), start.end());
  ++c.live;
  return true;
}

bool WitnessSet::drop(std::size_t column, std::string_view value) {
  Data::Column& c = data_->columns[column];
  Data::Value* known = c.find(cut(value));
  if (known == nullptr || !known->live) return false;
  known->live = false;
  --c.live;
  return true;
}

void WitnessSet::seal() {
  Data& d = *data_;
  for (std::size_t column = 0; column < d.columns.size(); ++column) {
    Data::Column& c = d.columns[column];
    c.by_hash.clear();
    for (std::uint32_t i = 0; i < c.values.size(); ++i) {
      if (c.values[i].live) d.add_forms(static_cast<std::uint16_t>(column), i);
    }
  }
  d.anywhere.build(d.arena);
  d.brief_base64.build(d.arena);
  d.sees_zeros = d.anywhere.may_have(0);
}

std::size_t WitnessSet::columns() const { return data_->columns.size(); }
const std::string& WitnessSet::column_name(std::size_t column) const { return data_->columns[column].name; }
std::size_t WitnessSet::count(std::size_t column) const { return data_->columns[column].live; }
std::size_t WitnessSet::count() const {
  std::size_t sum = 0;
  for (const Data::Column& column : data_->columns) sum += column.live;
  return sum;
}
std::vector<std::string> WitnessSet::values(std::size_t column) const {
  std::vector<std::string> out;
  const Data::Column& c = data_->columns[column];
  for (const Data::Value& value : c.values) {
    if (value.live) out.emplace_back(c.text(value));
  }
  return out;
}
std::size_t WitnessSet::longest() const { return data_->longest; }

void WitnessSet::scan(std::span<const std::byte> bytes, const std::function<bool(const Hit&)>& hit) const {
  const Data& d = *data_;
  const PatternSearch::Found found = [&](std::uint32_t id, std::size_t offset) {
    const Data::Form& form = d.forms[id];
    if (form.encoding == Encoding::plain && is_part_of_a_number(bytes, offset, form.size)) return true;
    return hit(Hit{form.column, form.value, form.encoding, offset, form.size});
  };
  for (std::size_t from = 0; from < bytes.size(); from += kStep) {
    const std::size_t to = std::min(from + kStep, bytes.size());
    // A q-gram that begins in this step may reach 7 bytes beyond it.
    if (!d.sees_zeros && all_zero(bytes.subspan(from, std::min(kStep + 8, bytes.size() - from)))) continue;
    if (!d.anywhere.find(bytes, from, to, found) || !d.scan_runs(bytes, from, to, hit)) return;
  }
}

}  // namespace branchfs::mask
