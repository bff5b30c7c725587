#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The program is hardened, in whatever tree it was built: read in the program
# itself, not in the options that it should have been built with.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

command -v readelf >/dev/null || skip "no readelf"
for what in -hW -lW -dW -sW; do
	readelf "$what" "$NATSBURN" >"$work/elf$what" 2>/dev/null ||
		fail "readelf $what"
done
! grep -q __asan_init "$work/elf-sW" ||
	skip "a sanitizer tree: its own checks stand in the place of these"

# has WHAT PATTERN NAME, and lacks likewise
has()
{
	grep -Eq -- "$2" "$work/elf$1" || fail "no $3"
}

lacks()
{
	! grep -Eq -- "$2" "$work/elf$1" || fail "$3"
}

has -hW 'Type: +DYN' "position independent program (ELF type)"
has -dW 'FLAGS_1.*PIE' "position independent program (PIE)"
has -lW 'GNU_RELRO' "read-only relocations"
has -dW 'FLAGS_1.*NOW' "relocations at the start, so RELRO is partial"
has -lW 'GNU_STACK.* RW ' "stack that can't be run"
lacks -dW 'TEXTREL' "relocations in the code"
lacks -dW 'R(UN)?PATH' "a path of libraries of the build's"
has -sW ' __stack_chk_fail@' "stack protector"

# Checked calls come with optimisation only.
cache=$(dirname "$NATSBURN")/CMakeCache.txt
if grep -qs '^CMAKE_BUILD_TYPE:.*=Debug$' "$cache"; then
	say "a debug tree: no _FORTIFY_SOURCE, which needs optimisation"
else
	has -sW ' __(memcpy|memset|read|v?snprintf|v?fprintf)_chk@' \
		"checked calls (_FORTIFY_SOURCE)"
fi

# In the code: landing places of indirect branches, and probes of frames that
# are larger than the page that guards the stack.
if [ "$(uname -m)" = x86_64 ] && command -v objdump >/dev/null; then
	objdump -d --no-show-raw-insn "$NATSBURN" >"$work/code"
	[ "$(grep -c endbr64 "$work/code")" -gt 500 ] ||
		fail "no landing places (-fcf-protection)"
	grep -Eq '(or|mov)[lq] +.0x0,(0x[0-9a-f]+)?\(%rsp\)' "$work/code" ||
		fail "no probes of large frames (-fstack-clash-protection)"
else
	say "the code was not looked at: no objdump, or no x86_64"
fi
