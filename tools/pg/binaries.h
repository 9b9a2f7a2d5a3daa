// The PostgreSQL installations of this machine (majors 14 and up) and which of them serves a data directory.
//
// Searched in this order, the first of a major wins: $PGBIN, /usr/lib/postgresql/N/bin (Debian),
// /usr/pgsql-N/bin (Red Hat), /usr/local/pgsql/bin, the directory of `postgres` in PATH.
// Plain functions, any thread; nothing is cached. Errors: failed, naming the missing major, what was found
// instead and how to install it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "layers/base/result.h"

namespace branchfs::pg {

inline constexpr int kOldestMajor = 14;

struct Installation {
  int major = 0;
  std::string version;  // "15.20"
  std::string bin_dir;  // holds postgres, initdb, psql, ...
  std::string lib_dir;  // $libdir, where extension modules are
  bool has_tls = true;  // built with OpenSSL

  [[nodiscard]] std::string program(std::string_view name) const { return bin_dir + "/" + std::string(name); }
  // The file a preload entry ("pg_cron", "$libdir/x", "/opt/y.so") would load; empty when there is none.
  [[nodiscard]] std::string find_module(std::string_view entry) const;
};

// All of them, newest major first.
std::vector<Installation> find_installations();
Result<Installation> installation_for(int major);
Result<Installation> newest_installation();

// The major in DIR/PG_VERSION: `refused` when that is not a data directory or older than 14.
Result<int> read_major(const std::string& data_dir);
Result<int> parse_major(std::string_view pg_version_file);

}  // namespace branchfs::pg
