#include "tools/mask/rules/types.h"

#include <algorithm>
#include <array>
#include <utility>

namespace branchfs::mask {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;
constexpr std::array kTypes{
    Pair{"bigint", "int8"},
    Pair{"bit varying", "varbit"},
    Pair{"bool", "bool"},
    Pair{"boolean", "bool"},
    Pair{"bpchar", "bpchar"},
    Pair{"bytea", "bytea"},
    Pair{"char", "bpchar"},
    Pair{"character", "bpchar"},
    Pair{"character varying", "varchar"},
    Pair{"cidr", "cidr"},
    Pair{"date", "date"},
    Pair{"daterange", "daterange"},
    Pair{"decimal", "numeric"},
    Pair{"double precision", "float8"},
    Pair{"float", "float8"},
    Pair{"float4", "float4"},
    Pair{"float8", "float8"},
    Pair{"inet", "inet"},
    Pair{"int", "int4"},
    Pair{"int2", "int2"},
    Pair{"int4", "int4"},
    Pair{"int4range", "int4range"},
    Pair{"int8", "int8"},
    Pair{"int8range", "int8range"},
    Pair{"integer", "int4"},
    Pair{"interval", "interval"},
    Pair{"json", "json"},
    Pair{"jsonb", "jsonb"},
    Pair{"macaddr", "macaddr"},
    Pair{"macaddr8", "macaddr8"},
    Pair{"money", "money"},
    Pair{"name", "name"},
    Pair{"numeric", "numeric"},
    Pair{"numrange", "numrange"},
    Pair{"point", "point"},
    Pair{"real", "float4"},
    Pair{"smallint", "int2"},
    Pair{"text", "text"},
    Pair{"time", "time"},
    Pair{"time with time zone", "timetz"},
    Pair{"time without time zone", "time"},
    Pair{"timestamp", "timestamp"},
    Pair{"timestamp with time zone", "timestamptz"},
    Pair{"timestamp without time zone", "timestamp"},
    Pair{"timestamptz", "timestamptz"},
    Pair{"timetz", "timetz"},
    Pair{"tsrange", "tsrange"},
    Pair{"tstzrange", "tstzrange"},
    Pair{"tsvector", "tsvector"},
    Pair{"uuid", "uuid"},
    Pair{"varbit", "varbit"},
    Pair{"varchar", "varchar"},
    Pair{"xml", "xml"},
};

}  // namespace

std::string_view builtin_type(std::string_view name) {
  const auto* found =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const Pair& pair) { return pair.first == name; });
  return found == kTypes.end() ? std::string_view() : found->second;
}

bool is_text_type(std::string_view type) {
  return type == "text" || type == "varchar" || type == "bpchar" || type == "name";
}

}  // namespace branchfs::mask
