#include "tools/mask/functions/check_digits.h"
#include "tools/mask/functions/person.h"

namespace branchfs::mask {
namespace {

// In the range 9999 of the major industry digit that is left to national standards: no card has it.
void credit_card_number(const Call& call, Writer& out) {
  Draw draw = call.draw();
  out.put("9999");
  out.put_number(draw.below64(100'000'000'000), 11);
  out.put_number(static_cast<std::uint64_t>(luhn_digit(out.view())));
}

constexpr Generator kTable[] = {
    {"dummy_credit_card_number", credit_card_number, true, Uniqueness::lossy, 16,
     "a card number of no issuer that passes Luhn"},
};

}  // namespace

std::span<const Generator> code_generators() { return kTable; }

}  // namespace branchfs::mask
