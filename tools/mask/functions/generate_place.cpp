#include "tools/mask/functions/person.h"
#include "tools/mask/functions/slice.h"

namespace branchfs::mask {
namespace {

bool french(const Call& call) { return call.words->locale == Locale::fr_FR; }

void put_pair(const Pairs& pairs, Draw& draw, Writer& out) { pairs.put(draw.below(pairs.size()), out); }

// City, street, state and code of one address agree about nothing but the seed.
Draw address_draw(const Call& call, std::uint64_t part) { return {call.seed, part, call.number}; }

void city(const Call& call, Writer& out) {
  Draw draw = address_draw(call, constant_hash("city"));
  put_pair(call.words->cities, draw, out);
}
void street(const Call& call, Writer& out) {
  Draw draw = address_draw(call, constant_hash("street"));
  put_pair(call.words->streets, draw, out);
}
void building_number(const Call& call, Writer& out) {
  out.put_number(1 + address_draw(call, constant_hash("building")).below(french(call) ? 250 : 9900));
}
void post_code(const Call& call, Writer& out) {
  out.put_number(1000 + address_draw(call, constant_hash("postcode")).below(french(call) ? 94'000 : 98'000),
                 5);
}
// Entries of two parts: "CA California".
std::string_view code_of(std::string_view entry) { return slice(entry, 0, 2); }
std::string_view name_of(std::string_view entry) { return slice(entry, 3); }

std::string_view pick(const List& list, Draw draw) { return list[draw.below(list.size())]; }

void country(const Call& call, Writer& out) {
  out.put(name_of(pick(call.words->countries, address_draw(call, constant_hash("country")))));
}
void country_code(const Call& call, Writer& out) {
  out.put(code_of(pick(call.words->countries, address_draw(call, constant_hash("country")))));
}
void state(const Call& call, Writer& out) {
  out.put(name_of(pick(call.words->states, address_draw(call, constant_hash("state")))));
}
void state_code(const Call& call, Writer& out) {
  out.put(code_of(pick(call.words->states, address_draw(call, constant_hash("state")))));
}
void city_prefix(const Call& call, Writer& out) { out.put(pick(call.words->cities.heads, call.draw())); }
void city_suffix(const Call& call, Writer& out) { out.put(pick(call.words->cities.tails, call.draw())); }
// "Street" stands last in English, "rue" first in French.
void street_suffix(const Call& call, Writer& out) {
  const Pairs& streets = call.words->streets;
  out.put(pick(french(call) ? streets.heads : streets.tails, call.draw()));
}

BRANCHFS_LIST(kUnits, ' ', "Apt. Suite Unit Floor Room Bldg.");
BRANCHFS_LIST(kUnitsFrench, ' ', "Appt. Bâtiment Escalier Étage Porte Résidence");
void unit(const Call& call, Writer& out) {
  out.put(pick(french(call) ? kUnitsFrench : kUnits, address_draw(call, constant_hash("unit"))));
}
void secondary_address(const Call& call, Writer& out) {
  unit(call, out);
  out.put(' ');
  out.put_number(1 + call.draw().below(999));
}

BRANCHFS_LIST(
    kTimeZones, ' ',
    R"(Africa/Abidjan Africa/Algiers Africa/Cairo Africa/Johannesburg Africa/Lagos Africa/Nairobi America/Anchorage
America/Argentina/Buenos_Aires America/Bogota America/Chicago America/Denver America/Halifax America/Lima
America/Los_Angeles America/Mexico_City America/New_York America/Phoenix America/Santiago America/Sao_Paulo
America/Toronto Asia/Bangkok Asia/Dhaka Asia/Dubai Asia/Hong_Kong Asia/Jakarta Asia/Karachi Asia/Kathmandu Asia/Kolkata
Asia/Manila Asia/Seoul Asia/Shanghai Asia/Singapore Asia/Tashkent Asia/Tehran Asia/Tokyo Atlantic/Azores
Atlantic/Reykjavik Australia/Adelaide Australia/Brisbane Australia/Perth Australia/Sydney Europe/Amsterdam Europe/Athens
Europe/Berlin Europe/Brussels Europe/Dublin Europe/Helsinki Europe/Istanbul Europe/Lisbon Europe/London Europe/Madrid
Europe/Moscow Europe/Paris Europe/Rome Europe/Stockholm Europe/Vienna Europe/Warsaw Europe/Zurich Pacific/Auckland
Pacific/Fiji Pacific/Honolulu)");
void timezone(const Call& call, Writer& out) { out.put(pick(kTimeZones, call.draw())); }

void degrees(const Call& call, std::uint32_t most, Writer& out) {
  Draw draw = call.draw();
  if (draw.below(2) == 0) out.put('-');
  out.put_number(draw.below(most));
  out.put('.');
  out.put_number(draw.below(1'000'000), 6);
}
void latitude(const Call& call, Writer& out) { degrees(call, 90, out); }
void longitude(const Call& call, Writer& out) { degrees(call, 180, out); }

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
    {"dummy_cell_number", cell_number, true, Uniqueness::lossy, 14,
     "a mobile number out of the ranges kept for fiction"},
    {"dummy_city_name", city, true, Uniqueness::extended, 40, "an invented city"},
    {"dummy_city_prefix", city_prefix, true, Uniqueness::lossy, 24, "how an invented city begins"},
    {"dummy_city_suffix", city_suffix, true, Uniqueness::lossy, 24, "how an invented city ends"},
    {"dummy_country_code", country_code, true, Uniqueness::lossy, 2, "a country's code of ISO 3166"},
    {"dummy_country_name", country, true, Uniqueness::lossy, 40, "a country"},
    {"dummy_latitude", latitude, true, Uniqueness::lossy, 10, "a latitude in degrees"},
    {"dummy_longitude", longitude, true, Uniqueness::lossy, 11, "a longitude in degrees"},
    {"dummy_phone_number", phone_number, true, Uniqueness::lossy, 14,
     "a phone number out of the ranges kept for fiction"},
    {"dummy_post_code", post_code, true, Uniqueness::lossy, 5, "a postal code"},
    {"dummy_secondary_address", secondary_address, true, Uniqueness::lossy, 16, "a flat, a floor, a suite"},
    {"dummy_secondary_address_type", unit, true, Uniqueness::lossy, 12, "Apt., Suite, Floor"},
    {"dummy_state_abbr", state_code, true, Uniqueness::lossy, 2, "the code of a state or département"},
    {"dummy_state_name", state, true, Uniqueness::lossy, 40, "a state or département"},
    {"dummy_street_name", street, true, Uniqueness::extended, 40, "an invented street"},
    {"dummy_street_suffix", street_suffix, true, Uniqueness::lossy, 16, "Street, Avenue; rue, allée"},
    {"dummy_timezone", timezone, true, Uniqueness::lossy, 32, "a time zone"},
    {"dummy_zip_code", post_code, true, Uniqueness::lossy, 5, "a postal code"},
    {"fake_address", address, false, Uniqueness::extended, 100, "number, street, city and postal code"},
    {"fake_city", city, false, Uniqueness::extended, 40, "an invented city"},
    {"fake_country", country, false, Uniqueness::lossy, 40, "a country"},
    {"fake_postcode", post_code, false, Uniqueness::lossy, 5, "a postal code"},
    {"random_zip", post_code, false, Uniqueness::lossy, 5, "a postal code"},
};

}  // namespace

std::span<const List> place_lists() {
  static constexpr List kLists[] = {kUnits, kUnitsFrench, kTimeZones};
  return kLists;
}

std::span<const Generator> place_generators() { return kTable; }

}  // namespace branchfs::mask
