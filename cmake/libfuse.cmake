# PkgConfig::fuse3: the libfuse that scripts/libfuse.sh built (with the io_uring transport), else the system's (3.14 or later).
set(BRANCHFS_LIBFUSE_PREFIX "${PROJECT_SOURCE_DIR}/build/libfuse" CACHE PATH "libfuse of scripts/libfuse.sh; used where it exists")

if(EXISTS "${BRANCHFS_LIBFUSE_PREFIX}/lib/pkgconfig/fuse3.pc")
  set(ENV{PKG_CONFIG_PATH} "${BRANCHFS_LIBFUSE_PREFIX}/lib/pkgconfig:$ENV{PKG_CONFIG_PATH}")
  if(fuse3_VERSION VERSION_LESS 3.18)
    unset(__pkg_config_checked_fuse3 CACHE) # configured before it was there
    unset(pkgcfg_lib_fuse3_fuse3 CACHE)
  endif()
endif()
pkg_check_modules(fuse3 REQUIRED IMPORTED_TARGET "fuse3>=3.14")
# Ours carries a fix without which only a ring's own thread may reply (scripts/libfuse.sh).
set(BRANCHFS_RING_REPLIES OFF)
if(EXISTS "${BRANCHFS_LIBFUSE_PREFIX}/replies.patch" AND fuse3_LIBDIR STREQUAL "${BRANCHFS_LIBFUSE_PREFIX}/lib")
  set(BRANCHFS_RING_REPLIES ON)
endif()
if(fuse3_VERSION VERSION_GREATER_EQUAL 3.18)
  message(STATUS "libfuse ${fuse3_VERSION} (${fuse3_LIBDIR}): FUSE over io_uring where the kernel has it")
else()
  message(STATUS "libfuse ${fuse3_VERSION} (${fuse3_LIBDIR}): no io_uring transport; scripts/libfuse.sh builds one that has it")
endif()
