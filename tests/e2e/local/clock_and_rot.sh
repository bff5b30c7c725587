#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A server's clock is set apart, which its own page tells, and right again
# afterwards; and a block of messages in n1's store is damaged. Nothing that was
# acknowledged is lost; what n1 can't read any more it may lack for good.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit
[ "$(uname -m)" = x86_64 ] || skip "clocks are set on x86-64 only"

# It is seen in the progress, or the run is skipped.
sees()
{
	grep -q "\[$1 n" "$work/err" || is_gone "$pid"
}

start run pipeline --mayhem clock_skew,bit_rot -o bit_rot.of=messages \
	--fault-interval 500ms..1s \
	--fault-duration 2s --quiet-time 1s --duration 10m \
	--server-bin "$server" --out "$work/run"
await 120 "a clock is set" sees clock_skew
await 120 "a file is damaged" sees bit_rot
kill -INT "$pid" 2>/dev/null || :
finished 120
[ "$code" -ne 3 ] || skip "processes can't be traced here"
expect_nothing_survives 5
expect_healed "clock_skew and bit_rot"
expect 'all(.anomalies[] | select(.class == "violation"); .kind == "divergence")' \
	"clock_skew and bit_rot: no violation but of n1's copy"
expect 'any(.faults[]; .mode == "clock_skew" and
	(.applied_how | test("[0-9] s (ahead|behind), as /varz tells")) and
	(.healed_how | contains(", and is right; ")))' "a clock was set"
expect 'any(.faults[]; .mode == "bit_rot" and .target == "n1" and
	(.applied_how | contains("jetstream/")))' "a file was damaged"
expect_same_check "$work/run"
