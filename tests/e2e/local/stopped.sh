#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Each process of ours stands still for 5 s, as it does on a host that is
# overloaded or swaps: in setup, under load, in drain and in the audit. The
# run passes all the same, in its time, and leaves nothing. Then the template
# for longer than it is ever waited for elsewhere, while it forks the first
# worker and while it forks 40; then it is killed while it does.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/e2e/local/stopped_lib.sh
. "$(dirname "$0")/stopped_lib.sh"

server=$(any_server) || exit

begin()
{
	rm -rf "$work/run" "$work/run".*
	start run queue-group-consumer --mayhem none --quiet-time 1s \
		--server-bin "$server" --out "$work/run" "$@"
}

passes()
{
	finished 150
	expect_code 0
	expect_nothing_survives 5
	expect '.verdict == "pass" and .harness.gaps == 0' "$1"
	expect_same_check "$work/run"
}

all=0
for one in orchestrator chaos links template worker; do
	begin --duration 10m --consumers 2
	stops=0
	for phase in setup load drain audit; do
		if [ "$phase" = drain ]; then
			kill -INT "$pid"
		fi
		await_phase "$phase" || continue
		# shellcheck disable=SC2046
		stop_for 5 $(victims "$one" "$phase") && stops=$((stops + 1))
		# Most of the load otherwise, with what was to hit the setup
		# and came late: that proves nothing.
		[ "$phase" != load ] || sleep 11
	done
	passes "$one stood still"
	# What drains or scans so little is over at once.
	[ "$stops" -ge 1 ] || fail "$one was never stopped"
	all=$((all + stops))
	! grep -q silent "$work/err" || fail "$one: somebody was silent"
done
[ "$all" -ge 10 ] || fail "only $all of 20 stops met their phase"

for phase in setup start; do
	seen=
	for _ in 1 2 3; do
		begin --duration 5s --consumers 40
		await_phase "$phase" && seen=1 && break
		passes "$phase was too short to be seen"
	done
	[ -n "$seen" ] || continue
	# shellcheck disable=SC2046
	stop_for 15 $(victims template "$phase") || fail "no template"
	passes "the template stood still in $phase"
	! grep -q 'loaded by itself' "$work/err" ||
		fail "the template was not waited for"
	expect '.harness.workers_died == 0' "no worker was started twice"
done

begin --duration 5s --consumers 40
await_phase start
kill -9 "$(victims template start)"
passes "the template was killed"
expect '.harness.workers_died == 0' "no worker was started twice"
