// What creating and deleting a branch costs inside the store, without the start of a process for each: one line of microseconds
// per operation.
//
//   store-ops-bench STORE create PARENT PREFIX COUNT PAUSE_MS     PREFIX0 … from PARENT, which may be mounted
//   store-ops-bench STORE delete PREFIX COUNT
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

#include "layers/store/branches.h"

namespace branchfs {
namespace {

template <class T>
void check(const T& result) {
  if (result.ok()) return;
  std::fprintf(stderr, "store-ops-bench: %s\n", result.error().what.c_str());
  std::exit(1);
}

template <class Operation>
void timed(int count, std::chrono::milliseconds pause, const Operation& operation) {
  for (int i = 0; i < count; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    check(operation(std::to_string(i)));
    const auto took = std::chrono::steady_clock::now() - begin;
    std::printf("%.1f\n", std::chrono::duration<double, std::micro>(took).count());
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace
}  // namespace branchfs

int main(int argc, char** argv) {
  using namespace branchfs;
  const std::string_view operation = argc > 2 ? argv[2] : "";
  if (!(operation == "create" && argc == 7) && !(operation == "delete" && argc == 5)) {
    std::fputs("usage: store-ops-bench STORE create PARENT PREFIX COUNT PAUSE_MS | delete PREFIX COUNT\n", stderr);
    return 2;
  }
  auto store = Store::open(posix_env(), argv[1]);
  check(store);
  const std::string parent = argv[3];
  if (operation == "create") {
    const std::string prefix = argv[4];
    timed(std::atoi(argv[5]), std::chrono::milliseconds(std::atoi(argv[6])),
          [&](const std::string& n) { return create_branch(**store, prefix + n, parent, {}); });
  } else {
    timed(std::atoi(argv[4]), {}, [&](const std::string& n) { return delete_branch(**store, parent + n); });
  }
}
