#include "tools/mask/functions/check_digits.h"
#include "tools/mask/functions/person.h"
#include "tools/mask/functions/slice.h"

namespace branchfs::mask {
namespace {

void company(const Call& call, Writer& out) {
  Draw draw(call.seed, constant_hash("company"), call.number);
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
  account.put_number(
      static_cast<std::uint64_t>(rib_key(slice(all, 0, 5), slice(all, 5, 10), slice(all, 10, 21))), 2);
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

std::string_view pick(const List& list, Draw& draw) { return list[draw.below(list.size())]; }
std::string_view pick(const List& list, Draw&& draw) { return pick(list, draw); }

void company_suffix(const Call& call, Writer& out) {
  out.put(pick(call.words->company_suffixes, call.draw()));
}
void profession(const Call& call, Writer& out) { out.put(pick(call.words->professions, call.draw())); }
void industry(const Call& call, Writer& out) { out.put(pick(call.words->industries, call.draw())); }
void buzzword(const Call& call, Writer& out) { out.put(pick(call.words->buzz_heads, call.draw())); }
void buzzword_middle(const Call& call, Writer& out) { out.put(pick(call.words->buzz_middles, call.draw())); }
void buzzword_tail(const Call& call, Writer& out) { out.put(pick(call.words->buzz_tails, call.draw())); }

// "Scalable real-time database"; French puts the noun first.
void catchphrase(const Call& call, Writer& out) {
  Draw draw = call.draw();
  const Dictionary& words = *call.words;
  const std::string_view head = pick(words.buzz_heads, draw), middle = pick(words.buzz_middles, draw);
  const std::string_view tail = pick(words.buzz_tails, draw);
  const bool french = words.locale == Locale::fr_FR;
  for (const std::string_view part : {french ? tail : head, middle, french ? head : tail}) {
    if (out.size() > 0) out.put(' ');
    out.put(part);
  }
}

BRANCHFS_LIST(
    kVerbs, ' ',
    R"(accelerate aggregate architect automate benchmark brand build consolidate coordinate cultivate deliver deploy develop
disrupt embrace empower enable engage engineer enhance evolve expand explore extend facilitate generate grow harness
implement improve innovate integrate iterate launch leverage maximize measure monetize optimize orchestrate redefine reinvent
repurpose revolutionize scale simplify streamline strengthen synthesize target transform unleash visualize)");
BRANCHFS_LIST(
    kAdjectives, ' ',
    R"(agile autonomous best-of-breed bleeding-edge clicks-first collaborative compelling connected convenient cross-media
customer-facing cutting-edge distributed dynamic efficient enterprise extensible frictionless front-end global granular
holistic immersive impactful innovative interactive intuitive lean magnetic mission-critical modern next-generation one-stop
open-source proactive real-time robust scalable seamless smart sticky strategic sustainable synergistic transparent turnkey
ubiquitous user-centred value-added vertical viral visionary wireless world-class)");
BRANCHFS_LIST(
    kNouns, ' ',
    R"(alignments applications architectures bandwidth channels communities content convergence deliverables ecosystems
eyeballs experiences functionalities infrastructures initiatives interfaces journeys markets methodologies metrics mindshare
models networks niches outcomes paradigms partnerships platforms portals processes relationships roadmaps schemas segments
services solutions stakeholders supply-chains synergies systems technologies touchpoints users verticals workflows)");
void bs_verb(const Call& call, Writer& out) { out.put(pick(kVerbs, call.draw())); }
void bs_adjective(const Call& call, Writer& out) { out.put(pick(kAdjectives, call.draw())); }
void bs_noun(const Call& call, Writer& out) { out.put(pick(kNouns, call.draw())); }
void bs(const Call& call, Writer& out) {
  Draw draw = call.draw();
  out.put(pick(kVerbs, draw));
  out.put(' ');
  out.put(pick(kAdjectives, draw));
  out.put(' ');
  out.put(pick(kNouns, draw));
}

// Code, name and symbol of one currency go together.
BRANCHFS_LIST(
    kCurrencies, ';',
    R"(AED UAE Dirham/د.إ;ARS Argentine Peso/$;AUD Australian Dollar/$;BGN Bulgarian Lev/лв;BRL Brazilian Real/R$
CAD Canadian Dollar/$;CHF Swiss Franc/CHF;CLP Chilean Peso/$;CNY Yuan Renminbi/¥;COP Colombian Peso/$;CZK Czech Koruna/Kč
DKK Danish Krone/kr;DZD Algerian Dinar/DA;EGP Egyptian Pound/£;EUR Euro/€;GBP Pound Sterling/£;HKD Hong Kong Dollar/$
HUF Forint/Ft;IDR Rupiah/Rp;ILS New Israeli Shekel/₪;INR Indian Rupee/₹;ISK Iceland Krona/kr;JPY Yen/¥;KES Kenyan Shilling/KSh
KRW Won/₩;MAD Moroccan Dirham/DH;MXN Mexican Peso/$;MYR Malaysian Ringgit/RM;NGN Naira/₦;NOK Norwegian Krone/kr
NZD New Zealand Dollar/$;PEN Sol/S/;PHP Philippine Peso/₱;PKR Pakistan Rupee/₨;PLN Zloty/zł;QAR Qatari Rial/QR
RON Romanian Leu/lei;RSD Serbian Dinar/din.;SAR Saudi Riyal/SR;SEK Swedish Krona/kr;SGD Singapore Dollar/$;THB Baht/฿
TND Tunisian Dinar/DT;TRY Turkish Lira/₺;TWD New Taiwan Dollar/NT$;UAH Hryvnia/₴;USD US Dollar/$;UYU Peso Uruguayo/$
VND Dong/₫;XOF CFA Franc BCEAO/CFA;ZAR Rand/R)");
std::string_view currency(const Call& call) {
  return pick(kCurrencies, Draw(call.seed, constant_hash("currency"), call.number));
}
std::size_t slash(std::string_view entry) { return entry.find('/'); }
void currency_code(const Call& call, Writer& out) { out.put(slice(currency(call), 0, 3)); }
void currency_name(const Call& call, Writer& out) {
  const std::string_view entry = currency(call);
  out.put(slice(entry, 4, slash(entry)));
}
void currency_symbol(const Call& call, Writer& out) {
  const std::string_view entry = currency(call);
  out.put(slice(entry, slash(entry) + 1));
}

// A test code: the 0 at its end says that no bank answers to it.
void bic(const Call& call, Writer& out) {
  Draw draw = call.draw();
  for (int i = 0; i < 4; ++i) out.put(static_cast<char>('A' + draw.below(26)));
  out.put(slice(pick(call.words->countries, draw), 0, 2));
  out.put(static_cast<char>('A' + draw.below(26)));
  out.put('0');
}

// ZZ is no country: no security has it.
void isin(const Call& call, Writer& out) {
  constexpr std::string_view kCharacters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  Draw draw = call.draw();
  out.put("ZZ");
  for (int i = 0; i < 9; ++i) out.put(kCharacters[draw.below(36)]);
  out.put(isin_check(out.view()));
}

constexpr Generator kTable[] = {
    {"dummy_bic", bic, true, Uniqueness::lossy, 8, "a bank's BIC, marked as a test code"},
    {"dummy_bs", bs, true, Uniqueness::extended, 64, "a phrase of a sales talk"},
    {"dummy_bs_adj", bs_adjective, true, Uniqueness::lossy, 20, "an adjective of a sales talk"},
    {"dummy_bs_noun", bs_noun, true, Uniqueness::lossy, 20, "a noun of a sales talk"},
    {"dummy_bs_verb", bs_verb, true, Uniqueness::lossy, 20, "a verb of a sales talk"},
    {"dummy_buzzword", buzzword, true, Uniqueness::lossy, 20, "a fashionable adjective"},
    {"dummy_buzzword_middle", buzzword_middle, true, Uniqueness::lossy, 32, "a fashionable attribute"},
    {"dummy_buzzword_tail", buzzword_tail, true, Uniqueness::lossy, 24, "a fashionable noun"},
    {"dummy_catchphrase", catchphrase, true, Uniqueness::extended, 80, "three fashionable words"},
    {"dummy_company_suffix", company_suffix, true, Uniqueness::lossy, 16, "Inc., Ltd.; SARL"},
    {"dummy_currency_code", currency_code, true, Uniqueness::lossy, 3, "a currency's code of ISO 4217"},
    {"dummy_currency_name", currency_name, true, Uniqueness::lossy, 24, "a currency"},
    {"dummy_currency_symbol", currency_symbol, true, Uniqueness::lossy, 8, "a currency's symbol"},
    {"dummy_industry", industry, true, Uniqueness::lossy, 32, "an industry"},
    {"dummy_isin", isin, true, Uniqueness::lossy, 12, "an ISIN of no country, check digit right"},
    {"dummy_profession", profession, true, Uniqueness::lossy, 32, "a profession"},
    {"dummy_company_name", company, true, Uniqueness::extended, 48, "an invented company"},
    {"fake_company", company, false, Uniqueness::extended, 48, "an invented company"},
    {"fake_iban", iban, false, Uniqueness::lossy, 27, "a French IBAN of no bank, check digits right"},
    {"fake_siret", siret, false, Uniqueness::lossy, 14, "a French SIRET, check digits right"},
};

}  // namespace

std::span<const List> business_lists() {
  static constexpr List kLists[] = {kVerbs, kAdjectives, kNouns, kCurrencies};
  return kLists;
}

std::span<const Generator> business_generators() { return kTable; }

}  // namespace branchfs::mask
