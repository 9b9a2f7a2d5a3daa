// How a tool talks to the process that has a branch mounted: one JSON object per connection, one back.
//
// The socket is branches/NAME/control, reachable only for the store's owner and root (directory 0700, and the server
// checks SO_PEERCRED). Requests: {"op":"freeze","name":NAME} (the caller holds the store lock),
// {"op":"status"}, {"op":"flush"}, {"op":"sync"}. Answers: {"ok":true,…} or
// {"ok":false,"kind":N,"errno":N,"error":TEXT,"hint":TEXT}. Messages: 4-byte little-endian length, then UTF-8 JSON, at most 1 MiB.
// Threads: functions are independent of each other.
#pragma once

#include <chrono>
#include <string>

#include <nlohmann/json.hpp>

#include "layers/base/result.h"

namespace branchfs {

// Listens on `dir`/control (paths longer than sun_path are reached through /proc/self/fd). Returns the socket's descriptor.
Result<int> control_listen(const std::string& dir);
// Sends one request and waits for the answer; an answer {"ok":false,…} comes back as the Error it describes.
// Kind::busy + ECONNREFUSED/ENOENT when nobody listens there; ETIMEDOUT when nobody answers in time.
Result<nlohmann::json> control_call(const std::string& dir, const nlohmann::json& request,
                                    std::chrono::milliseconds timeout);
// Server side, on an accepted connection (which stays the caller's): checks the peer, reads one request; sends an answer.
Result<nlohmann::json> control_receive(int connection, std::chrono::milliseconds timeout);
Status control_reply(int connection, const nlohmann::json& answer);
nlohmann::json control_error(const Error& error);

}  // namespace branchfs
