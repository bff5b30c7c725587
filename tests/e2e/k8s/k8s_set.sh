#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Faults that change the StatefulSet: its size and its image. They are put
# back at the end; by the next run after a kill -9; and what Kubernetes does
# not allow is no fault and is not waited for.
kit_only="images are put on its node"
# shellcheck source=tests/e2e/k8s/k8s_lib.sh
. "$(dirname "$0")/k8s_lib.sh"

other=localhost/nats:other
k8s ctr -a "$K8S_DIR/run/containerd/containerd.sock" -n k8s.io \
	images tag localhost/nats:test "$other" >/dev/null ||
	fail "no second image"

# under MODE OPTION...
under()
{
	burn queue-group-consumer --consumers 2 --k8s-reach "$reach" \
		--fault-interval 5s --duration 60s --mayhem "$@"
}

# What is no fault for this StatefulSet is said at the start.
under scale
expect_code 3
grep -q 'scale .*3 pods for --replicas 3: it needs one more' \
	"$work/out" "$work/err" || fail "does not say why"
under rolling_upgrade --k8s-image localhost/nats:test
expect_code 3
grep -q 'has the image localhost/nats:test already' "$work/out" "$work/err" ||
	fail "does not say why"

under rolling_upgrade --k8s-image "$other"
passed
expect '(.faults | length) == 1 and (.faults[0].healed_how |
	test("^(rolled out|started) as [0-9]"))' "one upgrade"

# One more pod, and it may go.
add_volume 3
kubectl scale sts nats --replicas=4 >/dev/null
pods=4
await 300 "four servers are ready" pods_ready
under scale
passed
faulted 0
expect 'all(.faults[]; .target == "nats-3")' "the last one"

# kill -9 while something is changed: the next one puts it back.
is_smaller()
{
	[ "$(set_field spec.replicas)" = 3 ]
}
start_k8s --mayhem scale --fault-interval 1s --fault-duration 60s
await 180 "it is scaled down" is_smaller
kill_it
is_smaller || fail "who has put it back?"
rm -rf "$work/run"
natsburn_k8s cluster down --k8s-reach "$reach"
expect_code 0
expect_cluster_whole

is_other()
{
	[ "$(set_image)" = "$other" ]
}
start_k8s --mayhem rolling_upgrade --k8s-image "$other"
await 180 "the image is changed" is_other
kill_it
is_other || fail "who has put it back?"
rm -rf "$work/run"
natsburn_k8s cluster down --k8s-reach "$reach"
expect_code 0
expect_cluster_whole
