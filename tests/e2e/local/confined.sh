#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Workers and link proxies have given up privileges and the system calls that
# they do without; chaos, which mounts disks and starts servers, has not.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit

field()
{
	sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}

ours=$(field self NoNewPrivs)
filters=$(field self Seccomp)
[ "$filters" ] || skip "this kernel has no filters of system calls"
start run queue-group-consumer --mayhem none --duration 10m --consumers 2 \
	--server-bin "$server" --out "$work/run"
await_work
wanted=2
! nm -D "$NATSBURN" 2>/dev/null | grep -q __asan_init || wanted=$filters
for one in worker links; do
	for victim in $(marked_with "--child=$one"); do
		[ "$(field "$victim" NoNewPrivs)" = 1 ] ||
			fail "$one can gain privileges"
		[ "$(field "$victim" Seccomp)" = "$wanted" ] ||
			fail "$one may do anything"
	done
done
[ "$(field "$(marked_with --child=chaos)" NoNewPrivs)" = "$ours" ] ||
	fail "chaos has lost its privileges"
kill -9 "$pid"
expect_nothing_survives 10
