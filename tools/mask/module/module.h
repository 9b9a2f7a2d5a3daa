// The server module: how the masking functions get into a server, and what the engine calls besides them.
//
// One shared object per PostgreSQL major, built against its headers. The engine copies it into the private runtime
// directory of the sealed server (whose user can read nothing else of ours) and runs install_sql(). Everything lives in the
// schema kSchema, which the engine drops at the end; a real `anon` in the database is left alone.
//
// In SQL, all in kSchema, all VOLATILE PARALLEL UNSAFE but for the permutations (STRICT):
//   set_key(key bytea)                      32 bytes, for this session only; passed as a bind parameter, never as text
//   begin(value "any", unique_token bool)   remembers the seed of what follows in this expression: `value`, canonical, so that
//                                           equal values of different types (int4, int8, numeric; text, varchar, bpchar; citext by
//                                           its lower case) give equal seeds. False for NULL, true otherwise. unique_token: functions
//                                           whose Uniqueness is `extended` append a token of 60 bits or more
//   begin_random(unique_token bool)         a seed from the operating system's randomness, new in each call ("compat": "anon"); true
//   permute(v, low, high, domain text)      smallint, integer, bigint, date: a keyed permutation of [low, high]
//   permute(v, domain text, alphabet text)  text, uuid, bytea, numeric (integral, digits kept): format-preserving; `alphabet`: "" every letter and digit
//                                           within its own kind, "digits", "luhn" (digits, check digit recomputed), "iban"
//   shuffle_collect(slot int, value anyelement)   remembers the value in this session; returns 1 (for count() over the table)
//   shuffle_next(slot int, value anyelement)      the next of the slot's values in keyed order; `value` says the type only
//   shuffle_clear()                               forgets them
// With the same key, seed and function the value is the same, in any table, branch and run, on any machine.
// Threads: any. Errors: not_found when no module was built for the major.
#pragma once

#include <string>

#include "layers/base/result.h"

namespace branchfs::mask {

inline constexpr const char* kSchema = "branchfs_mask";

// The module for a major: next to the program (build tree), else in the installation's lib/branchfs/MAJOR/.
Result<std::string> find_module(int major);

// CREATE SCHEMA and all CREATE FUNCTIONs, for the module file as the server sees it.
std::string install_sql(const std::string& module_path);

}  // namespace branchfs::mask
