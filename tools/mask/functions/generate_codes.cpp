#include <initializer_list>

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

void isbn10(const Call& call, Writer& out) {
  out.put_number(call.draw().below64(1'000'000'000), 9);
  out.put(isbn10_check(out.view()));
}
void isbn13(const Call& call, Writer& out) {
  out.put("978");
  out.put_number(call.draw().below64(1'000'000'000), 9);
  out.put(ean13_check(out.view()));
}

void put_list(Writer& out, std::initializer_list<std::uint32_t> numbers, std::string_view unit) {
  bool first = true;
  for (const std::uint32_t number : numbers) {
    if (!first) out.put(", ");
    out.put_number(number);
    if (!first) out.put(unit);
    first = false;
  }
}
void put_alpha(Draw& draw, Writer& out) {
  out.put(", 0.");
  out.put_number(draw.below(100), 2);
}
void colour(const Call& call, Writer& out) {
  const List& list = call.words->colours;
  out.put(list[call.draw().below(list.size())]);
}
void hex_colour(const Call& call, Writer& out) {
  out.put('#');
  out.put_hex(call.draw().next() >> 40, 6);
}
void rgb(const Call& call, bool alpha, Writer& out) {
  Draw draw = call.draw();
  out.put(alpha ? "rgba(" : "rgb(");
  const std::uint32_t red = draw.below(256), green = draw.below(256), blue = draw.below(256);
  put_list(out, {red, green, blue}, "");
  if (alpha) put_alpha(draw, out);
  out.put(')');
}
void hsl(const Call& call, bool alpha, Writer& out) {
  Draw draw = call.draw();
  out.put(alpha ? "hsla(" : "hsl(");
  const std::uint32_t hue = draw.below(360), saturation = draw.below(101), lightness = draw.below(101);
  put_list(out, {hue, saturation, lightness}, "%");
  if (alpha) put_alpha(draw, out);
  out.put(')');
}
void rgb_colour(const Call& call, Writer& out) { rgb(call, false, out); }
void rgba_colour(const Call& call, Writer& out) { rgb(call, true, out); }
void hsl_colour(const Call& call, Writer& out) { hsl(call, false, out); }
void hsla_colour(const Call& call, Writer& out) { hsl(call, true, out); }

constexpr Generator kTable[] = {
    {"dummy_color", colour, true, Uniqueness::lossy, 16, "the name of a colour"},
    {"dummy_credit_card_number", credit_card_number, true, Uniqueness::lossy, 16,
     "a card number of no issuer that passes Luhn"},
    {"dummy_hex_color", hex_colour, true, Uniqueness::lossy, 7, "a colour: #a1b2c3"},
    {"dummy_hsl_color", hsl_colour, true, Uniqueness::lossy, 20, "a colour by hue, saturation and lightness"},
    {"dummy_hsla_color", hsla_colour, true, Uniqueness::lossy, 27, "the same with its opacity"},
    {"dummy_isbn", isbn10, true, Uniqueness::lossy, 10, "an ISBN of ten digits, check digit right"},
    {"dummy_isbn13", isbn13, true, Uniqueness::lossy, 13, "an ISBN of thirteen digits, check digit right"},
    {"dummy_rgb_color", rgb_colour, true, Uniqueness::lossy, 18, "a colour by red, green and blue"},
    {"dummy_rgba_color", rgba_colour, true, Uniqueness::lossy, 25, "the same with its opacity"},
};

}  // namespace

std::span<const Generator> code_generators() { return kTable; }

}  // namespace branchfs::mask
