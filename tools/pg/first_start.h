// The first start of a branch: neutralized, started, given its password, its subscriptions disabled.
//
// One call for what must never be half done: when a step fails, the server is stopped again and the next call
// begins anew (each step is idempotent). Later starts need start_server() only. The caller holds the branch
// lock and has chosen port and runtime directory. `Facts` is what a branch's manifest keeps under "postgres";
// the password is not in it (store_secret()). Errors: those of neutralize.h, server.h and credentials.h.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/pg/neutralize.h"
#include "tools/pg/server.h"
#include "tools/pg/session.h"

namespace branchfs::pg {

struct Facts {
  int major = 0;
  std::uint64_t system_identifier = 0;
  int port = 0;             // 0: not chosen yet
  std::string runtime_dir;  // socket and log
  std::string role;         // whom the URL names
  std::string database;
  bool configured = false;  // neutralized, with this port and runtime directory: a plain pg_ctl is safe
  bool prepared = false;    // the first start has happened
  std::vector<std::string> neutralized;

  // Appends what is not there yet.
  void add_neutralized(const std::vector<std::string>& items);
};

nlohmann::json to_json(const Facts& facts);
Facts facts_from_json(const nlohmann::json& json);  // what is missing or of a wrong type keeps its default

struct FirstStart {
  ServerSpec server;
  NeutralizeOptions neutralize;  // port, socket_dir, installation and major are filled in from `server`
  std::string password;
  std::string role;  // whose password it is; created when missing; empty: the bootstrap superuser
};

struct FirstStartResult {
  Facts facts;
  std::vector<std::string> warnings;
};

// Starts the server and connects to it as a superuser: the recorded role, the user's own name, postgres, or whom the stopped
// cluster names when none of these is one.
Result<Session> start_and_connect(const ServerSpec& server, const Facts& known);

// `known` are the facts of the branch it was made from, or those of its import.
Result<FirstStartResult> first_start(FirstStart request, Facts known);

}  // namespace branchfs::pg
