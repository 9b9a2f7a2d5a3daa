// Check digits of the numbers that masks produce. `digits`: ASCII digits (and letters where the scheme has
// them), nothing else. Pure functions; any thread.
#pragma once

#include <string_view>

namespace branchfs::mask {

// The digit that makes digits + it pass Luhn (ISO/IEC 7812-1).
int luhn_digit(std::string_view digits);
// The number modulo 97, letters of either case standing for 10 to 35 (ISO 7064, MOD 97-10). `from`: what came
// before.
int mod97(std::string_view text, int from = 0);
// The two check digits of an IBAN as a number from 2 to 98.
int iban_check(std::string_view country, std::string_view account);
// '0' to '9', or 'X' for ISBN-10.
char isbn10_check(std::string_view nine);
char ean13_check(std::string_view twelve);
// Luhn over the digits that the letters of an ISIN expand to.
char isin_check(std::string_view eleven);
// The French key of a bank account (RIB), and of a social security number.
int rib_key(std::string_view bank5, std::string_view branch5, std::string_view account11);

}  // namespace branchfs::mask
