// Names and values that look like personal data.
#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "tools/mask/plan/detect.h"

namespace branchfs::mask {
namespace {

struct Word {
  std::string_view words;  // consecutive words of a name
  Pii kind;
};
// The longest match wins: "ip address" before "address", "company name" before "name".
constexpr std::array kWords{
    Word{"email", Pii::email},
    Word{"e mail", Pii::email},
    Word{"mail", Pii::email},
    Word{"courriel", Pii::email},
    Word{"email address", Pii::email},
    Word{"mail address", Pii::email},
    Word{"adresse mail", Pii::email},
    Word{"adresse email", Pii::email},
    Word{"phone", Pii::phone},
    Word{"telephone", Pii::phone},
    Word{"tel", Pii::phone},
    Word{"mobile", Pii::phone},
    Word{"cell", Pii::phone},
    Word{"cellphone", Pii::phone},
    Word{"fax", Pii::phone},
    Word{"msisdn", Pii::phone},
    Word{"portable", Pii::phone},
    Word{"phone number", Pii::phone},
    Word{"first name", Pii::first_name},
    Word{"firstname", Pii::first_name},
    Word{"given name", Pii::first_name},
    Word{"middle name", Pii::first_name},
    Word{"forename", Pii::first_name},
    Word{"prenom", Pii::first_name},
    Word{"last name", Pii::last_name},
    Word{"lastname", Pii::last_name},
    Word{"surname", Pii::last_name},
    Word{"family name", Pii::last_name},
    Word{"maiden name", Pii::last_name},
    Word{"nom famille", Pii::last_name},
    Word{"nom de famille", Pii::last_name},
    Word{"nom naissance", Pii::last_name},
    Word{"full name", Pii::full_name},
    Word{"fullname", Pii::full_name},
    Word{"customer name", Pii::full_name},
    Word{"contact name", Pii::full_name},
    Word{"display name", Pii::full_name},
    Word{"holder name", Pii::full_name},
    Word{"cardholder", Pii::full_name},
    Word{"recipient", Pii::full_name},
    Word{"destinataire", Pii::full_name},
    Word{"nom complet", Pii::full_name},
    Word{"account holder", Pii::full_name},
    Word{"titulaire", Pii::full_name},
    Word{"username", Pii::user_name},
    Word{"user name", Pii::user_name},
    Word{"login", Pii::user_name},
    Word{"nickname", Pii::user_name},
    Word{"pseudo", Pii::user_name},
    Word{"identifiant", Pii::user_name},
    Word{"address", Pii::address},
    Word{"addr", Pii::address},
    Word{"adresse", Pii::address},
    Word{"street", Pii::address},
    Word{"rue", Pii::address},
    Word{"address line", Pii::address},
    Word{"line1", Pii::address},
    Word{"line2", Pii::address},
    Word{"city", Pii::city},
    Word{"town", Pii::city},
    Word{"ville", Pii::city},
    Word{"commune", Pii::city},
    Word{"zip", Pii::postcode},
    Word{"zipcode", Pii::postcode},
    Word{"zip code", Pii::postcode},
    Word{"postcode", Pii::postcode},
    Word{"postal code", Pii::postcode},
    Word{"code postal", Pii::postcode},
    Word{"post code", Pii::postcode},
    Word{"company name", Pii::company},
    Word{"employer", Pii::company},
    Word{"raison sociale", Pii::company},
    Word{"iban", Pii::iban},
    Word{"card number", Pii::card},
    Word{"credit card", Pii::card},
    Word{"cc number", Pii::card},
    Word{"pan", Pii::card},
    Word{"carte bancaire", Pii::card},
    Word{"numero carte", Pii::card},
    Word{"ssn", Pii::national_id},
    Word{"social security", Pii::national_id},
    Word{"nir", Pii::national_id},
    Word{"securite sociale", Pii::national_id},
    Word{"num secu", Pii::national_id},
    Word{"passport", Pii::national_id},
    Word{"passeport", Pii::national_id},
    Word{"tax id", Pii::national_id},
    Word{"national id", Pii::national_id},
    Word{"vat number", Pii::national_id},
    Word{"siret", Pii::national_id},
    Word{"siren", Pii::national_id},
    Word{"licence number", Pii::national_id},
    Word{"license number", Pii::national_id},
    Word{"account number", Pii::national_id},
    Word{"birth", Pii::birth},
    Word{"birthday", Pii::birth},
    Word{"birthdate", Pii::birth},
    Word{"dob", Pii::birth},
    Word{"naissance", Pii::birth},
    Word{"date of birth", Pii::birth},
    Word{"birth date", Pii::birth},
    Word{"date naissance", Pii::birth},
    Word{"born", Pii::birth},
    Word{"ip", Pii::ip},
    Word{"ip address", Pii::ip},
    Word{"ip addr", Pii::ip},
    Word{"adresse ip", Pii::ip},
    Word{"ipv4", Pii::ip},
    Word{"ipv6", Pii::ip},
    Word{"remote addr", Pii::ip},
    Word{"password", Pii::secret},
    Word{"passwd", Pii::secret},
    Word{"pwd", Pii::secret},
    Word{"mot de passe", Pii::secret},
    Word{"mdp", Pii::secret},
    Word{"token", Pii::secret},
    Word{"secret", Pii::secret},
    Word{"api key", Pii::secret},
    Word{"apikey", Pii::secret},
    Word{"private key", Pii::secret},
    Word{"access key", Pii::secret},
    Word{"pin", Pii::secret},
    Word{"otp", Pii::secret},
    Word{"cvv", Pii::secret},
    Word{"cvc", Pii::secret},
    Word{"passphrase", Pii::secret},
    Word{"salt", Pii::secret},
    Word{"note", Pii::free_text},
    Word{"notes", Pii::free_text},
    Word{"comment", Pii::free_text},
    Word{"comments", Pii::free_text},
    Word{"commentaire", Pii::free_text},
    Word{"commentaires", Pii::free_text},
    Word{"remark", Pii::free_text},
    Word{"remarks", Pii::free_text},
    Word{"remarque", Pii::free_text},
    Word{"message", Pii::free_text},
    Word{"body", Pii::free_text},
    Word{"bio", Pii::free_text},
    Word{"biography", Pii::free_text},
    Word{"memo", Pii::free_text},
    Word{"feedback", Pii::free_text},
    Word{"observation", Pii::free_text},
    Word{"observations", Pii::free_text},
    Word{"photo", Pii::binary},
    Word{"picture", Pii::binary},
    Word{"avatar", Pii::binary},
    Word{"signature", Pii::binary},
    Word{"scan", Pii::binary},
};
// Last words that turn a name into something about the thing, not the thing.
constexpr std::array<std::string_view, 21> kAbout{
    "type",   "status", "count",  "verified", "format",    "template", "enabled",
    "kind",   "at",     "id",     "valid",    "confirmed", "optin",    "length",
    "domain", "lang",   "locale", "expires",  "expiry",    "attempts", "provider"};
constexpr std::array<std::string_view, 22> kPeople{
    "user",    "users",   "customer",    "customers",    "client",    "clients", "person",   "people",
    "persons", "contact", "contacts",    "employee",     "employees", "patient", "patients", "member",
    "members", "staff",   "utilisateur", "utilisateurs", "salarie",   "adherent"};

// "prénomClient2" → "prenom client": lower case, without accents and digits at the ends of words.
std::string words_of(const std::string& name) {
  std::string out;
  bool lower_before = false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const auto c = static_cast<unsigned char>(name[i]);
    if (c == 0xC3 && i + 1 < name.size()) {
      const auto next = static_cast<unsigned char>(static_cast<unsigned char>(name[++i]) | 0x20U);
      out += next >= 0xA8 && next <= 0xAB   ? 'e'
             : next >= 0xA0 && next <= 0xA5 ? 'a'
             : next == 0xA7                 ? 'c'
             : next >= 0xAC && next <= 0xAF ? 'i'
             : next >= 0xB2 && next <= 0xB6 ? 'o'
             : next >= 0xB9 && next <= 0xBC ? 'u'
                                            : 'x';
      lower_before = true;
    } else if (std::isalpha(c) != 0) {
      if (std::isupper(c) != 0 && lower_before) out += ' ';
      out += static_cast<char>(std::tolower(c));
      lower_before = std::islower(c) != 0;
    } else if (std::isdigit(c) != 0 && !out.empty() && out.back() != ' ') {
      out += static_cast<char>(c);
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
      lower_before = false;
    }
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}
bool has_words(const std::string& text, std::string_view words) {
  for (std::size_t at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) {
    const std::size_t end = at + words.size();
    const bool digits_follow = end < text.size() && std::isdigit(static_cast<unsigned char>(text[end])) != 0;
    if ((at == 0 || text[at - 1] == ' ') && (end == text.size() || text[end] == ' ' || digits_follow))
      return true;
  }
  return false;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }

bool looks_like_email(std::string_view v) {
  const std::size_t at = v.find('@');
  if (at == std::string_view::npos || at == 0 || v.find('@', at + 1) != std::string_view::npos) return false;
  const std::size_t dot = v.rfind('.');
  return dot != std::string_view::npos && dot > at + 1 && dot + 2 < v.size() &&
         v.find_first_of(" \t\n<>()/") == std::string_view::npos;
}
bool holds_email(std::string_view v) {
  const std::size_t at = v.find('@');
  if (at == std::string_view::npos) return false;
  const std::size_t first = v.find_last_of(" \t\n<(,;:\"'", at);
  const std::size_t end = std::min(v.find_first_of(" \t\n>),;\"'", at), v.size());
  const std::size_t begin = first == std::string_view::npos ? 0 : first + 1;
  std::string_view word = v.substr(begin, end - begin);
  while (!word.empty() && (word.back() == '.' || word.back() == '!' || word.back() == '?'))
    word.remove_suffix(1);
  return looks_like_email(word);
}
std::string digits_of(std::string_view v) {
  std::string digits;
  std::copy_if(v.begin(), v.end(), std::back_inserter(digits), is_digit);
  return digits;
}
bool looks_like_phone(std::string_view v) {
  const std::string digits = digits_of(v);
  if (digits.size() < 8 || digits.size() > 15 ||
      v.find_first_not_of("0123456789+-. ()/") != std::string_view::npos)
    return false;
  // 2024-01-31 and 10.0.0.1 have separators too.
  const bool date = v.size() >= 10 && is_digit(v[0]) && is_digit(v[3]) && (v[4] == '-' || v[4] == '/');
  in_addr address{};
  if (date || inet_pton(AF_INET, std::string(v).c_str(), &address) == 1) return false;
  if (v.front() == '+' || v.front() == '(' || v.starts_with("00")) return true;
  const bool separated = v.find_first_of("-. ()/") != std::string_view::npos;
  return separated ? digits.size() >= 9 && digits.size() <= 11 : v.front() == '0' && digits.size() == 10;
}
bool looks_like_card(std::string_view v) {
  if (v.find_first_not_of("0123456789- ") != std::string_view::npos) return false;
  const std::string digits = digits_of(v);
  if (digits.size() < 13 || digits.size() > 19 || digits.front() == '0') return false;
  int sum = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    int d = digits[digits.size() - 1 - i] - '0';
    if (i % 2 == 1) d = d * 2 > 9 ? d * 2 - 9 : d * 2;
    sum += d;
  }
  return sum % 10 == 0;
}
bool looks_like_iban(std::string_view v) {
  std::string compact;
  for (char c : v) {
    if (c != ' ') compact += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  if (compact.size() < 15 || compact.size() > 34 || !is_letter(compact[0]) || !is_letter(compact[1]) ||
      !is_digit(compact[2]))
    return false;
  std::rotate(compact.begin(), compact.begin() + 4, compact.end());
  unsigned rest = 0;
  for (char c : compact) {
    if (!is_digit(c) && !is_letter(c)) return false;
    const unsigned value = is_digit(c) ? static_cast<unsigned>(c - '0') : static_cast<unsigned>(c - 'A' + 10);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest == 1;
}
bool looks_like_ip(std::string_view v) {
  std::string text(v.substr(0, v.find('/')));
  in_addr four{};
  in6_addr six{};
  return inet_pton(AF_INET, text.c_str(), &four) == 1 ||
         (text.find(':') != std::string::npos && inet_pton(AF_INET6, text.c_str(), &six) == 1);
}

}  // namespace

const char* to_string(Pii kind) {
  switch (kind) {
    case Pii::none:
      return "nothing";
    case Pii::email:
      return "e-mail address";
    case Pii::phone:
      return "phone number";
    case Pii::first_name:
      return "first name";
    case Pii::last_name:
      return "last name";
    case Pii::full_name:
      return "name of a person";
    case Pii::user_name:
      return "user name";
    case Pii::address:
      return "address";
    case Pii::city:
      return "city";
    case Pii::postcode:
      return "postal code";
    case Pii::company:
      return "company";
    case Pii::iban:
      return "IBAN";
    case Pii::card:
      return "card number";
    case Pii::national_id:
      return "official number";
    case Pii::birth:
      return "date of birth";
    case Pii::ip:
      return "IP address";
    case Pii::secret:
      return "secret";
    case Pii::free_text:
      return "free text";
    case Pii::binary:
      return "picture";
  }
  return "nothing";
}

Pii kind_of_name(const std::string& table, const std::string& column) {
  const std::string words = words_of(column);
  const std::string last = words.substr(words.rfind(' ') == std::string::npos ? 0 : words.rfind(' ') + 1);
  if (last != words && std::find(kAbout.begin(), kAbout.end(), last) != kAbout.end()) return Pii::none;
  const Word* best = nullptr;
  for (const Word& word : kWords) {
    if (has_words(words, word.words) && (best == nullptr || word.words.size() > best->words.size()))
      best = &word;
  }
  if (best != nullptr) return best->kind;
  const std::string about = words_of(table);
  const bool people =
      std::any_of(kPeople.begin(), kPeople.end(), [&](std::string_view p) { return has_words(about, p); });
  if (people && words == "name") return Pii::full_name;
  if (people && words == "nom") return Pii::last_name;
  return Pii::none;
}

ValueCount kind_of_values(const std::vector<std::string>& values) {
  constexpr std::array kTests{std::pair{Pii::email, &looks_like_email},
                              std::pair{Pii::iban, &looks_like_iban}, std::pair{Pii::card, &looks_like_card},
                              std::pair{Pii::ip, &looks_like_ip}, std::pair{Pii::phone, &looks_like_phone}};
  std::array<std::size_t, kTests.size()> hits{};
  std::size_t texts = 0;
  ValueCount count;
  for (const std::string& value : values) {
    if (value.empty()) continue;
    ++count.values;
    for (std::size_t i = 0; i < kTests.size(); ++i) hits[i] += kTests[i].second(value) ? 1 : 0;
    texts += holds_email(value) && !looks_like_email(value) ? 1 : 0;
  }
  // A few values prove nothing by themselves; four in five of many do.
  for (std::size_t i = 0; i < kTests.size(); ++i) {
    if (count.values < 3 || hits[i] * 5 < count.values * 4) continue;
    count.kind = kTests[i].first;
    count.hits = hits[i];
    return count;
  }
  if (texts > 0 && texts * 100 >= count.values) {
    count.kind = Pii::free_text;
    count.hits = texts;
  }
  return count;
}

}  // namespace branchfs::mask
