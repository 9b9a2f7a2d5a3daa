// permute(): the permutations for each type.
#include "tools/mask/functions/permute.h"

#include "tools/mask/module/server/glue.h"

extern "C" {
#include "mb/pg_wchar.h"
#include "nodes/primnodes.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/uuid.h"
}

#include <new>
#include <optional>

namespace branchfs::mask::server {
namespace {

// What a call in an expression makes out of its constants: kept with the call, wiped with its memory.
template <class T>
struct Kept {
  std::uint64_t key = 0;  // key_number() when it was made
  std::optional<T> made;
  MemoryContextCallback end;

  static void wipe(void* kept) { explicit_bzero(kept, offsetof(Kept, end)); }
};

// A parameter is none: a function in PL/pgSQL gives it another value in the next call.
bool is_constant(const FmgrInfo* call, int argument) {
  if (call->fn_expr == nullptr || !IsA(call->fn_expr, FuncExpr)) return false;
  const ::List* arguments = reinterpret_cast<const FuncExpr*>(call->fn_expr)->args;
  return argument < list_length(arguments) && IsA(list_nth(arguments, argument), Const);
}

// Nothing where one of the arguments from `first` on is no constant.
template <class T>
Kept<T>* kept_of(FunctionCallInfo fcinfo, int first) {
  FmgrInfo* call = fcinfo->flinfo;
  auto* kept = static_cast<Kept<T>*>(call->fn_extra);
  if (kept == nullptr) {
    for (int i = first; i < PG_NARGS(); ++i) {
      if (!is_constant(call, i)) return nullptr;
    }
    kept = new (MemoryContextAllocZero(call->fn_mcxt, sizeof(Kept<T>))) Kept<T>;
    kept->end.func = Kept<T>::wipe;
    kept->end.arg = kept;
    MemoryContextRegisterResetCallback(call->fn_mcxt, &kept->end);
    call->fn_extra = kept;
  }
  if (kept->key != key_number()) kept->made.reset();
  kept->key = key_number();
  return kept;
}

PrfKey domain_key(FunctionCallInfo fcinfo, int argument) {
  return session_key().permutation(view(PG_GETARG_TEXT_PP(argument)));
}

// Its arguments after the value: low, high, domain.
std::int64_t permute_in(FunctionCallInfo fcinfo, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value < low || value > high) {
    ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                    errmsg("branchfs_mask: a value lies outside of the range to permute")));
  }
  const auto base = static_cast<std::uint64_t>(low);
  const std::uint64_t place = static_cast<std::uint64_t>(value) - base,
                      last = static_cast<std::uint64_t>(high) - base;
  Kept<IntegerPermutation>* kept = kept_of<IntegerPermutation>(fcinfo, 1);
  if (kept == nullptr)
    return static_cast<std::int64_t>(base + permute_integer(domain_key(fcinfo, 3), place, last));
  if (!kept->made) kept->made.emplace(domain_key(fcinfo, 3), last);
  return static_cast<std::int64_t>(base + (*kept->made)(place));
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

struct TextCall {
  TextPermutation permute;
  bool only_ascii;

  TextCall(const TextPermutation& permutation, bool ascii) : permute(permutation), only_ascii(ascii) {}
};

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
  PG_RETURN_INT16(static_cast<int16>(
      server::permute_in(fcinfo, PG_GETARG_INT16(0), PG_GETARG_INT16(1), PG_GETARG_INT16(2))));
}

BRANCHFS_FUNCTION(permute_int4) {
  PG_RETURN_INT32(static_cast<int32>(
      server::permute_in(fcinfo, PG_GETARG_INT32(0), PG_GETARG_INT32(1), PG_GETARG_INT32(2))));
}

BRANCHFS_FUNCTION(permute_int8) {
  PG_RETURN_INT64(server::permute_in(fcinfo, PG_GETARG_INT64(0), PG_GETARG_INT64(1), PG_GETARG_INT64(2)));
}

BRANCHFS_FUNCTION(permute_date) {
  const DateADT value = PG_GETARG_DATEADT(0);
  if (DATE_NOT_FINITE(value)) PG_RETURN_DATEADT(value);
  PG_RETURN_DATEADT(
      static_cast<DateADT>(server::permute_in(fcinfo, value, PG_GETARG_DATEADT(1), PG_GETARG_DATEADT(2))));
}

BRANCHFS_FUNCTION(permute_text) {
  auto* kept = server::kept_of<server::TextCall>(fcinfo, 1);
  std::optional<server::TextCall> once;
  std::optional<server::TextCall>& call = kept == nullptr ? once : kept->made;
  if (!call) {
    const mask::Alphabet alphabet = server::alphabet_of(fcinfo, 2);
    const mask::Encoding encoding = server::database_encoding();
    call.emplace(mask::TextPermutation(server::domain_key(fcinfo, 1), alphabet, encoding),
                 encoding == mask::Encoding::ascii && alphabet == mask::Alphabet::characters);
  }
  text* value = PG_GETARG_TEXT_P_COPY(0);
  const std::size_t size = VARSIZE_ANY_EXHDR(value);
  if (call->only_ascii) server::refuse_beyond_ascii(VARDATA_ANY(value), size);
  call->permute(VARDATA_ANY(value), size);
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
