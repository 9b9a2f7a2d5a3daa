// What the tests of open branches share.
#pragma once

#include <sys/wait.h>

#include <functional>

#include "layers/jobs/jobs.h"
#include "tests/support/hook_env.h"
#include "tests/support/scratch.h"

namespace branchfs::test {

inline Ino make_file(Branch& branch, const std::string& name, std::uint32_t mode = S_IFREG | 0600) {
  NewNode node;
  node.parent = kRootIno;
  node.name = name;
  node.mode = mode;
  return must(branch.create(node)).ino;
}
inline void write(Branch& branch, Ino ino, std::uint64_t offset, const std::string& data) {
  must(branch.write(ino, offset, std::as_bytes(std::span(data))));
}
inline Ino ino_of(Branch& branch, const std::string& name) { return must(branch.lookup(kRootIno, name)).ino; }
inline Result<std::string> try_read(Branch& branch, Ino ino) {
  std::string bytes(must(branch.getattr(ino)).size + 10, '?');
  BFS_ASSIGN(std::size_t got, branch.read(ino, 0, std::as_writable_bytes(std::span(bytes))));
  bytes.resize(got);
  return bytes;
}
// Runs of equal bytes, "8192×a 3×b": what a failed comparison can show.
inline std::string shape(const std::string& bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes.size();) {
    std::size_t end = std::min(bytes.find_first_not_of(bytes[i], i), bytes.size());
    out += std::to_string(end - i) + "×" + (bytes[i] == '\0' ? std::string("NUL") : std::string(1, bytes[i])) + " ";
    i = end;
  }
  return out;
}
inline std::string read(Branch& branch, const std::string& name) {
  return shape(must(try_read(branch, ino_of(branch, name))));
}
inline std::string read(ScratchStore& store, const std::string& branch, const std::string& name) {
  auto open = store.open(branch, OpenMode::read_only);
  return read(*open, name);
}
inline void resize(Branch& branch, Ino ino, std::uint64_t size) {
  SetAttr change;
  change.size = size;
  must(branch.setattr(ino, change));
}
inline void chmod(Branch& branch, Ino ino, std::uint32_t mode) {
  SetAttr change;
  change.mode = mode;
  must(branch.setattr(ino, change));
}

inline std::string blocks(char c, std::size_t count) { return std::string(count * kBlockSize, c); }

// Runs `work` in a process of its own that ends without destructors, as kill -9 would end it.
inline void in_killed_process(const std::function<void()>& work) {
  ::pid_t child = ::fork();
  if (child == 0) {
    try {
      work();
    } catch (...) {
      ::_exit(1);  // a failed assertion
    }
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 0);
}

}  // namespace branchfs::test
