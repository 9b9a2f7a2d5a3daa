#include "tools/pg/initdb.h"

#include <locale.h>  // newlocale is not in <clocale>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "tools/pg/process.h"

namespace branchfs::pg {
namespace {

bool gives(const std::vector<std::string>& options, std::initializer_list<std::string_view> prefixes) {
  return std::any_of(options.begin(), options.end(), [&](const std::string& option) {
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [&](std::string_view one) { return option.starts_with(one); });
  });
}

bool locale_exists(const char* name) {
  const locale_t known = newlocale(LC_ALL_MASK, name, nullptr);
  if (known == nullptr) return false;
  freelocale(known);
  return true;
}

}  // namespace

std::vector<std::string> initdb_arguments(const std::string& dir, const std::vector<std::string>& options) {
  std::vector<std::string> args = {"-D", dir, "--no-sync"};
  if (!gives(options, {"-U", "--username"})) args.emplace_back("--username=postgres");
  if (!gives(options, {"-E", "--encoding"})) args.emplace_back("--encoding=UTF8");
  if (!gives(options, {"--locale", "--no-locale", "--lc-"})) {
    args.emplace_back(locale_exists("C.UTF-8") ? "--locale=C.UTF-8" : "--locale=C");
  }
  if (!gives(options, {"-k", "--data-checksums", "--no-data-checksums"}))
    args.emplace_back("--data-checksums");
  if (!gives(options, {"-A", "--auth"})) {
    args.emplace_back("--auth-local=trust");
    args.emplace_back("--auth-host=scram-sha-256");
  }
  args.insert(args.end(), options.begin(), options.end());
  return args;
}

Status run_initdb(const Installation& installation, const std::string& dir, const Identity& user,
                  const std::vector<std::string>& options) {
  if (user.uid == 0) {
    return make_error(Kind::refused, "initdb refuses to run as root", "name an ordinary user with --user");
  }
  if (::mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) return sys_error("create " + dir);
  if (geteuid() == 0 && ::lchown(dir.c_str(), user.uid, user.gid) != 0) return sys_error("chown " + dir);
  BFS_TRY(check_reachable(dir, user));
  Command command;
  command.argv = initdb_arguments(dir, options);
  command.argv.insert(command.argv.begin(), installation.program("initdb"));
  command.unset = {"PG*"};
  command.cwd = "/";
  command.user = user;
  auto done = succeed(command);
  if (!done) return std::move(done).error();
  return {};
}

}  // namespace branchfs::pg
