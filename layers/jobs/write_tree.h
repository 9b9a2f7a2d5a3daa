// The tree that a view shows, written as one layer: what pack and compact have in common. Reads the view,
// which nobody writes; feeds the writer; publishes nothing. Threads: one.
#pragma once

#include <functional>

#include "layers/branch/view.h"
#include "layers/format/layer_writer.h"

namespace branchfs {

struct WriteTreeOptions {
  // Blocks that layers hold: named in place (pack), or copied so that the new layer needs no other (compact).
  bool copy_layers = false;
  // Told the block bytes handled; false stops with ECANCELED.
  std::function<bool(std::uint64_t bytes)> progress;
};
Status write_tree(View& view, LayerWriter& writer, const WriteTreeOptions& options);

}  // namespace branchfs
