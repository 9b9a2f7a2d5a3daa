// The engine above a host whose calls are interrupted (EINTR) or do a part of what was asked, as signals and some filesystems make
// them: nobody may notice. The calls of libc and of liburing are replaced here, for the whole program.
#include <dlfcn.h>
#include <fcntl.h>
#include <liburing.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <fstream>

#include "layers/jobs/jobs.h"
#include "tests/catch.h"
#include "tests/unit/jobs/support.h"

namespace {

std::atomic<bool> disturbing{false};
std::atomic<std::size_t> interruptions{0};
std::atomic<std::size_t> parts{0};

// Every other call of a thread is interrupted.
bool interrupted() {
  thread_local bool next = false;
  if (!disturbing.load()) return false;
  next = !next;
  if (!next) return false;
  interruptions.fetch_add(1);
  errno = EINTR;
  return true;
}

std::size_t part_of(std::size_t size) {
  if (!disturbing.load() || size < 2) return size;
  parts.fetch_add(1);
  return size / 2;
}

template <class Function>
Function real(Function, const char* name) {
  static void* const found = ::dlsym(RTLD_NEXT, name);
  return reinterpret_cast<Function>(found);
}

}  // namespace

extern "C" {

ssize_t pread64(int fd, void* to, size_t size, off64_t offset) {
  if (interrupted()) return -1;
  return real(&pread64, "pread64")(fd, to, part_of(size), offset);
}
ssize_t pwrite64(int fd, const void* from, size_t size, off64_t offset) {
  if (interrupted()) return -1;
  return real(&pwrite64, "pwrite64")(fd, from, part_of(size), offset);
}
ssize_t write(int fd, const void* from, size_t size) {
  if (interrupted()) return -1;
  return real(&write, "write")(fd, from, size);
}
int fsync(int fd) {
  if (interrupted()) return -1;
  return real(&fsync, "fsync")(fd);
}
int fdatasync(int fd) {
  if (interrupted()) return -1;
  return real(&fdatasync, "fdatasync")(fd);
}
int ftruncate64(int fd, off64_t size) noexcept {
  if (interrupted()) return -1;
  return real(&ftruncate64, "ftruncate64")(fd, size);
}
int fallocate64(int fd, int mode, off64_t offset, off64_t size) {
  if (interrupted()) return -1;
  return real(&fallocate64, "fallocate64")(fd, mode, offset, size);
}
int flock(int fd, int how) noexcept {
  if (interrupted()) return -1;
  return real(&flock, "flock")(fd, how);
}
ssize_t copy_file_range(int in, off64_t* from, int out, off64_t* to, size_t size, unsigned flags) {
  if (interrupted()) return -1;
  return real(&copy_file_range, "copy_file_range")(in, from, out, to, part_of(size), flags);
}
int io_uring_submit(io_uring* ring) {
  if (interrupted()) return -EINTR;
  for (unsigned at = ring->sq.sqe_head; disturbing && at != ring->sq.sqe_tail; ++at) {
    io_uring_sqe& entry = ring->sq.sqes[at & *ring->sq.kring_mask];
    if (entry.opcode == IORING_OP_READ) entry.len = static_cast<unsigned>(part_of(entry.len));
  }
  return real(&io_uring_submit, "io_uring_submit")(ring);
}

}  // extern "C"

using namespace branchfs;
using namespace branchfs::test;

TEST_CASE("interrupted and partial calls change nothing", "[P8]") {
  ScratchStore store;
  const std::string source = store.dir() + "/source";
  make_source(source);
  disturbing = true;
  import_dir(store, source, "prod");
  must(create_branch(**store, "dev", "prod", {}));
  Picture wanted;
  {
    auto dev = store.open("dev");
    for (int i = 0; i < 20; ++i) {
      const Ino ino = make_file(*dev, kRootIno, "file" + std::to_string(i), text(10 + static_cast<std::uint64_t>(i), 9 * kBlockSize + 99));
      must(dev->sync(ino, i % 2 == 0));
    }
    const Ino shared = must(dev->lookup(kRootIno, "PG_VERSION")).ino;
    write(*dev, shared, 3, text(3, 2 * kBlockSize));
    store.fork_live(*dev, "dev", "child");
    write(*dev, shared, 100, text(4, kBlockSize));
    must(dev->sync_all());
    wanted = picture_of(*dev);
  }
  must(pack(**store, "dev"));
  must(compact(**store, "dev"));
  must(delete_branch(**store, "child"));
  must(collect_garbage(**store));
  check_clean(store);
  CHECK(picture_of(store, "dev") == wanted);
  disturbing = false;
  store.reopen();
  check_clean(store);
  CHECK(picture_of(store, "dev") == wanted);
  CHECK(wanted.contains("file19"));
  // Were the calls not replaced, this test could not fail.
  CHECK(interruptions > 100);
  CHECK(parts > 100);
}
