// The key, the seed of the row at hand, and how values become seeds.
#include "tools/mask/module/server/glue.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

PG_MODULE_MAGIC;
}

namespace branchfs::mask::server {
namespace {

struct Counter {
  std::uint64_t name;
  std::uint64_t row;
  std::uint32_t calls;
};

struct Session {
  bool has_key, has_seed, unique_token, wipes;
  std::uint64_t keys;  // counts set_key()
  std::uint64_t row;   // counts begin(): a counter of another row is stale
  Counter counters[64];
  Key key;
  Seed seed;
};
Session session;

void wipe(int /*code*/, Datum /*argument*/) {
  explicit_bzero(static_cast<void*>(&session.key), sizeof session.key);
  explicit_bzero(static_cast<void*>(&session.seed), sizeof session.seed);
  session.has_key = session.has_seed = false;
}

void start_row(const Seed& seed, bool unique_token) {
  session.seed = seed;
  session.has_seed = true;
  session.unique_token = unique_token;
  ++session.row;
}

// How an argument's type becomes bytes; kept with the call, looked up once.
struct Reader {
  enum class Way : std::uint8_t {
    int2,
    int4,
    int8,
    numeric,
    varlena,
    padded,
    folded,
    cstring,
    uuid,
    name,
    output,
    send
  };
  Way way;
  Oid type;
  FmgrInfo function;
};

bool is_citext(Oid type) {
  HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
  if (!HeapTupleIsValid(tuple)) return false;
  const bool yes = strcmp(NameStr(reinterpret_cast<Form_pg_type>(GETSTRUCT(tuple))->typname), "citext") == 0;
  ReleaseSysCache(tuple);
  return yes;
}

void choose_function(Reader& reader, Oid type, MemoryContext memory) {
  Oid function = InvalidOid;
  bool varlena = false;
  // Labels, documents and collections have text that everybody reads the same; scalars have binary forms that
  // no setting (DateStyle, extra_float_digits) changes.
  const char category = get_typtype(type) == TYPTYPE_ENUM ? 'E' : '-';
  const bool text_form = category == 'E' || type == JSONBOID || type == JSONOID || type == XMLOID ||
                         OidIsValid(get_element_type(type)) || type_is_rowtype(type) || type_is_range(type);
  if (text_form) {
    reader.way = Reader::Way::output;
    getTypeOutputInfo(type, &function, &varlena);
  } else {
    reader.way = Reader::Way::send;
    getTypeBinaryOutputInfo(type, &function, &varlena);
  }
  fmgr_info_cxt(function, &reader.function, memory);
}

void choose(Reader& reader, Oid type, MemoryContext memory) {
  using Way = Reader::Way;
  switch (type) {
    case INT2OID:
      reader.way = Way::int2;
      return;
    case INT4OID:
      reader.way = Way::int4;
      return;
    case INT8OID:
      reader.way = Way::int8;
      return;
    case NUMERICOID:
      reader.way = Way::numeric;
      return;
    case TEXTOID:
    case VARCHAROID:
      reader.way = Way::varlena;
      return;
    case BPCHAROID:
      reader.way = Way::padded;
      return;
    case UNKNOWNOID:
      reader.way = Way::cstring;
      return;
    case UUIDOID:
      reader.way = Way::uuid;
      return;
    case NAMEOID:
      reader.way = Way::name;
      return;
    default:
      break;
  }
  if (is_citext(type)) {
    reader.way = Way::folded;
    return;
  }
  choose_function(reader, type, memory);
}

Reader& reader_of(FunctionCallInfo fcinfo, int argument) {
  auto* reader = static_cast<Reader*>(fcinfo->flinfo->fn_extra);
  if (reader != nullptr) return *reader;
  const Oid declared = get_fn_expr_argtype(fcinfo->flinfo, argument);
  if (!OidIsValid(declared)) ereport(ERROR, (errmsg("branchfs_mask: the type of the value is not known")));
  reader = static_cast<Reader*>(MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(Reader)));
  reader->type = getBaseType(declared);
  choose(*reader, reader->type, fcinfo->flinfo->fn_mcxt);
  fcinfo->flinfo->fn_extra = reader;
  return *reader;
}

bool is_ascii(const char* text, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    if ((text[i] & 0x80) != 0) return false;
  }
  return true;
}

Seed seed_of_text(const char* data, std::size_t size) {
  const int encoding = GetDatabaseEncoding();
  if (encoding != PG_UTF8 && encoding != PG_SQL_ASCII && !is_ascii(data, size)) {
    const char* utf8 = pg_server_to_any(data, static_cast<int>(size), PG_UTF8);
    return session_key().seed(Form::text, utf8, strlen(utf8));
  }
  return session_key().seed(Form::text, data, size);
}

Seed seed_of_integer(std::int64_t value) { return session_key().seed(Form::integer, &value, sizeof value); }

// "12.00" is 12 is what an integer column has; "12.50" is "12.5".
Seed seed_of_numeric(Datum value) {
  const char* digits = DatumGetCString(DirectFunctionCall1(numeric_out, value));
  std::size_t size = strlen(digits);
  if (memchr(digits, '.', size) != nullptr) {
    while (digits[size - 1] == '0') --size;
    if (digits[size - 1] == '.') --size;
  }
  const bool negative = digits[0] == '-';
  std::int64_t number = 0;
  bool fits = size > (negative ? 1U : 0U);
  for (std::size_t i = negative ? 1 : 0; fits && i < size; ++i) {
    const int digit = digits[i] - '0';
    fits = digit >= 0 && digit <= 9 && !__builtin_mul_overflow(number, 10, &number) &&
           !(negative ? __builtin_sub_overflow(number, digit, &number)
                      : __builtin_add_overflow(number, digit, &number));
  }
  if (fits) return seed_of_integer(number);
  return session_key().seed(Form::number, digits, size);
}

Seed seed_of_varlena(Datum value, bool padded) {
  auto* bytes = reinterpret_cast<text*>(PG_DETOAST_DATUM_PACKED(value));
  std::size_t size = VARSIZE_ANY_EXHDR(bytes);
  if (padded) {
    while (size > 0 && VARDATA_ANY(bytes)[size - 1] == ' ') --size;
  }
  const Seed seed = seed_of_text(VARDATA_ANY(bytes), size);
  if (reinterpret_cast<Pointer>(bytes) != DatumGetPointer(value)) pfree(bytes);
  return seed;
}

Seed seed_of_citext(Datum value) {
  const auto* bytes = reinterpret_cast<text*>(PG_DETOAST_DATUM_PACKED(value));
  char* lower = str_tolower(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes), DEFAULT_COLLATION_OID);
  return seed_of_text(lower, strlen(lower));
}

Seed seed_by_function(Reader& reader, Datum value) {
  if (reader.way == Reader::Way::output) {
    const char* shown = OutputFunctionCall(&reader.function, value);
    return seed_of_text(shown, strlen(shown));
  }
  const bytea* sent = SendFunctionCall(&reader.function, value);
  return session_key().seed(Form::binary, VARDATA_ANY(sent), VARSIZE_ANY_EXHDR(sent));
}

}  // namespace

const Key& session_key() {
  if (!session.has_key) {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("branchfs_mask: this session has no key"), errhint("Call set_key() first.")));
  }
  return session.key;
}

std::uint64_t key_number() { return session.keys; }

const Seed& row_seed() {
  if (!session.has_seed) {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("branchfs_mask: there is no value to mask"),
                    errhint("Call begin() first, in the same expression.")));
  }
  return session.seed;
}

bool wants_token() { return session.unique_token; }

std::uint32_t next_call(std::uint64_t name) {
  constexpr std::size_t kCounters = sizeof session.counters / sizeof *session.counters;
  // A row's expression calls a handful of functions: the first free or stale counter is near its place.
  for (std::size_t i = 0; i < kCounters; ++i) {
    Counter& counter = session.counters[(name + i) % kCounters];
    if (counter.row == session.row && counter.name != name) continue;
    if (counter.row != session.row) counter = {name, session.row, 0};
    return counter.calls++;
  }
  ereport(ERROR,
          (errmsg("branchfs_mask: an expression calls more than %d functions", static_cast<int>(kCounters))));
}

Draw next_draw(std::string_view function) {
  const std::uint64_t name = name_hash(function);
  const Seed& seed = row_seed();
  return {seed, name, next_call(name)};
}

Seed seed_of(FunctionCallInfo fcinfo, int argument) {
  Reader& reader = reader_of(fcinfo, argument);
  const Datum value = PG_GETARG_DATUM(argument);
  switch (reader.way) {
    case Reader::Way::int2:
      return seed_of_integer(DatumGetInt16(value));
    case Reader::Way::int4:
      return seed_of_integer(DatumGetInt32(value));
    case Reader::Way::int8:
      return seed_of_integer(DatumGetInt64(value));
    case Reader::Way::numeric:
      return seed_of_numeric(value);
    case Reader::Way::varlena:
      return seed_of_varlena(value, false);
    case Reader::Way::padded:
      return seed_of_varlena(value, true);
    case Reader::Way::folded:
      return seed_of_citext(value);
    case Reader::Way::cstring:
      return seed_of_text(DatumGetCString(value), strlen(DatumGetCString(value)));
    case Reader::Way::name:
      return seed_of_text(NameStr(*DatumGetName(value)), strlen(NameStr(*DatumGetName(value))));
    case Reader::Way::uuid:
      return session_key().seed(Form::uuid, DatumGetUUIDP(value)->data, UUID_LEN);
    case Reader::Way::output:
    case Reader::Way::send:
      break;
  }
  return seed_by_function(reader, value);
}

}  // namespace branchfs::mask::server

using branchfs::mask::Seed;
namespace server = branchfs::mask::server;

BRANCHFS_FUNCTION(set_key) {
  if (PG_ARGISNULL(0) || VARSIZE_ANY_EXHDR(PG_GETARG_BYTEA_PP(0)) != branchfs::mask::Key::kSize) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("branchfs_mask: a key has 32 bytes")));
  }
  if (!server::session.wipes) {
    before_shmem_exit(server::wipe, 0);
    server::session.wipes = true;
  }
  const bytea* bytes = PG_GETARG_BYTEA_PP(0);
  server::session.key = branchfs::mask::Key(reinterpret_cast<const unsigned char*>(VARDATA_ANY(bytes)));
  server::session.has_key = true;
  ++server::session.keys;
  server::session.has_seed = false;
  PG_RETURN_VOID();
}

BRANCHFS_FUNCTION(begin) {
  if (PG_ARGISNULL(0)) PG_RETURN_BOOL(false);
  server::start_row(server::seed_of(fcinfo, 0), !PG_ARGISNULL(1) && PG_GETARG_BOOL(1));
  PG_RETURN_BOOL(true);
}

BRANCHFS_FUNCTION(begin_random) {
  Seed seed;
  if (!pg_strong_random(&seed, sizeof seed))
    ereport(ERROR, (errmsg("branchfs_mask: the system gives no random bytes")));
  server::start_row(seed, !PG_ARGISNULL(0) && PG_GETARG_BOOL(0));
  PG_RETURN_BOOL(true);
}
