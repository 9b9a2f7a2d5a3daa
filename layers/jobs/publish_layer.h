// The step that makes a finished layer file part of the store (layers/FORMAT.md §3.8): tmp → layer, directory
// synced. Under the store lock (taken here unless given), with what it depends on still there: gc may have
// run while it was written. On error the temporary file is removed.
#pragma once

#include "layers/store/store.h"

namespace branchfs {

Status publish_layer(Store& store, ObjectId id, const StoreLock* lock);

}  // namespace branchfs
