#include "tools/mask/module/module.h"

#include <unistd.h>

#include <sys/stat.h>

#include <filesystem>
#include <string_view>

#include "tools/mask/functions/catalog.h"

namespace branchfs::mask {
namespace {

// What the engine calls, besides the catalog.
struct Call {
  std::string_view name, arguments, returns, symbol, attributes;
};
constexpr std::string_view kVolatile = "VOLATILE PARALLEL UNSAFE";
// Volatile too: their result depends on the key, so no expression with one may be folded into a constant.
constexpr std::string_view kPermutation = "VOLATILE STRICT PARALLEL UNSAFE";
constexpr Call kCalls[] = {
    {"set_key", "key bytea", "void", "set_key", kVolatile},
    {"begin", "value \"any\", unique_token boolean", "boolean", "begin", kVolatile},
    {"begin_random", "unique_token boolean", "boolean", "begin_random", kVolatile},
    {"permute", "v smallint, low smallint, high smallint, domain text", "smallint", "permute_int2",
     kPermutation},
    {"permute", "v integer, low integer, high integer, domain text", "integer", "permute_int4", kPermutation},
    {"permute", "v bigint, low bigint, high bigint, domain text", "bigint", "permute_int8", kPermutation},
    {"permute", "v date, low date, high date, domain text", "date", "permute_date", kPermutation},
    {"permute", "v text, domain text, alphabet text", "text", "permute_text", kPermutation},
    {"permute", "v uuid, domain text, alphabet text", "uuid", "permute_uuid", kPermutation},
    {"permute", "v bytea, domain text, alphabet text", "bytea", "permute_bytea", kPermutation},
    {"permute", "v numeric, domain text, alphabet text", "numeric", "permute_numeric", kPermutation},
    {"shuffle_collect", "slot integer, value anyelement", "integer", "shuffle_collect", kVolatile},
    {"shuffle_next", "slot integer, value anyelement", "anyelement", "shuffle_next", kVolatile},
    // For functions of the catalog that are written in SQL.
    {"random_timestamp_between", "low timestamp without time zone, high timestamp without time zone",
     "timestamp without time zone", "random_timestamp_between", kVolatile},
    {"shuffle_clear", "", "void", "shuffle_clear", kVolatile},
};

std::string literal(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    out += c;
    if (c == '\'') out += c;
  }
  return out + "'";
}

std::string signature_sql(std::string_view name, std::string_view arguments, std::string_view returns) {
  std::string sql = "CREATE FUNCTION " + std::string(kSchema) + ".\"";
  return sql.append(name).append("\"(").append(arguments).append(") RETURNS ").append(returns);
}

std::string create_sql_function(const Signature& row) {
  std::string sql = signature_sql(row.name, row.arguments, row.returns);
  sql.append(" LANGUAGE sql ").append(kVolatile);
  return sql.append(" AS ").append(literal(row.symbol)).append(";\n");
}

std::string create_function(std::string_view name, std::string_view arguments, std::string_view returns,
                            std::string_view module, std::string_view symbol, std::string_view attributes) {
  std::string sql = signature_sql(name, arguments, returns);
  sql.append(" LANGUAGE c ").append(attributes).append(" AS ").append(literal(module)).append(", ");
  return sql + literal(symbol) + ";\n";
}

// The server runs what it loads: above a program in /tmp anybody could have put a module.
bool belongs_to(const std::filesystem::path& program, const std::filesystem::path& module) {
  struct ::stat ours {};
  struct ::stat st {};
  return ::stat(program.c_str(), &ours) == 0 && ::stat(module.c_str(), &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_IWOTH) == 0 &&
         (st.st_uid == 0 || st.st_uid == ours.st_uid);
}

}  // namespace

Result<std::string> find_module(int major) {
  const std::string number = std::to_string(major);
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return make_error(Kind::failed, "find the masking module: " + error.message());
  // In a build tree, programs and tests lie at different depths below the directory that has tools/.
  std::filesystem::path directory = program.parent_path();
  for (int depth = 0; depth < 5; ++depth, directory = directory.parent_path()) {
    for (const auto& path : {directory / ("tools/mask/module/branchfs_mask-" + number + ".so"),
                             directory / "lib/branchfs" / number / "branchfs_mask.so"}) {
      if (belongs_to(program, path)) return path.string();
    }
  }
  return make_error(Kind::not_found, "no masking module for PostgreSQL " + number + " was built",
                    "install postgresql-server-dev-" + number + " and build branchfs again");
}

std::string install_sql(const std::string& module_path) {
  std::string sql = "CREATE SCHEMA " + std::string(kSchema) + ";\n";
  for (const Call& call : kCalls) {
    sql += create_function(call.name, call.arguments, call.returns, module_path,
                           "branchfs_mask_" + std::string(call.symbol), call.attributes);
  }
  // A function in SQL is checked against those it calls: the module's own come first.
  std::string in_sql;
  for (const Signature& row : signatures()) {
    if (row.symbol.starts_with("SELECT ")) {
      in_sql += create_sql_function(row);
    } else {
      sql += create_function(row.name, row.arguments, row.returns, module_path, row.symbol, kVolatile);
    }
  }
  return sql + in_sql;
}

}  // namespace branchfs::mask
