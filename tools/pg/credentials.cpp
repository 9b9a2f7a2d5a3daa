#include "tools/pg/credentials.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <set>
#include <span>

#include "tools/pg/process.h"
#include "tools/pg/text.h"

namespace branchfs::pg {
namespace {

constexpr int kIterations = 4096;  // PostgreSQL's SCRAM_DEFAULT_ITERATIONS
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kPasswordBytes = 24;

// AddressSanitizer's leak checker attaches to the process, which only a dumpable one allows.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kHasLeakChecker = true;
#elif defined(__has_feature)
constexpr bool kHasLeakChecker = __has_feature(address_sanitizer);
#else
constexpr bool kHasLeakChecker = false;
#endif

using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string base64(std::span<const unsigned char> data) {
  std::string text((data.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), data.data(),
                                   static_cast<int>(data.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

bool hmac(std::span<const unsigned char> key, std::string_view text, Digest& out) {
  unsigned int size = 0;
  return HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes(text), text.size(), out.data(),
              &size) != nullptr;
}

Result<std::string> random_bytes(std::size_t count) {
  std::string text(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(text.data()), static_cast<int>(count)) != 1) {
    return make_error(Kind::failed, "no random numbers from OpenSSL");
  }
  return text;
}

}  // namespace

Result<std::string> generate_password() {
  BFS_ASSIGN(const std::string random, random_bytes(kPasswordBytes));
  std::string text = base64({bytes(random), random.size()});
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

Result<std::string> scram_verifier(std::string_view password, std::string_view salt, int iterations) {
  const bool plain =
      std::all_of(password.begin(), password.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (password.empty() || !plain) {
    return make_error(Kind::usage, "a password must be printable ASCII without blanks");
  }
  Digest salted{};
  Digest client_key{};
  Digest stored_key{};
  Digest server_key{};
  const bool good = PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), bytes(salt),
                                      static_cast<int>(salt.size()), iterations, EVP_sha256(), salted.size(),
                                      salted.data()) == 1 &&
                    hmac(salted, "Client Key", client_key) && hmac(salted, "Server Key", server_key) &&
                    SHA256(client_key.data(), client_key.size(), stored_key.data()) != nullptr;
  OPENSSL_cleanse(salted.data(), salted.size());
  OPENSSL_cleanse(client_key.data(), client_key.size());
  if (!good) return make_error(Kind::failed, "OpenSSL cannot compute a SCRAM verifier");
  return fmt::format("SCRAM-SHA-256${}:{}${}:{}", iterations, base64({bytes(salt), salt.size()}),
                     base64(stored_key), base64(server_key));
}

Result<std::string> scram_verifier(std::string_view password) {
  BFS_ASSIGN(const std::string salt, random_bytes(kSaltBytes));
  return scram_verifier(password, salt, kIterations);
}

Status store_secret(const std::string& path, std::string_view secret) {
  return write_file(path, std::string(secret) + "\n", 0600);
}

Result<std::string> load_secret(const std::string& path) {
  BFS_ASSIGN(const std::string text, read_file(path, 4096));
  return std::string(trim(text));
}

void forbid_core_dumps() {
  // Not a resource limit: that would be inherited by the servers, and does not hold for piped core patterns.
  if (!kHasLeakChecker) prctl(PR_SET_DUMPABLE, 0);
}

Result<Session> open_superuser(const SessionTarget& server, std::vector<std::string> names) {
  names.emplace_back("postgres");
  std::optional<Error> last;
  std::set<std::string> tried;
  for (const auto& name : names) {
    if (name.empty() || !tried.insert(name).second) continue;
    for (const char* database : {"postgres", "template1"}) {
      SessionTarget target = server;
      target.role = name;
      target.database = database;
      auto session = Session::open(target);
      if (!session) {
        last = std::move(session).error();
        continue;
      }
      BFS_ASSIGN(const auto roles,
                 session->query("SELECT rolname FROM pg_roles WHERE rolsuper AND rolcanlogin "
                                "ORDER BY oid <> 10, oid"));
      if (roles.empty()) return make_error(Kind::failed, "the cluster has no superuser that may log in");
      if (roles.front().front() == name) return session;
      target.role = roles.front().front();
      return Session::open(target);
    }
  }
  if (!last) return make_error(Kind::failed, "no role name to connect with");
  return *std::move(last);
}

Result<std::string> find_superuser_offline(const Installation& installation, const std::string& data_dir,
                                           const Identity& user) {
  Command single;
  single.argv = {installation.program("postgres"), "--single", "-D", data_dir, "-c",
                 "log_min_messages=fatal",         "template1"};
  single.stdin_text =
      "SELECT rolname FROM pg_authid WHERE rolsuper AND rolcanlogin ORDER BY oid <> 10, oid LIMIT 1\n";
  single.unset = {"PG*"};
  single.user = user;
  single.cwd = "/";
  BFS_ASSIGN(const Output output, succeed(single));
  constexpr std::string_view kMark = "rolname = \"";
  constexpr std::string_view kEnd = "\"\t(typeid";
  const std::size_t start = output.out.find(kMark);
  const std::size_t end = output.out.find(kEnd, start);
  if (start == std::string::npos || end == std::string::npos) {
    return make_error(Kind::failed, "the cluster has no superuser that may log in");
  }
  return output.out.substr(start + kMark.size(), end - start - kMark.size());
}

Status set_password(Session& superuser, const std::string& role, std::string_view password) {
  BFS_ASSIGN(const std::string verifier, scram_verifier(password));
  const std::string name = superuser.quote_name(role);
  const std::string attributes = fmt::format("LOGIN PASSWORD {} VALID UNTIL 'infinity' CONNECTION LIMIT -1",
                                             superuser.quote_text(verifier));
  BFS_ASSIGN(const auto present,
             superuser.query("SELECT 1 FROM pg_roles WHERE rolname = " + superuser.quote_text(role)));
  const std::string verb = present.empty() ? "CREATE ROLE {} SUPERUSER " : "ALTER ROLE {} ";
  auto done = superuser.execute(fmt::format(fmt::runtime(verb), name) + attributes);
  if (!done) return std::move(done).error().context("set the password of role " + role);
  return {};
}

}  // namespace branchfs::pg
