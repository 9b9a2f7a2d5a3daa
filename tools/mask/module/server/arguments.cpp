// The functions that work on their arguments: digests and partial masks.
#include "tools/mask/functions/slice.h"
#include "tools/mask/module/server/glue.h"

extern "C" {
#include "common/cryptohash.h"
#include "common/md5.h"
#include "common/sha2.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
}

namespace branchfs::mask::server {
namespace {

text* hex_text(const unsigned char* bytes, std::size_t size) {
  text* out = static_cast<text*>(palloc(VARHDRSZ + size * 2));
  SET_VARSIZE(out, VARHDRSZ + size * 2);
  for (std::size_t i = 0; i < size; ++i) {
    VARDATA(out)[i * 2] = "0123456789abcdef"[bytes[i] >> 4];
    VARDATA(out)[i * 2 + 1] = "0123456789abcdef"[bytes[i] & 15];
  }
  return out;
}

struct Algorithm {
  std::string_view name;
  pg_cryptohash_type type;
  std::size_t size;
};
constexpr Algorithm kAlgorithms[] = {
    {"md5", PG_MD5, MD5_DIGEST_LENGTH},
    {"sha224", PG_SHA224, PG_SHA224_DIGEST_LENGTH},
    {"sha256", PG_SHA256, PG_SHA256_DIGEST_LENGTH},
    {"sha384", PG_SHA384, PG_SHA384_DIGEST_LENGTH},
    {"sha512", PG_SHA512, PG_SHA512_DIGEST_LENGTH},
};

const Algorithm& algorithm_of(std::string_view name) {
  for (const Algorithm& algorithm : kAlgorithms) {
    if (algorithm.name == name) return algorithm;
  }
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("branchfs_mask: unknown digest"),
                  errhint("There are: md5, sha224, sha256, sha384, sha512.")));
}

text* digest(const Algorithm& algorithm, std::string_view value, std::string_view salt) {
  unsigned char bytes[PG_SHA512_DIGEST_LENGTH];
  pg_cryptohash_ctx* hash = pg_cryptohash_create(algorithm.type);
  const auto add = [hash](std::string_view part) {
    return pg_cryptohash_update(hash, reinterpret_cast<const uint8*>(part.data()), part.size()) >= 0;
  };
  const bool done = pg_cryptohash_init(hash) >= 0 && add(value) && add(salt) &&
                    pg_cryptohash_final(hash, bytes, algorithm.size) >= 0;
  pg_cryptohash_free(hash);
  if (!done) ereport(ERROR, (errmsg("branchfs_mask: the digest failed")));
  return hex_text(bytes, algorithm.size);
}

// Bytes of the first `count` characters.
std::size_t characters(std::string_view text, int count) {
  return static_cast<std::size_t>(pg_mbcharcliplen(text.data(), static_cast<int>(text.size()), count));
}

text* join(std::string_view first, std::string_view second, std::string_view third) {
  const std::size_t size = first.size() + second.size() + third.size();
  text* out = static_cast<text*>(palloc(VARHDRSZ + size));
  SET_VARSIZE(out, VARHDRSZ + size);
  char* at = VARDATA(out);
  for (const std::string_view part : {first, second, third}) {
    memcpy(at, part.data(), part.size());
    at += part.size();
  }
  return out;
}

bool any_null(FunctionCallInfo fcinfo) {
  for (int i = 0; i < PG_NARGS(); ++i) {
    if (PG_ARGISNULL(i)) return true;
  }
  return false;
}

}  // namespace
}  // namespace branchfs::mask::server

namespace mask = branchfs::mask;
namespace server = branchfs::mask::server;

BRANCHFS_FUNCTION(digest) {
  if (server::any_null(fcinfo)) PG_RETURN_NULL();
  const server::Algorithm& algorithm = server::algorithm_of(server::view(PG_GETARG_TEXT_PP(2)));
  PG_RETURN_TEXT_P(
      server::digest(algorithm, server::view(PG_GETARG_TEXT_PP(0)), server::view(PG_GETARG_TEXT_PP(1))));
}

BRANCHFS_FUNCTION(hash) {
  if (PG_ARGISNULL(0)) PG_RETURN_NULL();
  const std::string_view value = server::view(PG_GETARG_TEXT_PP(0));
  const mask::PrfKey& key = server::session_key().hash();
  const mask::PrfKey first = mask::prf(key, value.data(), value.size());
  const mask::PrfKey second =
      mask::prf({first.low ^ key.low, first.high ^ key.high}, value.data(), value.size());
  const mask::PrfKey both[] = {first, second};
  PG_RETURN_TEXT_P(server::hex_text(reinterpret_cast<const unsigned char*>(both), sizeof both));
}

BRANCHFS_FUNCTION(partial) {
  if (server::any_null(fcinfo)) PG_RETURN_NULL();
  const std::string_view value = server::view(PG_GETARG_TEXT_PP(0));
  const int all = pg_mbstrlen_with_len(value.data(), static_cast<int>(value.size()));
  const int prefix = Max(PG_GETARG_INT32(1), 0), suffix = Max(PG_GETARG_INT32(3), 0);
  const std::string_view padding = server::view(PG_GETARG_TEXT_PP(2));
  const std::string_view head = mask::slice(value, 0, server::characters(value, Min(prefix, all)));
  const std::string_view tail = mask::slice(value, server::characters(value, all - Min(suffix, all)));
  PG_RETURN_TEXT_P(server::join(head, padding, tail));
}

BRANCHFS_FUNCTION(partial_email) {
  if (server::any_null(fcinfo)) PG_RETURN_NULL();
  const std::string_view value = server::view(PG_GETARG_TEXT_PP(0));
  const std::size_t at = value.find('@');
  const std::string_view user = mask::slice(value, 0, at);
  const std::string_view host =
      at == std::string_view::npos ? std::string_view{} : mask::slice(value, at + 1);
  // The host keeps its last label, nothing else of a name that may be a person's own.
  const std::size_t dot = host.rfind('.');
  const std::string_view label = dot == std::string_view::npos ? std::string_view{} : mask::slice(host, dot);
  const text* left = server::join(mask::slice(user, 0, server::characters(user, 2)), "******@",
                                  mask::slice(host, 0, server::characters(host, 2)));
  PG_RETURN_TEXT_P(server::join(server::view(left), "******", label));
}
