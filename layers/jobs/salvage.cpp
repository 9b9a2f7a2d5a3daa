#include "layers/jobs/salvage.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "layers/base/checksum.h"
#include "layers/store/manifest.h"

namespace branchfs {

bool mend_one_bit(std::span<std::byte> bytes, SearchBudget& budget, const std::function<bool()>& good) {
  if (!budget.spend(bytes.size())) return false;
  for (std::byte& byte : bytes) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      byte ^= std::byte{1} << bit;
      if (good()) return true;
      byte ^= std::byte{1} << bit;
    }
  }
  return false;
}

namespace {

template <class T>
std::span<std::byte> writable(T& record) {
  return std::as_writable_bytes(std::span(&record, 1));
}

class LayerImage {
 public:
  LayerImage(File& file, ObjectId id, const FindChunk& find, SearchBudget& budget)
      : file_(file), id_(id), find_(find), budget_(budget) {}
  Result<LayerSalvage> run(std::uint64_t file_size);

 private:
  Status header();
  Result<bool> footer(std::uint64_t file_size);
  Result<bool> footer_behind_garbage(std::uint64_t file_size);
  [[nodiscard]] bool is_footer(const Footer& f) const;
  [[nodiscard]] bool fits() const;
  Result<bool> page_sums();
  void pages();
  Status chunks();
  Status chunk(std::uint64_t number);
  [[nodiscard]] std::uint64_t page_of(std::uint64_t offset) const { return (offset - footer_.index_offset) / kIndexPage; }
  [[nodiscard]] std::span<std::byte> page(std::uint64_t number) {
    return std::span(index_).subspan(number * kIndexPage, std::min(kIndexPage, index_.size() - number * kIndexPage));
  }
  void patch(std::uint64_t offset, std::span<const std::byte> bytes) {
    out_.patches.push_back({offset, {bytes.begin(), bytes.end()}});
  }

  File& file_;
  ObjectId id_;
  const FindChunk& find_;
  SearchBudget& budget_;
  Footer footer_{};
  std::vector<std::byte> index_;
  std::vector<std::uint64_t> sums_;
  std::vector<bool> good_;  // pages of the index
  LayerSalvage out_;
};

Result<LayerSalvage> LayerImage::run(std::uint64_t file_size) {
  if (file_size < kLayerHeaderSize + sizeof(Footer)) {
    out_.lost.emplace_back("all of it: the file is shorter than an empty layer");
    return std::move(out_);
  }
  BFS_ASSIGN(bool has_footer, footer(file_size));
  if (!has_footer || !fits()) {
    out_.lost.emplace_back("all of it: its footer, which says where everything is, is destroyed");
    return std::move(out_);
  }
  BFS_TRY(header());
  index_.resize(footer_.index_size);
  BFS_ASSIGN(std::size_t got, file_.read_at(index_, footer_.index_offset));
  if (got != index_.size()) return make_error(Kind::busy, "the file changes while it is read");
  BFS_ASSIGN(bool has_sums, page_sums());
  if (!has_sums) {
    out_.lost.emplace_back("all of it: the checksums of its index are destroyed");
    return std::move(out_);
  }
  pages();
  out_.opens = true;
  BFS_TRY(chunks());
  return std::move(out_);
}

// Everything in it follows from the layer's id.
Status LayerImage::header() {
  std::vector<std::byte> have(kLayerHeaderSize);
  std::vector<std::byte> want(kLayerHeaderSize);
  BFS_ASSIGN(std::size_t got, file_.read_at(have, 0));
  if (got != have.size()) return make_error(Kind::busy, "the file changes while it is read");
  LayerHeader h{};
  std::memcpy(h.magic, kLayerMagic, sizeof h.magic);
  h.version = kLayerVersion;
  h.block_size = kBlockSize;
  h.id_hi = id_.hi;
  h.id_lo = id_.lo;
  h.checksum = checksum(writable(h).first(offsetof(LayerHeader, checksum)));
  std::memcpy(want.data(), &h, sizeof h);
  if (have == want) return {};
  patch(0, want);
  out_.mended.emplace_back("its header");
  return {};
}

bool LayerImage::is_footer(const Footer& f) const {
  return std::memcmp(f.magic, kFooterMagic, sizeof f.magic) == 0 && f.version == kLayerVersion &&
         ObjectId{f.id_hi, f.id_lo} == id_ &&
         f.checksum == checksum(std::as_bytes(std::span(&f, 1)).first(offsetof(Footer, checksum)));
}

Result<bool> LayerImage::footer(std::uint64_t file_size) {
  out_.size = file_size;
  std::uint64_t at = file_size - sizeof footer_;
  BFS_TRY(file_.read_at(writable(footer_), at));
  if (is_footer(footer_)) return true;
  Footer mended = footer_;
  if (mend_one_bit(writable(mended), budget_, [&] { return is_footer(mended); })) {
    footer_ = mended;
    patch(at, std::as_bytes(std::span(&footer_, 1)));
    out_.mended.emplace_back("its footer");
    return true;
  }
  return footer_behind_garbage(file_size);
}

// Something was appended to the file.
Result<bool> LayerImage::footer_behind_garbage(std::uint64_t file_size) {
  constexpr std::uint64_t kFarthest = 64U << 20U;
  std::uint64_t from = file_size > kFarthest ? (file_size - kFarthest) & ~std::uint64_t{7} : 0;
  std::vector<std::byte> tail(file_size - from);
  BFS_ASSIGN(std::size_t got, file_.read_at(tail, from));
  if (got < sizeof(Footer)) return false;
  for (std::uint64_t at = (got - sizeof(Footer)) & ~std::uint64_t{7};; at -= 8) {
    std::memcpy(&footer_, tail.data() + at, sizeof footer_);
    if (is_footer(footer_)) {
      out_.size = from + at + sizeof(Footer);
      out_.mended.emplace_back(fmt::format("{} bytes behind its end", file_size - out_.size));
      return true;
    }
    if (at == 0) return false;
  }
}

// The footer is the writer's (its checksum holds); a hostile one must not lead out of the file all the same.
bool LayerImage::fits() const {
  std::uint64_t footer_at = out_.size - sizeof(Footer);
  const Footer& f = footer_;
  if (f.index_offset < kLayerHeaderSize || f.index_offset > footer_at || f.index_size > footer_at - f.index_offset) return false;
  std::uint64_t end = f.index_offset + f.index_size;
  std::uint64_t pages = (f.index_size + kIndexPage - 1) / kIndexPage;
  return f.page_sums.offset == end && f.page_sums.count == pages && (footer_at - end) / sizeof(std::uint64_t) == pages &&
         f.chunks.offset >= f.index_offset && f.chunks.offset <= end && f.chunks.count <= (end - f.chunks.offset) / sizeof(ChunkRecord);
}

Result<bool> LayerImage::page_sums() {
  sums_.resize(footer_.page_sums.count);
  auto bytes = std::as_writable_bytes(std::span(sums_));
  BFS_TRY(file_.read_at(bytes, footer_.page_sums.offset));
  auto good = [&] { return checksum(bytes) == footer_.page_sums_checksum; };
  if (good()) return true;
  const std::vector<std::uint64_t> stored = sums_;
  for (std::uint64_t p = 0; p < sums_.size(); ++p) sums_[p] = checksum(page(p));
  bool found = good();
  if (!found) {  // a page is damaged as well
    sums_ = stored;
    bytes = std::as_writable_bytes(std::span(sums_));
    found = mend_one_bit(bytes, budget_, good);
  }
  if (!found) return false;
  patch(footer_.page_sums.offset, bytes);
  out_.mended.emplace_back("the checksums of its index");
  return true;
}

void LayerImage::pages() {
  good_.assign(sums_.size(), true);
  for (std::uint64_t p = 0; p < sums_.size(); ++p) {
    auto holds = [&] { return checksum(page(p)) == sums_[p]; };
    if (holds()) continue;
    if (mend_one_bit(page(p), budget_, holds)) {
      patch(footer_.index_offset + p * kIndexPage, page(p));
      out_.mended.push_back(fmt::format("page {} of its index", p));
    } else {
      good_[p] = false;
      out_.lost.push_back(fmt::format("page {} of its index", p));
    }
  }
}

Status LayerImage::chunks() {
  for (std::uint64_t i = 0; i < footer_.chunks.count; ++i) BFS_TRY(chunk(i));
  return {};
}

Status LayerImage::chunk(std::uint64_t number) {
  std::uint64_t at = footer_.chunks.offset + number * sizeof(ChunkRecord);
  if (!good_[page_of(at)] || !good_[page_of(at + sizeof(ChunkRecord) - 1)]) return {};
  ChunkRecord r;
  std::memcpy(&r, index_.data() + (at - footer_.index_offset), sizeof r);
  if (r.stored_size > kMaxChunkBlocks * kBlockSize || r.offset > footer_.index_offset ||
      r.stored_size > footer_.index_offset - r.offset) {
    return {};  // no writer writes that; verify says what is wrong with it
  }
  std::vector<std::byte> bytes(r.stored_size);
  BFS_TRY(file_.read_at(bytes, r.offset));
  auto holds = [&] { return checksum(bytes) == r.checksum; };
  if (holds()) return {};
  const auto elsewhere = find_(r);
  if (elsewhere) bytes = *elsewhere;
  if (elsewhere || mend_one_bit(bytes, budget_, holds)) {
    patch(r.offset, bytes);
    out_.mended.push_back(fmt::format("chunk {}{}", number, elsewhere ? " (another layer has the same)" : ""));
  } else {
    out_.lost.push_back(fmt::format("chunk {}", number));
  }
  return {};
}

}  // namespace

Result<LayerSalvage> salvage_layer(Env& env, const std::string& path, ObjectId id, const FindChunk& find,
                                   SearchBudget& budget) {
  BFS_ASSIGN(struct ::stat st, env.stat(path));
  if (!S_ISREG(st.st_mode)) {
    LayerSalvage nothing;
    nothing.lost.emplace_back("all of it: it is not a regular file");
    return nothing;
  }
  BFS_ASSIGN(auto file, env.open(path, O_RDONLY));
  return LayerImage(*file, id, find, budget).run(static_cast<std::uint64_t>(st.st_size));
}

JournalSalvage salvage_journal(std::span<const std::byte> bytes, ObjectId id, std::uint64_t sealed_size,
                               SearchBudget& budget) {
  constexpr std::uint64_t kLongestSearch = 64U << 10U;
  JournalSalvage out;
  out.bytes.assign(bytes.begin(), bytes.end());
  const std::vector<std::byte> header = Journal::header_bytes(id);
  if (out.bytes.size() < header.size()) out.bytes.resize(header.size());
  unsigned wrong_bits = 0;
  for (std::size_t i = 0; i < header.size(); ++i) wrong_bits += std::popcount(std::to_integer<unsigned>(out.bytes[i] ^ header[i]));
  if (wrong_bits > 0) {
    std::copy(header.begin(), header.end(), out.bytes.begin());
    out.mended.emplace_back("its header");
  }
  std::uint64_t at = header.size();
  for (;;) {
    while (auto record = Journal::record_at(out.bytes, at, id)) at += record->total;
    if (at >= out.bytes.size()) break;
    std::uint64_t next = at + 8;
    while (next < out.bytes.size() && !Journal::record_at(out.bytes, next, id)) next += 8;
    next = std::min<std::uint64_t>(next, out.bytes.size());
    auto region = std::span(out.bytes).subspan(at, next - at);
    // An interrupted write never leaves all but one bit: a record that can be mended was there as a whole.
    const bool mended = region.size() <= kLongestSearch && mend_one_bit(region, budget, [&] {
      auto record = Journal::record_at(out.bytes, at, id);
      return record && (record->total == region.size() || next == out.bytes.size());
    });
    if (!mended) break;
    out.mended.push_back(fmt::format("the record at {}", at));
  }
  // The header was durable before there was a record: what overwrote it may have taken records with it.
  const bool is_overwritten = wrong_bits > 1 && (at < out.bytes.size() || at == header.size());
  const bool is_damage = is_overwritten || at < sealed_size || (at < out.bytes.size() && Journal::was_durable(out.bytes, at, id));
  if (!is_damage) return out;
  out.cut_from = at;
  out.cut_bytes = std::max<std::uint64_t>({sealed_size, bytes.size(), at}) - at;
  out.bytes.resize(at);
  return out;
}

std::optional<std::string> salvage_manifest(std::string_view bytes, SearchBudget& budget) {
  std::string text(bytes);
  auto good = [&] { return Manifest::decode(text).ok(); };
  if (good()) return text;
  if (!mend_one_bit(std::as_writable_bytes(std::span(text)), budget, good)) return std::nullopt;
  return text;
}

}  // namespace branchfs
