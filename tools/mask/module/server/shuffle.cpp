// shuffle_*: the values of a column, remembered in this session and given out in keyed order.
#include "tools/mask/functions/permute.h"
#include "tools/mask/module/server/glue.h"

extern "C" {
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
}

namespace branchfs::mask::server {
namespace {

struct Slot {
  Slot* next;
  int32 number;
  Oid type;
  int16 length;
  bool by_value;
  Datum* values;
  bool* nulls;
  std::uint64_t count, capacity, given;
};

MemoryContext memory = nullptr;
Slot* slots = nullptr;

Slot* find(int32 number) {
  for (Slot* slot = slots; slot != nullptr; slot = slot->next) {
    if (slot->number == number) return slot;
  }
  return nullptr;
}

Slot* make(int32 number, Oid type) {
  if (memory == nullptr)
    memory = AllocSetContextCreate(TopMemoryContext, "branchfs_mask shuffle", ALLOCSET_DEFAULT_SIZES);
  auto* slot = static_cast<Slot*>(MemoryContextAllocZero(memory, sizeof(Slot)));
  slot->number = number;
  slot->type = type;
  get_typlenbyval(type, &slot->length, &slot->by_value);
  slot->capacity = 1024;
  slot->values = static_cast<Datum*>(MemoryContextAllocHuge(memory, slot->capacity * sizeof(Datum)));
  slot->nulls = static_cast<bool*>(MemoryContextAllocHuge(memory, slot->capacity * sizeof(bool)));
  slot->next = slots;
  slots = slot;
  return slot;
}

Slot& slot_of(FunctionCallInfo fcinfo, bool create) {
  if (PG_ARGISNULL(0))
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("branchfs_mask: the slot is NULL")));
  const int32 number = PG_GETARG_INT32(0);
  const Oid type = get_fn_expr_argtype(fcinfo->flinfo, 1);
  Slot* slot = find(number);
  if (slot == nullptr && create) slot = make(number, type);
  if (slot == nullptr || slot->count == 0) {
    if (!create) ereport(ERROR, (errmsg("branchfs_mask: nothing was collected in slot %d", number)));
  }
  if (slot->type != type) {
    ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                    errmsg("branchfs_mask: slot %d has values of another type", number)));
  }
  return *slot;
}

}  // namespace
}  // namespace branchfs::mask::server

namespace server = branchfs::mask::server;

BRANCHFS_FUNCTION(shuffle_collect) {
  server::Slot& slot = server::slot_of(fcinfo, true);
  if (slot.count == slot.capacity) {
    slot.capacity *= 2;
    slot.values = static_cast<Datum*>(repalloc_huge(slot.values, slot.capacity * sizeof(Datum)));
    slot.nulls = static_cast<bool*>(repalloc_huge(slot.nulls, slot.capacity * sizeof(bool)));
  }
  const bool null = PG_ARGISNULL(1);
  const MemoryContext before = MemoryContextSwitchTo(server::memory);
  Datum value = 0;
  if (!null && slot.length == -1) {
    value = PointerGetDatum(PG_DETOAST_DATUM_COPY(PG_GETARG_DATUM(1)));
  } else if (!null) {
    value = datumCopy(PG_GETARG_DATUM(1), slot.by_value, slot.length);
  }
  MemoryContextSwitchTo(before);
  slot.values[slot.count] = value;
  slot.nulls[slot.count] = null;
  ++slot.count;
  slot.given = 0;
  PG_RETURN_INT32(1);
}

BRANCHFS_FUNCTION(shuffle_next) {
  server::Slot& slot = server::slot_of(fcinfo, false);
  const std::uint64_t turn = slot.given++ % slot.count;
  const auto key = server::session_key().shuffle(static_cast<std::uint64_t>(slot.number));
  const std::uint64_t at = branchfs::mask::permute_integer(key, turn, slot.count - 1);
  if (slot.nulls[at]) PG_RETURN_NULL();
  PG_RETURN_DATUM(slot.values[at]);
}

BRANCHFS_FUNCTION(shuffle_clear) {
  server::slots = nullptr;
  if (server::memory != nullptr) MemoryContextReset(server::memory);
  PG_RETURN_VOID();
}
