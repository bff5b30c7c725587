#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A process of ours that has no descriptors left ends the run as a fault of
# the harness, which says so: the servers are not blamed, and nobody waits for
# what can't come.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

command -v prlimit >/dev/null || skip "no prlimit"
server=$(any_server) || exit

# PROCESS REASON OPTIONS...: its connections and pipes are there already,
# what it opens next fails.
run_out()
{
	local begun

	rm -rf "$work/run" "$work/run".*
	start run queue-group-consumer --duration 10m --consumers 2 \
		--server-bin "$server" --out "$work/run" "${@:3}"
	await_work
	prlimit --pid "$(marked_with "--child=$1")" --nofile=8
	begun=$SECONDS
	finished 120
	[ $((SECONDS - begun)) -lt 60 ] ||
		fail "$1: the run went on for $((SECONDS - begun)) s"
	expect_code 70
	expect_nothing_survives 5
	expect ".verdict == \"inconclusive\" and
		any(.reasons[]; test(\"$2: Too many open files\"))" "$1: reason"
	expect '.anomalies == []' "$1: no anomaly"
	expect_same_check "$work/run"
}

run_out chaos 'chaos cannot .*' --mayhem rolling_restart
# A server that comes back dials the others.
run_out links 'the links process ends: cannot .*' --mayhem random_hard_kill
