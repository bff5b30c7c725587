# SPDX-License-Identifier: ISC
#
# Run by cpack on the tree that it packs: gives it the form that Debian's
# policy asks for. Compressed manual and changelog, a copyright file in place
# of the licence, zsh's functions where packages keep them.
if(NOT CPACK_GENERATOR STREQUAL "DEB")
  return()
endif()
set(tree ${CPACK_TEMPORARY_DIRECTORY}${CPACK_PACKAGING_INSTALL_PREFIX})
set(share ${tree}/share)
set(doc ${share}/doc/${CPACK_PACKAGE_NAME})
if(NOT EXISTS ${doc}/LICENSE)
  message(FATAL_ERROR "${doc}/LICENSE was not installed")
endif()

# The same bytes each time: no name, no time.
function(compress)
  execute_process(COMMAND gzip -9nf ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# SOURCE_DATE_EPOCH, where it is set, is the time of this.
string(TIMESTAMP CHANGED "%a, %d %b %Y %H:%M:%S +0000" UTC)
configure_file(${CPACK_NATSBURN_SOURCE}/scripts/debian/changelog.in
  ${doc}/changelog @ONLY)

# Debian's form of a licence text: indented, empty lines are dots.
file(READ ${doc}/LICENSE text)
string(STRIP "${text}" text)
string(REGEX MATCH "^Copyright \\(c\\) ([^\n]*)\n" line "${text}")
set(HOLDER ${CMAKE_MATCH_1})
string(LENGTH "${line}" length)
string(SUBSTRING "${text}" ${length} -1 text)
string(STRIP "${text}" text)
string(REPLACE "\n\n" "\n.\n" text "${text}")
string(REPLACE "\n" "\n " LICENCE "${text}")
configure_file(${CPACK_NATSBURN_SOURCE}/scripts/debian/copyright.in
  ${doc}/copyright @ONLY)
file(REMOVE ${doc}/LICENSE)
file(RENAME ${doc}/CHANGES.md ${doc}/NEWS.md)

file(RENAME ${share}/zsh/site-functions ${share}/zsh/vendor-completions)
compress(${share}/man/man1/natsburn.1 ${doc}/changelog)
