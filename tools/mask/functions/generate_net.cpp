#include "tools/mask/functions/person.h"

namespace branchfs::mask {
namespace {

// RFC 2606 reserves these names: no mail for anybody leaves the building.
constexpr std::string_view kProviders[] = {"example.com", "example.net", "example.org"};
constexpr std::string_view kSuffixes[] = {"com", "net", "org", "example", "test"};

void free_email_provider(const Call& call, Writer& out) { out.put(kProviders[call.draw().below(3)]); }
void domain_suffix(const Call& call, Writer& out) { out.put(kSuffixes[call.draw().below(5)]); }
void username(const Call& call, Writer& out) { put_account(call, out); }

// One address for one identity, whatever the function is called.
void email(const Call& call, Writer& out) {
  put_account(call, out);
  out.put('@');
  out.put(kProviders[Draw(call.seed, constant_hash("provider"), call.number).below(3)]);
}

// RFC 5737.
void ipv4(const Call& call, Writer& out) {
  constexpr std::string_view kNetworks[] = {"192.0.2.", "198.51.100.", "203.0.113."};
  Draw draw = call.draw();
  out.put(kNetworks[draw.below(3)]);
  out.put_number(1 + draw.below(254));
}

// RFC 3849: 2001:db8::/32 leaves 96 bits.
void ipv6(const Call& call, Writer& out) {
  Draw draw = call.draw();
  const std::uint64_t high = draw.next(), low = draw.next();
  out.put("2001:db8");
  for (int group = 1; group >= 0; --group) {
    out.put(':');
    out.put_hex(high >> 16 * group & 0xffff, 4);
  }
  for (int group = 3; group >= 0; --group) {
    out.put(':');
    out.put_hex(low >> 16 * group & 0xffff, 4);
  }
}

void ip(const Call& call, Writer& out) {
  if (Draw(call.seed, constant_hash("ip"), call.number).below(2) == 0) return ipv4(call, out);
  ipv6(call, out);
}

// Locally administered: no manufacturer has it.
void mac_address(const Call& call, Writer& out) {
  const std::uint64_t bits = (call.draw().next() >> 16 & ~(std::uint64_t{3} << 40)) | std::uint64_t{2} << 40;
  for (int byte = 5; byte >= 0; --byte) {
    out.put_hex(bits >> 8 * byte & 0xff, 2);
    if (byte > 0) out.put(':');
  }
}

void uuid(const Call& call, unsigned version, Writer& out) {
  Draw draw = call.draw();
  std::uint64_t high = draw.next(), low = draw.next();
  high = (high & ~std::uint64_t{0xf000}) | std::uint64_t{version} << 12;
  low = (low & ~(std::uint64_t{3} << 62)) | std::uint64_t{2} << 62;
  out.put_hex(high >> 32, 8);
  out.put('-');
  out.put_hex(high >> 16 & 0xffff, 4);
  out.put('-');
  out.put_hex(high & 0xffff, 4);
  out.put('-');
  out.put_hex(low >> 48, 4);
  out.put('-');
  out.put_hex(low & 0xffffffffffff, 12);
}
void uuidv1(const Call& call, Writer& out) { uuid(call, 1, out); }
void uuidv3(const Call& call, Writer& out) { uuid(call, 3, out); }
void uuidv4(const Call& call, Writer& out) { uuid(call, 4, out); }
void uuidv5(const Call& call, Writer& out) { uuid(call, 5, out); }

void user_agent(const Call& call, Writer& out) {
  constexpr std::string_view kSystems[] = {"Windows NT 10.0; Win64; x64", "X11; Linux x86_64",
                                           "Macintosh; Intel Mac OS X 10_15_7", "Android 14; Mobile"};
  Draw draw = call.draw();
  const std::string_view system = kSystems[draw.below(4)];
  const std::uint32_t version = 100 + draw.below(40);
  out.put("Mozilla/5.0 (");
  out.put(system);
  if (draw.below(2) == 0) {
    out.put("; rv:");
    out.put_number(version);
    out.put(".0) Gecko/20100101 Firefox/");
    out.put_number(version);
    out.put(".0");
  } else {
    out.put(") AppleWebKit/537.36 (KHTML, like Gecko) Chrome/");
    out.put_number(version);
    out.put(".0.0.0 Safari/537.36");
  }
}

constexpr std::uint16_t kCodes[] = {100, 101, 200, 201, 202, 203, 204, 205, 206, 300, 301, 302, 303,
                                    304, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409,
                                    410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 426, 428, 429,
                                    431, 451, 500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511};
void status_code(const Call& call, Writer& out) {
  out.put_number(kCodes[call.draw().below(sizeof kCodes / sizeof *kCodes)]);
}

constexpr Generator kTable[] = {
    {"dummy_domain_suffix", domain_suffix, true, Uniqueness::lossy, 7, "the last label of a host name"},
    {"dummy_free_email", email, true, Uniqueness::probable, 80,
     "an e-mail address in a reserved domain, with a token"},
    {"dummy_free_email_provider", free_email_provider, true, Uniqueness::lossy, 11,
     "a domain reserved for examples"},
    {"dummy_ip", ip, true, Uniqueness::lossy, 39, "an IPv4 or IPv6 address out of the documentation ranges"},
    {"dummy_ipv4", ipv4, true, Uniqueness::lossy, 15,
     "an IPv4 address out of the documentation ranges (762 of them)"},
    {"dummy_ipv6", ipv6, true, Uniqueness::probable, 39, "an IPv6 address in 2001:db8::/32"},
    {"dummy_mac_address", mac_address, true, Uniqueness::lossy, 17, "a locally administered MAC address"},
    {"dummy_rfc_status_code", status_code, true, Uniqueness::lossy, 3, "an HTTP status code of an RFC"},
    {"dummy_safe_email", email, true, Uniqueness::probable, 80,
     "an e-mail address in a reserved domain, with a token"},
    {"dummy_user_agent", user_agent, true, Uniqueness::lossy, 120, "a browser's user agent"},
    {"dummy_username", username, true, Uniqueness::probable, 68, "a user name with a token"},
    {"dummy_uuidv1", uuidv1, false, Uniqueness::probable, 36, "a UUID that says version 1"},
    {"dummy_uuidv3", uuidv3, false, Uniqueness::probable, 36, "a UUID that says version 3"},
    {"dummy_uuidv4", uuidv4, false, Uniqueness::probable, 36, "a UUID of version 4"},
    {"dummy_uuidv5", uuidv5, false, Uniqueness::probable, 36, "a UUID that says version 5"},
    {"dummy_valid_statux_code", status_code, true, Uniqueness::lossy, 3, "an HTTP status code"},
    {"fake_email", email, false, Uniqueness::probable, 80,
     "an e-mail address in a reserved domain, with a token"},
};

}  // namespace

std::span<const Generator> net_generators() { return kTable; }

}  // namespace branchfs::mask
