#include "tools/pg/url.h"

#include <fmt/format.h>

namespace branchfs::pg {

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";  // RFC 3986, unreserved
  std::string result;
  for (const char c : text) {
    if (kPlain.find(c) != std::string_view::npos) {
      result.push_back(c);
    } else {
      result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return result;
}

std::string make_url(const Access& access) {
  std::string url = "postgresql://" + percent_encode(access.user);
  if (!access.password.empty()) url += ":" + percent_encode(access.password);
  const bool v6 = access.host.find(':') != std::string::npos;
  url += v6 ? fmt::format("@[{}]", access.host) : "@" + percent_encode(access.host);
  url += fmt::format(":{}/{}", access.port, percent_encode(access.database));
  return url;
}

std::vector<std::pair<std::string, std::string>> make_client_environment(const Access& access) {
  return {{"PGHOST", access.host},         {"PGPORT", std::to_string(access.port)},
          {"PGUSER", access.user},         {"PGPASSWORD", access.password},
          {"PGDATABASE", access.database}, {"DATABASE_URL", make_url(access)}};
}

std::vector<std::string> redirecting_variables() {
  return {"PGHOSTADDR",    "PGSERVICE", "PGSERVICEFILE", "PGPASSFILE",    "PGSSLMODE",
          "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY",      "PGREQUIREAUTH", "PGTARGETSESSIONATTRS"};
}

}  // namespace branchfs::pg
