#include "tools/lifecycle/auto_pack.h"

#include <fcntl.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <string_view>

#include "tools/pg/process.h"

namespace branchfs {
namespace {

// This program, when it is branchfs itself (and not a test that links its commands).
std::string own_program() {
  std::string path(PATH_MAX, '\0');
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
  path.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  return path.ends_with("/branchfs") ? path : std::string();
}

bool is_switched_off() {
  const char* value = std::getenv("BRANCHFS_AUTO_PACK");
  return value != nullptr && std::string_view(value) == "0";
}

bool is_being_packed(Env& env, const std::string& delta_dir) {
  auto lock = env.open(delta_dir + "/pack.lock", O_RDWR);
  if (!lock) return false;
  auto is_free = (*lock)->try_lock(LockMode::exclusive);
  return is_free.ok() && !*is_free;
}

}  // namespace

void pack_when_deep(const Store& store, const std::string& name, const std::vector<ObjectId>& stack) {
  if (is_switched_off()) return;
  std::size_t depth = 0;
  while (depth < stack.size() && !store.env().exists(store.layer_path(stack[depth]))) ++depth;
  if (depth < kPackAtDepth || is_being_packed(store.env(), store.delta_dir(stack[depth - 1]))) return;
  const std::string program = own_program();
  if (program.empty()) return;
  pg::Command command;
  command.argv = {program, "--store", store.dir(), "--quiet", "pack", name};
  ignore(pg::start_daemon(command, "/dev/null"));
}

}  // namespace branchfs
