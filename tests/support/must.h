// The value of a Result, or a failed test that says why.
#pragma once

#include <utility>

#include "layers/base/result.h"
#include "tests/catch.h"

namespace branchfs::test {

template <class T>
T must(Result<T> result) {
  if (!result.ok()) FAIL(result.error().what);
  return *std::move(result);
}
inline void must(Status status) {
  if (!status) FAIL(status.error().what);
}

}  // namespace branchfs::test
