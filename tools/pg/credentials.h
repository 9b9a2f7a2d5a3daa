// A branch's password and the role that carries it.
//
// The password never appears in argv, in a statement (the server gets a SCRAM verifier) or in a log; it is
// kept in a file of mode 0600. Connections to set it go over the private socket, where pg_hba.conf trusts
// whoever can enter the 0700 directory. Threads: any. Errors: failed, also when no usable
// superuser exists.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/pg/binaries.h"
#include "tools/pg/identity.h"
#include "tools/pg/session.h"

namespace branchfs::pg {

// 32 URL-safe characters, 192 random bits.
Result<std::string> generate_password();

// SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>, as pg_authid stores it (RFC 5803). Printable
// ASCII only: for anything else SASLprep would have to be applied.
Result<std::string> scram_verifier(std::string_view password);
Result<std::string> scram_verifier(std::string_view password, std::string_view salt, int iterations);

Status store_secret(const std::string& path, std::string_view secret);
Result<std::string> load_secret(const std::string& path);
// For main(): a crash of the tool must not write passwords into a core file.
void forbid_core_dumps();

// Connects as a superuser that may log in, the bootstrap one (oid 10) first. `names` are tried to get in: the
// recorded role; the data directory owner's name and "postgres" are added.
Result<Session> open_superuser(const SessionTarget& server, std::vector<std::string> names);
// The same question put to a stopped cluster with `postgres --single` (the first call after import of a
// cluster whose superuser has an unusual name). Runs crash recovery if it is needed.
Result<std::string> find_superuser_offline(const Installation& installation, const std::string& data_dir,
                                           const Identity& user);

// Gives `role` this password without an end date; creates it as a superuser when it does not exist.
Status set_password(Session& superuser, const std::string& role, std::string_view password);

}  // namespace branchfs::pg
