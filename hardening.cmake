# SPDX-License-Identifier: ISC
#
# Every build is hardened alike, whichever preset or none: a position
# independent program, relocations that are done and then read-only, no stack
# that can be run, guards on the stack, checked calls of the C library (they
# need optimisation), branch targets where the compiler has them.
# tests/e2e/command/hardened.sh reads it in the program.
#
# Sanitizers replace it: they check the same calls and frames by themselves.
include(CheckCCompilerFlag)
include(CheckPIESupported)

if(NOT NATSBURN_SANITIZE)
  check_pie_supported(LANGUAGES C)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  target_link_options(flags INTERFACE -Wl,-z,relro -Wl,-z,now
    -Wl,-z,noexecstack)
  foreach(flag -fstack-protector-strong -fstack-clash-protection
      -fcf-protection=full -mbranch-protection=standard)
    string(MAKE_C_IDENTIFIER "has${flag}" has)
    check_c_compiler_flag(${flag} ${has})
    if(${has})
      target_compile_options(flags INTERFACE ${flag})
    endif()
  endforeach()
  # Whoever builds a distribution may have a level of his own.
  if(NOT CMAKE_C_FLAGS MATCHES "_FORTIFY_SOURCE")
    target_compile_options(flags INTERFACE
      $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE>
      $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
  endif()
endif()
