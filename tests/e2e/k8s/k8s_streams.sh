#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Faults of what is stored: a volume that is lost, and streams that get other
# replicas and other places.
kit_only="it needs volumes to spare, and streams of nobody else"
# shellcheck source=tests/e2e/k8s/k8s_lib.sh
. "$(dirname "$0")/k8s_lib.sh"

# under MODE OPTION...
under()
{
	burn queue-group-consumer --consumers 2 --k8s-reach "$reach" \
		--sys-user sys --sys-password change-me --fault-interval 5s \
		--duration 60s --mayhem "$@"
}

claims()
{
	kubectl get pvc -o 'jsonpath={.items[*].metadata.uid}'
}

# The kit has no provisioner: volumes for the claims that are made anew.
for number in 3 4 5 6 7 8 9; do
	add_volume "$number"
done
before=$(claims)
under wipe_store
passed
faulted 0
expect 'all(.faults[]; .applied_how | test("^its pod ended, and its claim " +
	"data-nats-[0-9] is another one; the server says that it has no"))' \
	"another claim, and nothing in it"
[ "$(claims)" != "$before" ] || fail "no claim was replaced"

under scale_stream -o scale_stream.to=1
passed
faulted 0

# Each server has a tag of its own, so there is a place for one replica.
under move_stream --replicas 1 -o move_stream.tags=nats-0,nats-1,nats-2
passed
faulted 0

# A stream that would not survive: here of a run that left it.
rm "$work/err"
start_k8s --replicas 1
await 120 "it has a stream" grep -qs '^mayhem ' "$work/err"
kill_it
rm -rf "$work/run"
under wipe_store
expect_code 3
grep -q 'wipe_store .*: stream .* would not survive it' "$work/out" \
	"$work/err" || fail "does not say why"
