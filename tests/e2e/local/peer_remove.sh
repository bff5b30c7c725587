#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A server is removed from the meta group and a new one joins for it, under
# load; what would lose data lawfully is refused. A replica of a stream is
# removed and another server has one instead; a stream moves, and back.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

refused()
{
	natsburn run queue-group-consumer --mayhem peer_remove "$@"
	expect_code 64
	grep -q -- "--mayhem peer_remove: needs " "$work/err" ||
		fail "it does not say what it needs: $*"
}
refused --servers 3 --replicas 3
refused --servers 4 --replicas 1

server=$(any_server) || exit
natsburn run queue-group-consumer --servers 4 --mayhem peer_remove \
	--fault-interval 1s --fault-duration 0..3s --quiet-time 1s \
	--duration 12s --server-bin "$server" --out "$work/run"
expect_nothing_survives 5
expect_code 0
expect '.faults | length > 0' "a removal"
expect 'all(.faults[]; .mode == "peer_remove" and .applied and .healed)' \
	"all applied and healed"
expect 'all(.faults[]; .applied_how | endswith("has 3 members"))' \
	"the meta group shrank"
expect 'all(.faults[]; .healed_how | contains("has 4 members"))' \
	"the meta group grew"
# The servers that are there in the end have names that were told later.
expect '[.faults[0].target] - [.servers[].name] != []' "a new name"
expect '.servers | length == 4' "four servers"
expect_no_violation "replaced"
expect_same_check "$work/run"

# moved MODE: with a server more than streams have replicas
moved()
{
	natsburn run pipeline --servers 4 --mayhem "$1" --fault-interval 1s \
		--fault-duration 0..1s --quiet-time 1s --duration 15s \
		--server-bin "$server" --out "$work/$1"
	expect_nothing_survives 5
	expect_code 0
	expect '(.faults | length > 0) and all(.faults[]; .applied and .healed)' \
		"$1 applied and healed"
	expect_no_violation "$1"
}
moved stream_peer_remove
moved move_stream
