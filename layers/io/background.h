// Work that yields to everybody else: a thread with idle I/O priority and nice 19, which threads that it starts inherit.
// The caller waits for it. Never for work under the store lock: others would wait for somebody who gives way to everyone.
#pragma once

#include <functional>

#include "layers/base/result.h"

namespace branchfs {

Status in_background(const std::function<Status()>& work);

}  // namespace branchfs
