// Jobs spread over a few threads, each with a session of its own; the first error ends it.
//
// run_jobs() returns when all threads have ended. While they run the calling thread looks for Ctrl-C: `interrupt` must then make running
// statements fail (stop the server). Errors: the first job's, or "interrupted".
#pragma once

#include <cstddef>
#include <functional>

#include "tools/pg/session.h"

namespace branchfs::mask {

using Connect = std::function<Result<pg::Session>()>;
using Job = std::function<Status(pg::Session& session, std::size_t number)>;

Status run_jobs(std::size_t count, std::size_t threads, const Connect& connect, const std::function<void()>& interrupt,
                const Job& job);

}  // namespace branchfs::mask
