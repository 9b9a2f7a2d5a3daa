// The closing steps by name, and the tests' way to leave one out.
//
// A test of the proof skips a step and expects the proof to find what the step would have removed. Only builds with tests look at
// BRANCHFS_TEST_SKIP_CLOSING (names separated by commas; one that is done for each of several things takes the thing's name too:
// "rewrite:public.users"). The step "structure" is the half of the proof that looks at files and no bytes: without it the search for
// originals stands alone.
#pragma once

#include <string_view>

namespace branchfs::mask {

// Whether the closing step of this name is to be done: always, but in a test that says otherwise.
bool does_step(std::string_view name);
// The same for one of the things that it is done for.
bool does_step(std::string_view name, std::string_view thing);

}  // namespace branchfs::mask
