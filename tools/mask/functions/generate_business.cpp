#include "tools/mask/functions/check_digits.h"
#include "tools/mask/functions/person.h"
#include "tools/mask/functions/slice.h"

namespace branchfs::mask {
namespace {

void company(const Call& call, Writer& out) {
  Draw draw(call.seed, name_hash("company"), call.number);
  call.words->companies.put(draw.below(call.words->companies.size()), out);
}

// French account of a bank that does not exist (99999), key and check digits right.
void iban(const Call& call, Writer& out) {
  Draw draw = call.draw();
  Writer account;
  account.put("99999");
  account.put_number(draw.below(100'000), 5);
  account.put_number(draw.below64(100'000'000'000), 11);
  const std::string_view all = account.view();
  account.put_number(static_cast<std::uint64_t>(rib_key(slice(all, 0, 5), slice(all, 5, 10), slice(all, 10, 21))), 2);
  out.put("FR");
  out.put_number(static_cast<std::uint64_t>(iban_check("FR", account.view())), 2);
  out.put(account.view());
}

// Nine digits of a company, five of an establishment; Luhn over the nine and over all.
void siret(const Call& call, Writer& out) {
  Draw draw = call.draw();
  out.put_number(10'000'000 + draw.below(90'000'000), 8);
  out.put_number(static_cast<std::uint64_t>(luhn_digit(out.view())));
  out.put_number(draw.below(10'000), 4);
  out.put_number(static_cast<std::uint64_t>(luhn_digit(out.view())));
}

constexpr Generator kTable[] = {
    {"dummy_company_name", company, true, Uniqueness::extended, 48, "an invented company"},
    {"fake_company", company, false, Uniqueness::extended, 48, "an invented company"},
    {"fake_iban", iban, false, Uniqueness::lossy, 27, "a French IBAN of no bank, check digits right"},
    {"fake_siret", siret, false, Uniqueness::lossy, 14, "a French SIRET, check digits right"},
};

}  // namespace

std::span<const Generator> business_generators() { return kTable; }

}  // namespace branchfs::mask
