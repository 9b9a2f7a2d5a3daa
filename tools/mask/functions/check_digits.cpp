#include "tools/mask/functions/check_digits.h"

namespace branchfs::mask {
namespace {

int letter_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return (c | 0x20) - 'a' + 10;
}

}  // namespace

int luhn_digit(std::string_view digits) {
  int sum = 0;
  bool twice = true;
  for (std::size_t i = digits.size(); i-- > 0; twice = !twice) {
    const int digit = digits[i] - '0';
    sum += twice ? digit * 2 - (digit > 4 ? 9 : 0) : digit;
  }
  return (10 - sum % 10) % 10;
}

int mod97(std::string_view text, int from) {
  int rest = from;
  for (const char c : text) {
    const int value = letter_value(c);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest;
}

int iban_check(std::string_view country, std::string_view account) {
  return 98 - mod97("00", mod97(country, mod97(account)));
}

char isbn10_check(std::string_view nine) {
  int sum = 0;
  for (int i = 0; i < 9; ++i) sum += (10 - i) * (nine[static_cast<std::size_t>(i)] - '0');
  const int check = (11 - sum % 11) % 11;
  return check == 10 ? 'X' : static_cast<char>('0' + check);
}

char ean13_check(std::string_view twelve) {
  int sum = 0;
  for (std::size_t i = 0; i < 12; ++i) sum += (i % 2 == 0 ? 1 : 3) * (twelve[i] - '0');
  return static_cast<char>('0' + (10 - sum % 10) % 10);
}

char isin_check(std::string_view eleven) {
  char digits[22];
  std::size_t size = 0;
  for (const char c : eleven) {
    const int value = letter_value(c);
    if (value > 9) digits[size++] = static_cast<char>('0' + value / 10);
    digits[size++] = static_cast<char>('0' + value % 10);
  }
  return static_cast<char>('0' + luhn_digit({digits, size}));
}

int rib_key(std::string_view bank5, std::string_view branch5, std::string_view account11) {
  return 97 - mod97("00", mod97(account11, mod97(branch5, mod97(bank5))));
}

}  // namespace branchfs::mask
