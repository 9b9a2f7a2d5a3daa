// The functions that make numbers, times, elements and long texts out of the row's seed.
#include "tools/mask/module/server/glue.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
}

#include <cmath>

namespace branchfs::mask::server {
namespace {

bool any_null(FunctionCallInfo fcinfo) {
  for (int i = 0; i < PG_NARGS(); ++i) {
    if (PG_ARGISNULL(i)) return true;
  }
  return false;
}

[[noreturn]] void refuse_range() {
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                  errmsg("branchfs_mask: the range ends before it starts")));
}

std::int64_t between(std::string_view function, std::int64_t low, std::int64_t high) {
  if (low > high) refuse_range();
  Draw draw = next_draw(function);
  const std::uint64_t span = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) + 1;
  const std::uint64_t offset = span == 0 ? draw.next() : draw.below64(span);
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + offset);
}

double fraction_between(std::string_view function, double low, double high) {
  if (!(low <= high)) refuse_range();
  const double value = low + next_draw(function).fraction() * (high - low);
  return value < high ? value : low;
}

// Uniform in [-1, 1).
double swing(std::string_view function) { return next_draw(function).fraction() * 2 - 1; }

Oid argument_type(FunctionCallInfo fcinfo, int argument) {
  return getBaseType(get_fn_expr_argtype(fcinfo->flinfo, argument));
}

[[noreturn]] void refuse_type(const char* function, const char* types) {
  ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("branchfs_mask: %s takes %s", function, types)));
}

// value * (1 + share), at the ends of the type where it would leave it.
std::int64_t shifted(std::int64_t value, double share, std::int64_t low, std::int64_t high) {
  const double out = std::round(static_cast<double>(value) + static_cast<double>(value) * share);
  if (out <= static_cast<double>(low)) return low;
  if (out >= static_cast<double>(high)) return high;
  return static_cast<std::int64_t>(out);
}

// Rounded to as many decimals as the value has.
Datum shifted_numeric(Datum value, double share) {
  const Datum factor = DirectFunctionCall1(float8_numeric, Float8GetDatum(1 + share));
  const Datum scale = DirectFunctionCall1(numeric_scale, value);
  return DirectFunctionCall2(numeric_round, DirectFunctionCall2(numeric_mul, value, factor), scale);
}

// Letters and blanks, sentence after sentence, until `done(words, sentences)`.
template <class Done>
void put_lorem(StringInfo out, Draw& draw, Done&& done) {
  int words = 0, sentences = 0, left = 0;
  while (!done(words, sentences)) {
    const bool starts = left == 0;
    if (starts) left = 6 + static_cast<int>(draw.below(8));
    const std::string_view word = lorem_word(draw);
    if (out->len > 0 && out->data[out->len - 1] != '\n') appendStringInfoChar(out, ' ');
    appendBinaryStringInfo(out, word.data(), static_cast<int>(word.size()));
    if (starts) {
      char& first = out->data[out->len - static_cast<int>(word.size())];
      first = static_cast<char>(first - 0x20);
    }
    ++words;
    if (--left > 0) continue;
    appendStringInfoChar(out, '.');
    ++sentences;
  }
}

}  // namespace
}  // namespace branchfs::mask::server

namespace mask = branchfs::mask;
namespace server = branchfs::mask::server;

BRANCHFS_FUNCTION(random_int4_between) {
  if (server::any_null(fcinfo)) PG_RETURN_NULL();
  PG_RETURN_INT32(
      static_cast<int32>(server::between("random_int_between", PG_GETARG_INT32(0), PG_GETARG_INT32(1))));
}

BRANCHFS_FUNCTION(random_int8_between) {
  if (server::any_null(fcinfo)) PG_RETURN_NULL();
  PG_RETURN_INT64(server::between("random_bigint_between", PG_GETARG_INT64(0), PG_GETARG_INT64(1)));
}

// timestamp and timestamptz: microseconds, both.
BRANCHFS_FUNCTION(random_timestamp_between) {
  if (server::any_null(fcinfo)) PG_RETURN_NULL();
  const Timestamp low = PG_GETARG_TIMESTAMP(0), high = PG_GETARG_TIMESTAMP(1);
  if (TIMESTAMP_NOT_FINITE(low) || TIMESTAMP_NOT_FINITE(high)) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("branchfs_mask: the range has no end")));
  }
  PG_RETURN_TIMESTAMP(server::between("random_date_between", low, high));
}

BRANCHFS_FUNCTION(random_time) { PG_RETURN_TIMEADT(server::between("random_time", 0, USECS_PER_DAY - 1)); }

BRANCHFS_FUNCTION(random_float8) {
  if (server::any_null(fcinfo)) PG_RETURN_NULL();
  PG_RETURN_FLOAT8(
      server::fraction_between("random_double_precision", PG_GETARG_FLOAT8(0), PG_GETARG_FLOAT8(1)));
}

BRANCHFS_FUNCTION(random_float4) {
  if (server::any_null(fcinfo)) PG_RETURN_NULL();
  const float low = PG_GETARG_FLOAT4(0), high = PG_GETARG_FLOAT4(1);
  const auto value = static_cast<float>(server::fraction_between("random_real", low, high));
  PG_RETURN_FLOAT4(value < high ? value : low);
}

BRANCHFS_FUNCTION(random_string) {
  if (server::any_null(fcinfo)) PG_RETURN_NULL();
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  const int32 length = Max(PG_GETARG_INT32(0), 0);
  mask::Draw draw = server::next_draw("random_string");
  text* out = static_cast<text*>(palloc(VARHDRSZ + static_cast<Size>(length)));
  SET_VARSIZE(out, VARHDRSZ + length);
  for (int32 i = 0; i < length; ++i) VARDATA(out)[i] = kLetters[draw.below(kLetters.size())];
  PG_RETURN_TEXT_P(out);
}

BRANCHFS_FUNCTION(random_hash) {
  mask::Draw draw = server::next_draw("random_hash");
  mask::Writer out;
  for (int i = 0; i < 4; ++i) out.put_hex(draw.next(), 16);
  PG_RETURN_TEXT_P(server::to_text(out.view()));
}

BRANCHFS_FUNCTION(random_format) {
  if (server::any_null(fcinfo)) PG_RETURN_NULL();
  text* out = PG_GETARG_TEXT_P_COPY(0);
  mask::Draw draw = server::next_draw("random_format");
  char* at = VARDATA_ANY(out);
  for (const char* end = at + VARSIZE_ANY_EXHDR(out); at < end; ++at) {
    if (*at == '#') *at = static_cast<char>('0' + draw.below(10));
    if (*at == '^') *at = static_cast<char>('1' + draw.below(9));
  }
  PG_RETURN_TEXT_P(out);
}

// 01 99 00 is kept for fiction in France, where a number begins with 0.
BRANCHFS_FUNCTION(random_phone) {
  if (server::any_null(fcinfo)) PG_RETURN_NULL();
  const std::string_view prefix = server::view(PG_GETARG_TEXT_PP(0));
  mask::Draw draw = server::next_draw("random_phone");
  mask::Writer digits;
  if (prefix == "0") {
    digits.put("19900");
    digits.put_number(draw.below(10'000), 4);
  } else {
    digits.put_number(draw.below(1'000'000'000), 9);
  }
  StringInfoData out;
  initStringInfo(&out);
  appendBinaryStringInfo(&out, prefix.data(), static_cast<int>(prefix.size()));
  appendBinaryStringInfo(&out, digits.data(), static_cast<int>(digits.size()));
  PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}

BRANCHFS_FUNCTION(random_in) {
  if (PG_ARGISNULL(0)) PG_RETURN_NULL();
  ArrayType* array = PG_GETARG_ARRAYTYPE_P(0);
  int16 length;
  bool by_value;
  char align;
  get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &align);
  Datum* values;
  bool* nulls;
  int count;
  deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, align, &values, &nulls, &count);
  if (count == 0) PG_RETURN_NULL();
  const std::uint32_t at = server::next_draw("random_in").below(static_cast<std::uint32_t>(count));
  if (nulls[at]) PG_RETURN_NULL();
  PG_RETURN_DATUM(values[at]);
}

// The value of the argument does not matter, NULL will do.
BRANCHFS_FUNCTION(random_in_enum) {
  const Oid type = server::argument_type(fcinfo, 0);
  if (get_typtype(type) != TYPTYPE_ENUM)
    server::refuse_type("random_in_enum", "a value of an enumerated type");
  CatCList* list = SearchSysCacheList1(ENUMTYPOIDNAME, ObjectIdGetDatum(type));
  if (list->n_members == 0) {
    ReleaseCatCacheList(list);
    PG_RETURN_NULL();
  }
  const auto wanted = static_cast<int>(
      server::next_draw("random_in_enum").below(static_cast<std::uint32_t>(list->n_members)));
  const auto member = [list](int i) {
    return reinterpret_cast<Form_pg_enum>(GETSTRUCT(&list->members[i]->tuple));
  };
  Oid label = InvalidOid;
  for (int i = 0; i < list->n_members; ++i) {
    int before = 0;
    for (int j = 0; j < list->n_members; ++j)
      before += member(j)->enumsortorder < member(i)->enumsortorder ? 1 : 0;
    if (before == wanted) label = member(i)->oid;
  }
  ReleaseCatCacheList(list);
  PG_RETURN_OID(label);
}

BRANCHFS_FUNCTION(noise) {
  if (server::any_null(fcinfo)) PG_RETURN_NULL();
  const Oid type = server::argument_type(fcinfo, 0);
  const double share = server::swing("noise") * PG_GETARG_FLOAT8(1);
  switch (type) {
    case INT2OID:
      PG_RETURN_INT16(
          static_cast<int16>(server::shifted(PG_GETARG_INT16(0), share, PG_INT16_MIN, PG_INT16_MAX)));
    case INT4OID:
      PG_RETURN_INT32(
          static_cast<int32>(server::shifted(PG_GETARG_INT32(0), share, PG_INT32_MIN, PG_INT32_MAX)));
    case INT8OID:
      PG_RETURN_INT64(server::shifted(PG_GETARG_INT64(0), share, PG_INT64_MIN, PG_INT64_MAX));
    case FLOAT4OID:
      PG_RETURN_FLOAT4(static_cast<float4>(PG_GETARG_FLOAT4(0) * (1 + share)));
    case FLOAT8OID:
      PG_RETURN_FLOAT8(PG_GETARG_FLOAT8(0) * (1 + share));
    case NUMERICOID:
      PG_RETURN_DATUM(server::shifted_numeric(PG_GETARG_DATUM(0), share));
    default:
      server::refuse_type("noise", "a number");
  }
}

BRANCHFS_FUNCTION(dnoise) {
  if (server::any_null(fcinfo)) PG_RETURN_NULL();
  const Oid type = server::argument_type(fcinfo, 0);
  const Datum shift =
      DirectFunctionCall2(interval_mul, PG_GETARG_DATUM(1), Float8GetDatum(server::swing("dnoise")));
  const Datum value = PG_GETARG_DATUM(0);
  switch (type) {
    case DATEOID:
      PG_RETURN_DATUM(
          DirectFunctionCall1(timestamp_date, DirectFunctionCall2(date_pl_interval, value, shift)));
    case TIMESTAMPOID:
      PG_RETURN_DATUM(DirectFunctionCall2(timestamp_pl_interval, value, shift));
    case TIMESTAMPTZOID:
      PG_RETURN_DATUM(DirectFunctionCall2(timestamptz_pl_interval, value, shift));
    case TIMEOID:
      PG_RETURN_DATUM(DirectFunctionCall2(time_pl_interval, value, shift));
    case TIMETZOID:
      PG_RETURN_DATUM(DirectFunctionCall2(timetz_pl_interval, value, shift));
    default:
      server::refuse_type("dnoise", "a date or a time");
  }
}

BRANCHFS_FUNCTION(lorem_ipsum) {
  const int paragraphs = PG_ARGISNULL(0) ? 0 : PG_GETARG_INT32(0);
  const int words = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1);
  const int characters = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2);
  mask::Draw draw = server::next_draw("lorem_ipsum");
  StringInfoData out;
  initStringInfo(&out);
  if (characters > 0) {
    server::put_lorem(&out, draw, [&out, characters](int, int) { return out.len >= characters; });
    out.len = characters;
  } else if (words > 0) {
    server::put_lorem(&out, draw, [words](int written, int) { return written == words; });
  } else {
    for (int i = 0; i < paragraphs; ++i) {
      if (i > 0) appendStringInfoString(&out, "\n\n");
      const int wanted = 3 + static_cast<int>(draw.below(4));
      server::put_lorem(&out, draw, [wanted](int, int sentences) { return sentences == wanted; });
    }
  }
  PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}
