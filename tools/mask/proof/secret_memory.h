// Memory for originals: kept out of swap and core dumps where the limits allow it, wiped before it is given back.
//
// An allocator for standard containers. Large pieces are mapped by themselves; that locking them fails (RLIMIT_MEMLOCK is
// 8 MiB by default) is no error: the promise is "never written to disk by us". Threads: any.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

namespace branchfs::mask {

template <class T>
struct SecretAllocator {
  using value_type = T;
  SecretAllocator() = default;
  template <class U>
  SecretAllocator(const SecretAllocator<U>&) {}  // NOLINT: containers rebind

  static constexpr std::size_t kMapped = std::size_t{1} << 20;

  T* allocate(std::size_t count) {
    const std::size_t size = count * sizeof(T);
    if (size < kMapped) return static_cast<T*>(::operator new(size));
    void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    ::mlock(at, size);
    ::madvise(at, size, MADV_DONTDUMP);
    ::madvise(at, size, MADV_HUGEPAGE);  // the tables are read at random: fewer TLB misses
    return static_cast<T*>(at);
  }
  void deallocate(T* at, std::size_t count) {
    const std::size_t size = count * sizeof(T);
    ::explicit_bzero(at, size);
    if (size < kMapped) {
      ::operator delete(at);
    } else {
      ::munmap(at, size);
    }
  }
  template <class U>
  bool operator==(const SecretAllocator<U>&) const {
    return true;
  }
};

template <class T>
using SecretVector = std::vector<T, SecretAllocator<T>>;
using SecretBytes = SecretVector<char>;

}  // namespace branchfs::mask
