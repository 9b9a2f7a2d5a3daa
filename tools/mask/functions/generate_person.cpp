#include "tools/mask/functions/person.h"

namespace branchfs::mask {
namespace {

std::string_view pick(const List& list, Draw& draw) { return list[draw.below(list.size())]; }

// One person's numbers are first name, last name, title, suffix, in this order: who asks for one draws those
// before it.
Draw draw_of(const Call& call) { return {call.seed, constant_hash("person"), call.number}; }

void first_name(const Call& call, Writer& out) { out.put(person_of(call).first); }
void last_name(const Call& call, Writer& out) { out.put(person_of(call).last); }
void put_beyond_names(const Call& call, int skipped, const List& list, Writer& out) {
  Draw draw = draw_of(call);
  for (int i = 0; i < skipped; ++i) draw.next();
  out.put(pick(list, draw));
}
void title(const Call& call, Writer& out) { put_beyond_names(call, 2, call.words->titles, out); }
void suffix(const Call& call, Writer& out) { put_beyond_names(call, 3, call.words->name_suffixes, out); }

void name(const Call& call, Writer& out) {
  const Person person = person_of(call);
  out.put(person.first);
  out.put(' ');
  out.put(person.last);
}

void name_with_title(const Call& call, Writer& out) {
  title(call, out);
  out.put(' ');
  name(call, out);
}

// Of nobody: a department that does not exist, the check key right.
void health_insurance_code(const Call& call, Writer& out) {
  Draw draw = call.draw();
  out.put_number(1 + draw.below(2));
  out.put_number(draw.below(100), 2);
  out.put_number(1 + draw.below(12), 2);
  out.put_number(96 + draw.below(4), 2);
  out.put_number(draw.below(1'000'000), 6);
  std::uint64_t body = 0;
  for (const char c : out.view()) body = body * 10 + static_cast<std::uint64_t>(c - '0');
  out.put_number(97 - body % 97, 2);
}

// The letters I, O and U are not issued in France, so no car has it.
void licence_plate(const Call& call, Writer& out) {
  constexpr std::string_view kLetters = "ABCDEFGHJKLMNPQRSTVWXYZ";
  Draw draw = call.draw();
  const auto letter = [&] { out.put(kLetters[draw.below(kLetters.size())]); };
  letter();
  out.put("IOU"[draw.below(3)]);
  out.put('-');
  out.put_number(1 + draw.below(999), 3);
  out.put('-');
  letter();
  letter();
}

constexpr Generator kTable[] = {
    {"dummy_first_name", first_name, true, Uniqueness::extended, 24, "a first name"},
    {"dummy_health_insurance_code", health_insurance_code, false, Uniqueness::lossy, 15,
     "a French social security number with its key, in departments that do not exist"},
    {"dummy_last_name", last_name, true, Uniqueness::extended, 24, "a last name"},
    {"dummy_licence_plate", licence_plate, false, Uniqueness::lossy, 9,
     "a French licence plate with a letter that none has"},
    {"dummy_name", name, true, Uniqueness::extended, 49, "first and last name"},
    {"dummy_name_with_title", name_with_title, true, Uniqueness::extended, 64, "title, first and last name"},
    {"dummy_suffix", suffix, true, Uniqueness::extended, 12, "what follows a name: Jr., PhD"},
    {"dummy_title", title, true, Uniqueness::extended, 14, "a form of address: Mr., Dr."},
    {"fake_first_name", first_name, false, Uniqueness::extended, 24, "a first name"},
    {"fake_last_name", last_name, false, Uniqueness::extended, 24, "a last name"},
};

}  // namespace

Person person_of(const Call& call) {
  Draw draw = draw_of(call);
  Person person;
  person.first = pick(call.words->first_names, draw);
  person.last = pick(call.words->last_names, draw);
  return person;
}

void put_token(const Call& call, Writer& out) {
  const auto shown = token(call.seed, call.number);
  out.put({shown.data(), shown.size()});
}

void put_account(const Call& call, Writer& out) {
  const Person person = person_of(call);
  put_folded(person.first, out);
  out.put('.');
  put_folded(person.last, out);
  out.put('.');
  put_token(call, out);
}

std::span<const Generator> person_generators() { return kTable; }

}  // namespace branchfs::mask
