// What names and values look like personal data.
#include "tools/mask/plan/detect.h"

#include "tests/catch.h"

namespace branchfs::mask {

TEST_CASE("names, in English and French, in any case") {
  const auto of = [](const char* column, const char* table = "t") { return kind_of_name(table, column); };
  CHECK(of("email") == Pii::email);
  CHECK(of("customerEmailAddress") == Pii::email);
  CHECK(of("ADRESSE_MAIL") == Pii::email);
  CHECK(of("tel_mobile2") == Pii::phone);
  CHECK(of("pr\xc3\xa9nom") == Pii::first_name);
  CHECK(of("nom_de_famille") == Pii::last_name);
  CHECK(of("num_secu") == Pii::national_id);
  CHECK(of("IPAddress") != Pii::email);
  CHECK(of("ip_address") == Pii::ip);
  CHECK(of("company_name") == Pii::company);
  CHECK(of("name") == Pii::none);
  CHECK(of("name", "customers") == Pii::full_name);
  CHECK(of("nom", "clients") == Pii::last_name);
  for (const char* plain : {"id", "zipper", "email_verified", "phone_type", "email_count", "shipping",
                            "mailing", "description", "multiple", "pane", "emailed_at"}) {
    INFO(plain);
    CHECK(of(plain) == Pii::none);
  }
}

TEST_CASE("values") {
  const auto of = [](std::vector<std::string> values) { return kind_of_values(values).kind; };
  CHECK(of({"a@b.org", "c.d@e.example", "x+y@z.info"}) == Pii::email);
  CHECK(of({"a@b.org", "nobody", "nobody"}) == Pii::none);
  CHECK(of({"a@b.org"}) == Pii::none);
  CHECK(of({"+33 6 12 34 56 78", "+1 (555) 123-4567", "0612345678"}) == Pii::phone);
  CHECK(of({"2024-01-31 10:00", "2024-02-01 11:00", "2024-02-02 12:00"}) == Pii::none);
  CHECK(of({"12345678", "23456789", "34567890"}) == Pii::none);
  CHECK(of({"4111 1111 1111 1111", "5500-0000-0000-0004", "340000000000009"}) == Pii::card);
  CHECK(of({"4111 1111 1111 1112", "5500-0000-0000-0005", "340000000000008"}) == Pii::none);
  CHECK(of({"FR1420041010050500013M02606", "DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819"}) ==
        Pii::iban);
  CHECK(of({"FR1520041010050500013M02606", "DE88 3704 0044 0532 0130 00", "GB28NWBK60161331926819"}) ==
        Pii::none);
  CHECK(of({"10.0.0.1", "2001:db8::1", "192.168.1.7"}) == Pii::ip);
  CHECK(of({"6f1b1c2a-9d5e-4b55-8f6e-0d9b1b6c3a10", "6f1b1c2a-9d5e-4b55-8f6e-0d9b1b6c3a11",
            "6f1b1c2a-9d5e-4b55-8f6e-0d9b1b6c3a12"}) == Pii::none);
  CHECK(of({"please write to a.b@c.org.", "nothing", "nothing"}) == Pii::free_text);
  CHECK(of({"", "", ""}) == Pii::none);
}

}  // namespace branchfs::mask
