// The self-signed certificate that a store's branches use on TCP.
//
// Made once per directory (ECDSA P-256, for localhost and the loopback addresses, valid for 20 years) and
// copied into each branch's data directory. Two processes may race to make it: the directory appears by one
// rename, the loser uses the winner's. Durable when returned. server.key is 0600, the directory 0700.
// Errors: failed (OpenSSL, I/O).
#pragma once

#include <string>

#include "layers/base/result.h"

namespace branchfs::pg {

struct Certificate {
  std::string certificate;  // PEM, also what a client names as sslrootcert
  std::string key;          // PEM, secret
};

Result<Certificate> make_certificate();
// Reads DIR/server.crt and DIR/server.key; makes them first when DIR does not exist.
Result<Certificate> ensure_certificate(const std::string& dir);

}  // namespace branchfs::pg
