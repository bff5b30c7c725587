#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Five pods: partitions of two against three and of a ring, within what a
# disruption budget allows; and rollouts and kills as of three.
[ "${NATSBURN_K8S_LONG:-}" ] || {
	echo "skipped: takes minutes; NATSBURN_K8S_LONG=1 runs it" >&2
	exit 77
}
# shellcheck source=tests/e2e/k8s/k8s_stub_lib.sh
. "$(dirname "$0")/k8s_stub_lib.sh"

for n in 3 4; do
	cat <<-END
		---
		apiVersion: v1
		kind: PersistentVolume
		metadata: { name: pv$n }
		spec:
		  capacity: { storage: 1Gi }
		  accessModes: [ ReadWriteOnce ]
		  storageClassName: manual
		  hostPath: { path: /var/log/pv/$n, type: DirectoryOrCreate }
	END
done >"$work/pv.yaml"
kubectl apply -f "$work/pv.yaml" >/dev/null || fail "no volumes"
kubectl scale sts nats --replicas=5 >/dev/null
pods=5
await 300 "five servers are ready" pods_ready

# under MODE OPTION...
under()
{
	local mode=$1

	shift
	rm -rf "$work/run" "$work/run".*
	natsburn_k8s run queue-group-consumer --consumers 2 --k8s-reach "$reach" \
		--mayhem "$mode" --fault-interval 3s --duration 90s "$@"
	say "$mode $*: exit code $code, $(jq -c '[.rounds, [.faults[] |
		[.target, .applied, .healed, .heal_s, .applied_how]]]' \
		"$work/run/report.json")"
	expect_code 0
	expect '.verdict == "pass" and .rounds > 100' verdict
	expect '(.faults | length) > 0 and
		all(.faults[]; .applied and .healed)' "applied and healed"
	expect_nothing_survives 5
	expect_cluster_whole
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
