// The forms in which a value may stand in a file: what programs make of text, and what PostgreSQL stores for a type.
//
// Each appends to a buffer that wipes itself. Plain functions; any thread.
#pragma once

#include <string_view>

#include "tools/mask/proof/secret_memory.h"

namespace branchfs::mask {

// `text` is UTF-8, or else taken as Latin-1.
void append_utf16(SecretBytes& out, std::string_view text, bool big_endian);
// Without zeros: its UTF-16 form is itself with a zero beside every byte.
bool is_ascii(std::string_view text);
void append_hex(SecretBytes& out, std::string_view bytes, bool upper);
// The base64 digits that `bytes` determine alone when `before` (0, 1, 2) bytes stand before them in their group of three.
void append_base64(SecretBytes& out, std::string_view bytes, unsigned before);
// As a JSON string has it inside; equal to `text` when nothing has to be escaped.
void append_json_escaped(SecretBytes& out, std::string_view text);

// The bytes on disk of a value of type `base_type` (pg_type.typname) given as text: int8 from ±2^40 on, float8, timestamp, timestamptz,
// uuid, numeric, bytea. False when the type's form is its text, or this one is too short or too ordinary to be searched for.
bool append_on_disk(SecretBytes& out, std::string_view base_type, std::string_view text);
// A timestamp of whole seconds: many rows share it by chance.
bool is_whole_seconds(std::string_view base_type, std::string_view text);

}  // namespace branchfs::mask
