// The server's headers for C++, and what the files of the module share: the session's key, the row's seed,
// counters.
//
// Runs inside a backend: one thread. Errors leave by ereport, which is a longjmp: nothing here has a
// destructor, nothing throws, memory comes from palloc. No message holds a value.
#pragma once

// s_lock.h of PostgreSQL 15 and older says `register`, which C++17 forgot.
#define register
extern "C" {
// postgres.h comes first.
// clang-format off
#include "postgres.h"
#include "fmgr.h"
// clang-format on
}
#undef register

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tools/mask/functions/generate.h"
#include "tools/mask/functions/seed.h"

namespace branchfs::mask::server {

const Key& session_key();    // an error when there is none
std::uint64_t key_number();  // of the session's keys, from 1: what was made with another is stale
const Seed& row_seed();    // an error before begin()
bool wants_token();
// The how-manieth call of this function since begin(). `name`: name_hash.
std::uint32_t next_call(std::uint64_t name);
Draw next_draw(std::string_view function);

// The seed of an argument, by its type (see begin() in module.h). The argument is not NULL.
Seed seed_of(FunctionCallInfo fcinfo, int argument);

// A text of ours (UTF-8) in the database's encoding; accents are dropped where it has none.
text* to_text(std::string_view utf8);
inline std::string_view view(const text* value) { return {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)}; }

}  // namespace branchfs::mask::server

// A function that SQL calls as branchfs_mask_<name>.
#define BRANCHFS_FUNCTION(name)              \
  extern "C" {                               \
  PG_FUNCTION_INFO_V1(branchfs_mask_##name); \
  }                                          \
  PGDLLEXPORT Datum branchfs_mask_##name([[maybe_unused]] FunctionCallInfo fcinfo)
