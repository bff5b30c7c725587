# SPDX-License-Identifier: ISC
#
# What "cmake --install" installs, and the Debian package: target "deb", or
# "package" after the whole build. Paths are below the prefix. What a package
# of Debian has elsewhere or in another form is scripts/debian/finish.cmake's.
install(TARGETS natsburn RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES docs/natsburn.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
# Where bash-completion, zsh and fish look below any prefix.
install(FILES ${CMAKE_BINARY_DIR}/completion.bash RENAME natsburn
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${CMAKE_BINARY_DIR}/completion.zsh RENAME _natsburn
  DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${CMAKE_BINARY_DIR}/completion.fish RENAME natsburn.fish
  DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
install(FILES scripts/grafana-dashboard.json docs/report.schema.json
  docs/matrix.schema.json docs/hunt.schema.json
  DESTINATION ${CMAKE_INSTALL_DATADIR}/natsburn)
install(DIRECTORY scripts/jobs
  DESTINATION ${CMAKE_INSTALL_DATADIR}/natsburn)
install(FILES README.md LICENSE CHANGES.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR}
  FILES_MATCHING PATTERN "*.md" PATTERN "report.png")
install(FILES scripts/natsburn.service
  DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)

set(CPACK_PACKAGE_NAME natsburn)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
# Whoever gives packages to others puts a real address here.
set(CPACK_PACKAGE_CONTACT "The natsburn authors <natsburn@localhost>"
  CACHE STRING "maintainer of the package: Name <address>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY
  "burn-in and soak tester for NATS JetStream")
set(CPACK_PACKAGE_DESCRIPTION
"natsburn runs a workload whose every outcome can be judged against a NATS
JetStream cluster, hurts the cluster meanwhile (restarts, kills, pauses,
partitions, full disks), and says with evidence whether a promise of JetStream
was broken: loss, duplicates, wrong order, redelivery after a confirmed ack.
.
It starts servers of its own, or takes a running cluster or a StatefulSet of
Kubernetes.")
set(CPACK_RESOURCE_FILE_LICENSE ${CMAKE_CURRENT_SOURCE_DIR}/LICENSE)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_SOURCE_IGNORE_FILES "/\\\\.git/;/\\\\.cache;/build;/natsburn-runs/")
# Permissions are those of the files' kind, not of somebody's umask.
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE
  OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

find_program(DPKG_DEB dpkg-deb)
mark_as_advanced(DPKG_DEB)
if(DPKG_DEB)
  set(CPACK_GENERATOR DEB)
else()
  set(CPACK_GENERATOR TGZ)
endif()
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
# The libraries, with the versions that this build needs, from dpkg-shlibdeps.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# Programs: servers for the local driver; kubectl, nft and zstd (which unpacks
# a bundle) are for what not everybody does.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS nats-server)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS
  "kubernetes-client, nftables, prometheus, zstd")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_PRE_BUILD_SCRIPTS
  ${CMAKE_CURRENT_SOURCE_DIR}/scripts/debian/finish.cmake)
set(CPACK_NATSBURN_SOURCE ${CMAKE_CURRENT_SOURCE_DIR})
include(CPack)

# Without the tests, which "package" wants built.
add_custom_target(deb COMMAND ${CMAKE_CPACK_COMMAND} -G DEB
  DEPENDS natsburn completion WORKING_DIRECTORY ${CMAKE_BINARY_DIR}
  COMMENT "making the Debian package" VERBATIM USES_TERMINAL)
