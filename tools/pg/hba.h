// pg_hba.conf of a branch: SCRAM on loopback, trust on the private socket (its directory and the socket are
// 0700, so only the server's user and root get that far). The source's rules follow as comments; rules that
// hold a password are left out. Plain functions; applying one twice changes nothing.
#pragma once

#include <string>
#include <string_view>

namespace branchfs::pg {

std::string branch_hba(std::string_view source);
// Whether it has rules in force other than ours.
bool has_foreign_rules(std::string_view source);

}  // namespace branchfs::pg
