#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Whatever ends a run in the middle of a fault that would last for ever, no
# stopped server and no proxy is left: an interrupt heals it first; a kill
# -9 of natsburn, of chaos or of the run's processes ends everything.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit

begin()
{
	forget_run
	start run queue-group-consumer --duration 10m --consumers 2 \
		--fault-interval 500ms --fault-duration 10m --quiet-time 0 \
		--server-bin "$server" --out "$work/run" "$@"
}

is_stopped()
{
	local one

	for one in $(marked_with servers/n); do
		grep -q '^State:[[:space:]]*T' "/proc/$one/status" && return 0
	done
	return 1
}

# The interrupt: continued, healthy, judged.
begin --mayhem pause
await 60 "a server is stopped" is_stopped
kill -INT "$pid"
finished 200
expect_nothing_survives 5
expect_healed "continued"
expect_no_violation "continued"

begin --mayhem partition
await 60 "links are cut" grep -q '\[partition' "$work/err"
kill -INT "$pid"
finished 200
expect_nothing_survives 5
expect '.faults | length >= 1 and all(.[]; .healed)' "every fault healed"

# kill -9 of the orchestrator, and of chaos: a stopped server dies as well.
begin --mayhem pause
await 60 "a server is stopped" is_stopped
kill -9 "$pid"
expect_nothing_survives 10

begin --mayhem pause
await 60 "a server is stopped" is_stopped
kill -9 "$(marked_with --child=chaos)"
finished 60
expect_code 70
expect_nothing_survives 5
