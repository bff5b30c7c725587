#!/bin/bash
# SPDX-License-Identifier: ISC
#
# kill -9 of the only consumer, several times as it may be anywhere in its
# work, then of the publisher: each is started again as a new incarnation and
# works, the run goes on, and its verdict stands. What the consumer had not
# confirmed stalls the run by the ack wait, not by a timeout of ours (which
# is therefore longer than this test would wait).
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit
start run queue-group-consumer --mayhem none --duration 10m --consumers 1 \
	--consume-timeout 10m \
	-o queue-group-consumer.ack-wait=1s --server-bin "$server" \
	--out "$work/run"

for role in consumer consumer consumer publisher; do
	await_work
	victim=$(marked_with "--child=worker $role")
	[ "$(printf '%s\n' "$victim" | wc -w)" -eq 1 ] ||
		fail "not exactly one $role: $victim"
	args=$(tr '\0' ' ' <"/proc/$victim/cmdline" | sed 's/ *$//')
	kill_hard "$role" "$victim"
	# Its arguments end in source and incarnation.
	await 20 "$role is started again" \
		runs "${args% *} $((${args##* } + 1)) "
	await_work
done
kill -INT "$pid"
finished 120
expect_code 0
expect_nothing_survives 5
expect '.harness.workers_died == 4 and .harness.gaps == 0' "deaths counted"
expect '.longest_stall_ms < 20000' "stalls are short"
expect_no_violation "killed workers"
expect_same_check "$work/run"
