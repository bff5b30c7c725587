#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Faults that change the StatefulSet: its size and its image. They are put
# back at the end; by the next run after a kill -9; and what Kubernetes does
# not allow is no fault and is not waited for.
[ "${NATSBURN_K8S_LONG:-}" ] || {
	echo "skipped: takes minutes; NATSBURN_K8S_LONG=1 runs it" >&2
	exit 77
}
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
	local mode=$1

	shift
	rm -rf "$work/run" "$work/run".*
	natsburn_k8s run queue-group-consumer --consumers 2 --k8s-reach "$reach" \
		--mayhem "$mode" --fault-interval 5s --duration 60s "$@"
	[ ! -s "$work/run/report.json" ] || say "$mode: exit code $code, $(jq -c \
		'[.rounds, [.faults[] | [.applied, .healed, .heal_s,
		.applied_how, .healed_how]]]' "$work/run/report.json")"
}

passed()
{
	expect_code 0
	expect '.verdict == "pass" and .rounds > 100' verdict
	expect '(.faults | length) > 0 and
		all(.faults[]; .applied and .healed)' "applied and healed"
	expect_same_check "$work/run"
	expect_nothing_survives 5
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
expect_cluster_whole

# One more pod, and it may go.
cat >"$work/pv3.yaml" <<-END
	apiVersion: v1
	kind: PersistentVolume
	metadata: { name: pv3 }
	spec:
	  capacity: { storage: 1Gi }
	  accessModes: [ ReadWriteOnce ]
	  storageClassName: manual
	  hostPath: { path: /var/log/pv/3, type: DirectoryOrCreate }
END
kubectl apply -f "$work/pv3.yaml" >/dev/null || fail "no volume"
kubectl scale sts nats --replicas=4 >/dev/null
pods=4
await 300 "four servers are ready" pods_ready
under scale
passed
expect 'all(.faults[]; .target == "nats-3")' "the last one"
expect_cluster_whole

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
