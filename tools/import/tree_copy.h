// The copying import: a scanned data directory goes into a TreeBuilder.
//
// Threads: one. Reads the source without changing it. Errors: whatever reading, the tree or `on_bytes` say.
#pragma once

#include <functional>

#include "layers/jobs/import.h"
#include "tools/import/source_scan.h"

namespace branchfs {

// Called with the bytes copied so far; an error stops the copy.
using OnBytes = std::function<Status(std::uint64_t done)>;

Status copy_tree(TreeBuilder& builder, const SourceScan& scan, const OnBytes& on_bytes);

}  // namespace branchfs
