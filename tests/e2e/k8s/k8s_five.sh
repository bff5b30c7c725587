#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Five pods: partitions of two against three and of a ring, within what a
# disruption budget allows; and rollouts and kills as of three.
# shellcheck source=tests/e2e/k8s/k8s_stub_lib.sh
. "$(dirname "$0")/k8s_stub_lib.sh"

add_volume 3
add_volume 4
kubectl scale sts nats --replicas=5 >/dev/null
pods=5
await 300 "five servers are ready" pods_ready

# under MODE OPTION...
under()
{
	burn queue-group-consumer --consumers 2 --k8s-reach "$reach" \
		--fault-interval 3s --duration 90s --mayhem "$@"
	passed
	faulted 0
}

stub ""
# The budget is one: two are not cut off together.
under partition -o partition.shape=split
expect 'all(.faults[]; .target | test("^split nats-[0-4], cut$"))' "one each"
kubectl patch pdb nats --type=merge -p '{"spec":{"maxUnavailable":2}}' \
	>/dev/null
under partition -o partition.shape=split
expect 'all(.faults[]; .target | test("^split nats-[0-4] nats-[0-4], cut$"))' \
	"two each"
under partition -o partition.shape=ring
stub_ends
under rolling_restart,random_hard_kill
