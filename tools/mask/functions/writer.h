// Where a generated value is written: a text of bounded length, on the stack. What does not fit is cut off;
// the tests hold every function to the length its catalog entry promises, which is below the capacity.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace branchfs::mask {

class Writer {
 public:
  static constexpr std::size_t kCapacity = 256;

  void put(std::string_view text) {
    const std::size_t size = text.size() < kCapacity - size_ ? text.size() : kCapacity - size_;
    if (size > 0) std::memcpy(data_ + size_, text.data(), size);
    size_ += size;
  }
  void put(char c) {
    if (size_ < kCapacity) data_[size_++] = c;
  }
  // Decimal, with leading zeros up to `width`.
  void put_number(std::uint64_t number, int width = 1) {
    char digits[20];
    std::size_t at = sizeof digits;
    for (; number > 0 || width > 0; number /= 10, --width)
      digits[--at] = static_cast<char>('0' + number % 10);
    put({digits + at, sizeof digits - at});
  }
  void put_hex(std::uint64_t number, int width) {
    for (int shift = (width - 1) * 4; shift >= 0; shift -= 4) put("0123456789abcdef"[number >> shift & 15]);
  }
  void clear() { size_ = 0; }
  void cut(std::size_t size) { size_ = size; }
  [[nodiscard]] std::string_view view() const { return {data_, size_}; }
  [[nodiscard]] char* data() { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  char data_[kCapacity];
  std::size_t size_ = 0;
};

// Lower case ASCII letters of the text, accents dropped, everything else left out: for e-mail addresses and
// user names.
void put_folded(std::string_view text, Writer& out);
// The text in ASCII: accents dropped, what has no base letter left out. Case and punctuation stay.
void put_ascii(std::string_view text, Writer& out);

}  // namespace branchfs::mask
