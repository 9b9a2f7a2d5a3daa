// How clients reach a branch: the libpq URL and the environment variables. Plain functions, any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace branchfs::pg {

struct Access {
  std::string host = "127.0.0.1";
  int port = 0;
  std::string user;
  std::string password;
  std::string database;
};

// postgresql://user:password@host:port/database, percent-encoded; without the password when it is empty.
std::string make_url(const Access& access);
// PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE, DATABASE_URL.
std::vector<std::pair<std::string, std::string>> make_client_environment(const Access& access);
// Other variables that would redirect a client: to be taken out of its environment ("PG*" of Command::unset).
std::vector<std::string> redirecting_variables();

std::string percent_encode(std::string_view text);

}  // namespace branchfs::pg
