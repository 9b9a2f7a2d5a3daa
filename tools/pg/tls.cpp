#include "tools/pg/tls.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>

#include "tools/pg/text.h"

namespace branchfs::pg {
namespace {

constexpr long kLifetimeSeconds = 20L * 365 * 24 * 3600;

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Cert = std::unique_ptr<X509, Freer<X509_free>>;
using Bio = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>>;

Error openssl_error(std::string_view what) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  return make_error(Kind::failed, fmt::format("{}: {}", what, text.data()));
}

bool add_extension(X509* cert, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, cert, cert, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  return extension && X509_add_ext(cert, extension.get(), -1) == 1;
}

bool fill(X509* cert, EVP_PKEY* key) {
  std::array<unsigned char, 16> serial{};
  if (RAND_bytes(serial.data(), serial.size()) != 1) return false;
  serial[0] &= 0x7FU;  // a positive number
  BIGNUM* number = BN_bin2bn(serial.data(), serial.size(), nullptr);
  const bool numbered =
      number != nullptr && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != nullptr;
  BN_free(number);
  X509_NAME* name = X509_get_subject_name(cert);
  const auto* common_name = reinterpret_cast<const unsigned char*>("localhost");
  return numbered && X509_set_version(cert, 2) == 1 &&
         X509_gmtime_adj(X509_getm_notBefore(cert), -3600) != nullptr &&
         X509_gmtime_adj(X509_getm_notAfter(cert), kLifetimeSeconds) != nullptr &&
         X509_set_pubkey(cert, key) == 1 &&
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name, -1, -1, 0) == 1 &&
         X509_set_issuer_name(cert, name) == 1 &&
         add_extension(cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
         add_extension(cert, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1") &&
         add_extension(cert, NID_ext_key_usage, "serverAuth") && X509_sign(cert, key, EVP_sha256()) > 0;
}

std::string drain(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

Result<Certificate> read_pair(const std::string& dir) {
  BFS_ASSIGN(auto certificate, read_file(dir + "/server.crt"));
  BFS_ASSIGN(auto key, read_file(dir + "/server.key"));
  return Certificate{std::move(certificate), std::move(key)};
}

}  // namespace

Result<Certificate> make_certificate() {
  const Key key(EVP_EC_gen("P-256"));
  const Cert cert(X509_new());
  if (!key || !cert || !fill(cert.get(), key.get())) return openssl_error("make a TLS certificate");
  const Bio key_text(BIO_new(BIO_s_mem()));
  const Bio cert_text(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
      PEM_write_bio_X509(cert_text.get(), cert.get()) != 1) {
    return openssl_error("write a TLS certificate");
  }
  return Certificate{drain(cert_text.get()), drain(key_text.get())};
}

Result<Certificate> ensure_certificate(const std::string& dir) {
  if (path_exists(dir)) return read_pair(dir);
  BFS_ASSIGN(const Certificate made, make_certificate());
  const std::string parent = parent_of(dir);
  BFS_TRY(make_dirs(parent));
  std::string staging = dir + ".XXXXXX";
  if (mkdtemp(staging.data()) == nullptr) return sys_error("create " + staging);
  Status done = write_file(staging + "/server.key", made.key, 0600);
  if (done) done = write_file(staging + "/server.crt", made.certificate, 0644);
  // Fails with EEXIST or ENOTEMPTY when somebody else was faster.
  if (done && ::rename(staging.c_str(), dir.c_str()) == 0) {
    BFS_TRY(sync_directory(parent));
    return made;
  }
  const int err = errno;
  ::unlink((staging + "/server.key").c_str());
  ::unlink((staging + "/server.crt").c_str());
  ::rmdir(staging.c_str());
  BFS_TRY(std::move(done));
  if (err != EEXIST && err != ENOTEMPTY) return sys_error("create " + dir, err);
  return read_pair(dir);
}

}  // namespace branchfs::pg
