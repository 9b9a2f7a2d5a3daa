#include "tools/mask/proof/findings.h"

#include <algorithm>
#include <tuple>

namespace branchfs::mask {

const char* to_string(Place place) {
  switch (place) {
    case Place::content: return "content";
    case Place::name: return "name";
    case Place::symlink: return "symlink";
    case Place::compressed: return "compressed";
    case Place::toast: return "toast";
    case Place::wal: return "wal";
  }
  return "";
}

void Findings::scan_value(std::span<const std::byte> bytes, const std::string& path, std::uint64_t offset, Place place) {
  witnesses_.scan(bytes, [&](const WitnessSet::Hit& hit) {
    add(hit, path, offset, place);
    return !stopped();
  });
}

void Findings::add(const WitnessSet::Hit& hit, const std::string& path, std::uint64_t offset, Place place) {
  std::lock_guard lock(mutex_);
  if (hits_.size() < options_.hit_limit) {
    hits_.push_back({path, offset, place, witnesses_.column_name(hit.column), hit.encoding});
  }
  if (hits_.size() >= options_.hit_limit) stopped_ = true;
}

void Findings::count_bytes(std::uint64_t bytes) {
  std::lock_guard lock(mutex_);
  bytes_ += bytes;
  if (options_.progress) options_.progress(bytes_);
  if (!options_.cancelled || error_ || !options_.cancelled()) return;
  error_ = Error{Kind::failed, ECANCELED, "scan the branch for originals: stopped", {}};
  stopped_ = true;
}

void Findings::fail(Error error) {
  std::lock_guard lock(mutex_);
  if (!error_) error_ = std::move(error);
  stopped_ = true;
}

Result<ScanResult> Findings::take(std::uint64_t files) {
  if (error_) return *std::move(error_);
  std::sort(hits_.begin(), hits_.end(), [](const ScanHit& a, const ScanHit& b) {
    return std::tie(a.path, a.offset, a.place, a.column, a.encoding) < std::tie(b.path, b.offset, b.place, b.column, b.encoding);
  });
  ScanResult result;
  result.files = files;
  result.bytes = bytes_;
  result.bytes_read = bytes_read_;
  result.compressed_values = compressed_;
  result.hits = std::move(hits_);
  return result;
}

}  // namespace branchfs::mask
