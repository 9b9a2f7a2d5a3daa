# Installation and the Debian package. `cmake --install build/release` puts the programs and their man pages
# below CMAKE_INSTALL_PREFIX; `cpack -G DEB` in build/release makes a package that apt can install.
# mount(8) looks for its helpers in /sbin only, which the package satisfies (/sbin is /usr/sbin).

if(TARGET branchfs)
  install(TARGETS branchfs RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
if(TARGET mount_branchfs)
  install(TARGETS mount_branchfs RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
endif()
install(FILES docs/man/branchfs.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES docs/man/mount.branchfs.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)

set(CPACK_PACKAGE_NAME branchfs)
set(CPACK_PACKAGE_VENDOR branchfs)
set(CPACK_PACKAGE_CONTACT "The branchfs authors <branchfs@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "copy-on-write branches of a Postgres data directory")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "Gives every developer, test run or preview an isolated Postgres that looks like production, in the time
that starting a server takes and at the price of what it changes. Branches are ordinary data directories
shown by a FUSE filesystem: unmodified Postgres, any host filesystem, no root needed.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR DEB)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# fusermount3 is run, not linked, so shlibdeps cannot know it.
set(CPACK_DEBIAN_PACKAGE_DEPENDS fuse3)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS postgresql)
include(CPack)
