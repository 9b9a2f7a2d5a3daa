// The functions that make a text out of the row's seed, or out of an argument: which one it is, its name in
// pg_proc says.
#include "tools/mask/functions/slice.h"
#include "tools/mask/module/server/glue.h"

extern "C" {
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
}

namespace branchfs::mask::server {
namespace {

const Generator* find_prefixed(std::string_view prefix, std::string_view rest) {
  char name[NAMEDATALEN];
  if (prefix.size() + rest.size() > sizeof name) return nullptr;
  memcpy(name, prefix.data(), prefix.size());
  memcpy(name + prefix.size(), rest.data(), rest.size());
  return find_generator({name, prefix.size() + rest.size()});
}

const Generator* generator_of(std::string_view name) {
  constexpr std::string_view kLocale = "_locale", kPseudo = "pseudo_", kSeeded = "seeded_";
  if (const Generator* found = find_generator(name)) return found;
  if (name.ends_with(kLocale)) return find_generator(slice(name, 0, name.size() - kLocale.size()));
  if (name.starts_with(kPseudo)) return find_prefixed("fake_", slice(name, kPseudo.size()));
  if (name.starts_with(kSeeded)) return find_prefixed("dummy_", slice(name, kSeeded.size()));
  return nullptr;
}

const Generator& look_up(FunctionCallInfo fcinfo) {
  const char* name = get_func_name(fcinfo->flinfo->fn_oid);
  const Generator* generator = name == nullptr ? nullptr : generator_of(name);
  if (generator == nullptr)
    ereport(ERROR, (errmsg("branchfs_mask: the module has no function of this name")));
  return *generator;
}

Locale locale_of(FunctionCallInfo fcinfo) {
  if (PG_NARGS() == 0 || PG_ARGISNULL(0)) return Locale::en_US;
  const auto locale = parse_locale(view(PG_GETARG_TEXT_PP(0)));
  if (!locale) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("branchfs_mask: unknown locale"),
                    errhint("There are: ar_SA, en_US, fr_FR, ja_JP, pt_BR, zh_CN, zh_TW.")));
  }
  return *locale;
}

bool is_ascii(std::string_view text) {
  for (const char c : text) {
    if ((c & 0x80) != 0) return false;
  }
  return true;
}

// Whether it has, beyond ASCII, letters from U+00C0 to U+00FF only: those that the western encodings share.
bool is_western(std::string_view utf8) {
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    if ((utf8[i] & 0x80) == 0) continue;
    if (utf8[i] != '\xC3') return false;
    ++i;
  }
  return true;
}

}  // namespace

text* to_text(std::string_view utf8) {
  const int encoding = GetDatabaseEncoding();
  if (encoding == PG_UTF8 || is_ascii(utf8))
    return cstring_to_text_with_len(utf8.data(), static_cast<int>(utf8.size()));
  const bool western = encoding == PG_LATIN1 || encoding == PG_LATIN9 || encoding == PG_WIN1252;
  if (western && is_western(utf8)) {
    return cstring_to_text(
        pg_any_to_server(pnstrdup(utf8.data(), utf8.size()), static_cast<int>(utf8.size()), PG_UTF8));
  }
  Writer ascii;
  put_ascii(utf8, ascii);
  if (ascii.size() == 0) ascii.put('?');
  return cstring_to_text_with_len(ascii.data(), static_cast<int>(ascii.size()));
}

}  // namespace branchfs::mask::server

namespace mask = branchfs::mask;
namespace server = branchfs::mask::server;

BRANCHFS_FUNCTION(text) {
  // Looked up once for each call of an expression.
  if (fcinfo->flinfo->fn_extra == nullptr) {
    fcinfo->flinfo->fn_extra = const_cast<mask::Generator*>(&server::look_up(fcinfo));
  }
  const auto& generator = *static_cast<const mask::Generator*>(fcinfo->flinfo->fn_extra);
  const mask::Locale locale = server::locale_of(fcinfo);
  const mask::Seed& seed = server::row_seed();
  mask::Writer out;
  generate(generator, seed, server::next_call(generator.hash), locale, server::wants_token(), out);
  PG_RETURN_TEXT_P(server::to_text(out.view()));
}

// fn_extra holds the reader of the seed's type, so the name is looked up in each call: these are rare.
BRANCHFS_FUNCTION(pseudo) {
  if (PG_ARGISNULL(0)) PG_RETURN_NULL();
  mask::Seed seed = server::seed_of(fcinfo, 0);
  if (PG_NARGS() > 1 && !PG_ARGISNULL(1)) seed = reseed(seed, server::view(PG_GETARG_TEXT_PP(1)));
  mask::Writer out;
  generate(server::look_up(fcinfo), seed, 0, mask::Locale::en_US, false, out);
  PG_RETURN_TEXT_P(server::to_text(out.view()));
}
