#include "tools/mask/functions/person.h"

namespace branchfs::mask {
namespace {

bool french(const Call& call) { return call.words->locale == Locale::fr_FR; }

void put_pair(const Pairs& pairs, Draw& draw, Writer& out) { pairs.put(draw.below(pairs.size()), out); }

// City, street, state and code of one address agree about nothing but the seed.
Draw address_draw(const Call& call, std::string_view part) {
  return {call.seed, name_hash(part), call.number};
}

void city(const Call& call, Writer& out) {
  Draw draw = address_draw(call, "city");
  put_pair(call.words->cities, draw, out);
}
void street(const Call& call, Writer& out) {
  Draw draw = address_draw(call, "street");
  put_pair(call.words->streets, draw, out);
}
void building_number(const Call& call, Writer& out) {
  out.put_number(1 + address_draw(call, "building").below(french(call) ? 250 : 9900));
}
void post_code(const Call& call, Writer& out) {
  out.put_number(1000 + address_draw(call, "postcode").below(french(call) ? 94'000 : 98'000), 5);
}
void country(const Call& call, Writer& out) {
  const List& list = call.words->countries;
  out.put(list[call.draw().below(list.size())]);
}

void address(const Call& call, Writer& out) {
  building_number(call, out);
  out.put(' ');
  street(call, out);
  out.put(", ");
  if (french(call)) {
    post_code(call, out);
    out.put(' ');
    city(call, out);
    return;
  }
  city(call, out);
  out.put(' ');
  post_code(call, out);
}

// 555-0100 to 555-0199 is kept for fiction in North America, 01 99 00 and 06 39 98 in France.
void phone(const Call& call, bool mobile, Writer& out) {
  Draw draw = call.draw();
  if (french(call)) {
    out.put(mobile ? "06 39 98 " : "01 99 00 ");
    out.put_number(draw.below(100), 2);
    out.put(' ');
    out.put_number(draw.below(100), 2);
    return;
  }
  std::uint32_t area = 201 + draw.below(789);
  if (area % 100 == 11) ++area;
  out.put('(');
  out.put_number(area, 3);
  out.put(") 555-01");
  out.put_number(draw.below(100), 2);
}
void phone_number(const Call& call, Writer& out) { phone(call, false, out); }
void cell_number(const Call& call, Writer& out) { phone(call, true, out); }

constexpr Generator kTable[] = {
    {"dummy_building_number", building_number, true, Uniqueness::extended, 4, "the number of a house"},
    {"dummy_cell_number", cell_number, true, Uniqueness::lossy, 14, "a mobile number out of the ranges kept for fiction"},
    {"dummy_city_name", city, true, Uniqueness::extended, 40, "an invented city"},
    {"dummy_country_name", country, true, Uniqueness::lossy, 40, "a country"},
    {"dummy_phone_number", phone_number, true, Uniqueness::lossy, 14, "a phone number out of the ranges kept for fiction"},
    {"dummy_post_code", post_code, true, Uniqueness::lossy, 5, "a postal code"},
    {"dummy_street_name", street, true, Uniqueness::extended, 40, "an invented street"},
    {"dummy_zip_code", post_code, true, Uniqueness::lossy, 5, "a postal code"},
    {"fake_address", address, false, Uniqueness::extended, 100, "number, street, city and postal code"},
    {"fake_city", city, false, Uniqueness::extended, 40, "an invented city"},
    {"fake_country", country, false, Uniqueness::lossy, 40, "a country"},
    {"fake_postcode", post_code, false, Uniqueness::lossy, 5, "a postal code"},
};

}  // namespace

std::span<const Generator> place_generators() { return kTable; }

}  // namespace branchfs::mask
