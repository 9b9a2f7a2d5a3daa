// permute(): the permutations for each type.
#include "tools/mask/functions/permute.h"

#include "tools/mask/module/server/glue.h"

extern "C" {
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/numeric.h"
#include "utils/uuid.h"
}

namespace branchfs::mask::server {
namespace {

PrfKey domain_key(FunctionCallInfo fcinfo, int argument) {
  return session_key().permutation(view(PG_GETARG_TEXT_PP(argument)));
}

std::int64_t permute_in(const PrfKey& key, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value < low || value > high) {
    ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                    errmsg("branchfs_mask: a value lies outside of the range to permute")));
  }
  const auto base = static_cast<std::uint64_t>(low);
  return static_cast<std::int64_t>(base + permute_integer(key, static_cast<std::uint64_t>(value) - base,
                                                          static_cast<std::uint64_t>(high) - base));
}

Alphabet alphabet_of(FunctionCallInfo fcinfo, int argument) {
  const auto alphabet = parse_alphabet(view(PG_GETARG_TEXT_PP(argument)));
  if (!alphabet) {
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("branchfs_mask: unknown alphabet"),
             errhint("There are: digits, luhn, iban, hex, and the empty one for every letter and digit.")));
  }
  return *alphabet;
}

// Single-byte encodings where 0xC0 to 0xFF have no gap.
Encoding database_encoding() {
  switch (GetDatabaseEncoding()) {
    case PG_UTF8:
    case PG_SQL_ASCII:
      return Encoding::utf8;
    case PG_LATIN1:
    case PG_LATIN2:
    case PG_LATIN4:
    case PG_LATIN5:
    case PG_LATIN9:
    case PG_WIN1250:
    case PG_WIN1251:
    case PG_WIN1252:
    case PG_WIN1254:
    case PG_WIN1256:
    case PG_KOI8R:
    case PG_KOI8U:
      return Encoding::single;
    default:
      return Encoding::ascii;
  }
}

void refuse_beyond_ascii(const char* data, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    if ((data[i] & 0x80) == 0) continue;
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("branchfs_mask: cannot permute letters beyond ASCII in the encoding %s",
                           GetDatabaseEncodingName())));
  }
}

}  // namespace
}  // namespace branchfs::mask::server

namespace mask = branchfs::mask;
namespace server = branchfs::mask::server;

BRANCHFS_FUNCTION(permute_int2) {
  PG_RETURN_INT16(static_cast<int16>(server::permute_in(server::domain_key(fcinfo, 3), PG_GETARG_INT16(0),
                                                        PG_GETARG_INT16(1), PG_GETARG_INT16(2))));
}

BRANCHFS_FUNCTION(permute_int4) {
  PG_RETURN_INT32(static_cast<int32>(server::permute_in(server::domain_key(fcinfo, 3), PG_GETARG_INT32(0),
                                                        PG_GETARG_INT32(1), PG_GETARG_INT32(2))));
}

BRANCHFS_FUNCTION(permute_int8) {
  PG_RETURN_INT64(server::permute_in(server::domain_key(fcinfo, 3), PG_GETARG_INT64(0), PG_GETARG_INT64(1),
                                     PG_GETARG_INT64(2)));
}

BRANCHFS_FUNCTION(permute_date) {
  const DateADT value = PG_GETARG_DATEADT(0);
  if (DATE_NOT_FINITE(value)) PG_RETURN_DATEADT(value);
  PG_RETURN_DATEADT(static_cast<DateADT>(
      server::permute_in(server::domain_key(fcinfo, 3), value, PG_GETARG_DATEADT(1), PG_GETARG_DATEADT(2))));
}

BRANCHFS_FUNCTION(permute_text) {
  const mask::Alphabet alphabet = server::alphabet_of(fcinfo, 2);
  const mask::PrfKey key = server::domain_key(fcinfo, 1);
  text* value = PG_GETARG_TEXT_P_COPY(0);
  const std::size_t size = VARSIZE_ANY_EXHDR(value);
  const mask::Encoding encoding = server::database_encoding();
  if (encoding == mask::Encoding::ascii && alphabet == mask::Alphabet::characters) {
    server::refuse_beyond_ascii(VARDATA_ANY(value), size);
  }
  mask::permute_text(key, alphabet, encoding, VARDATA_ANY(value), size);
  PG_RETURN_TEXT_P(value);
}

BRANCHFS_FUNCTION(permute_uuid) {
  std::array<unsigned char, UUID_LEN> bytes;
  memcpy(bytes.data(), PG_GETARG_UUID_P(0)->data, UUID_LEN);
  mask::permute_uuid(server::domain_key(fcinfo, 1), bytes);
  auto* out = static_cast<pg_uuid_t*>(palloc(sizeof(pg_uuid_t)));
  memcpy(out->data, bytes.data(), UUID_LEN);
  PG_RETURN_UUID_P(out);
}

BRANCHFS_FUNCTION(permute_bytea) {
  bytea* value = PG_GETARG_BYTEA_P_COPY(0);
  mask::permute_bytes(server::domain_key(fcinfo, 1), VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
  PG_RETURN_BYTEA_P(value);
}

BRANCHFS_FUNCTION(permute_numeric) {
  const Numeric value = PG_GETARG_NUMERIC(0);
  if (numeric_is_nan(value) || numeric_is_inf(value)) PG_RETURN_NUMERIC(value);
  char* digits = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value)));
  char* point = strchr(digits, '.');
  if (point != nullptr) {
    if (strspn(point + 1, "0") != strlen(point + 1)) {
      ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                      errmsg("branchfs_mask: permute takes whole numbers only"),
                      errhint("Use noise() for amounts.")));
    }
    *point = '\0';
  }
  mask::permute_text(server::domain_key(fcinfo, 1), mask::Alphabet::whole, mask::Encoding::ascii, digits,
                     strlen(digits));
  PG_RETURN_DATUM(DirectFunctionCall3(numeric_in, CStringGetDatum(digits), ObjectIdGetDatum(InvalidOid),
                                      Int32GetDatum(-1)));
}
