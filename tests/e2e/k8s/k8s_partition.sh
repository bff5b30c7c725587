#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Partitions by NetworkPolicies. The kit's Kubernetes takes these and does
# nothing: a run is refused then, and also where connections that exist are
# left alone. Something that enforces them is a STUB, k8s_netpol_stub: with
# it the real nats-servers of the real pods are really cut off, and what a
# killed run leaves in force is taken away.
# shellcheck source=tests/e2e/k8s/k8s_stub_lib.sh
. "$(dirname "$0")/k8s_stub_lib.sh"

partitioned()
{
	burn queue-group-consumer --consumers 2 --k8s-reach "$reach" \
		--mayhem partition --fault-interval 5s "$@"
}

# refused TEXT: no fault was made, and nothing is left.
refused()
{
	partitioned --duration 60s
	expect_code 3
	grep -q -e "$1" "$work/out" || fail "nothing says \"$1\": $(<"$work/out")"
	say "$(grep -m 1 'skipped:' "$work/out")"
	expect_nothing_survives 5
	expect_cluster_whole
}

# As it is; then with a plugin that only stops what is new.
refused 'nats-[0-2] off was accepted, but in 30 s [0-9]* bytes came through'
stub established
refused 'open connections are left alone'
stub_ends

# Somebody else's policy lets in what ours would not.
stub ""
cat >"$work/other.yaml" <<-END
	apiVersion: networking.k8s.io/v1
	kind: NetworkPolicy
	metadata: { name: theirs }
	spec:
	  podSelector: { matchLabels: { app.kubernetes.io/name: nats } }
	  policyTypes: [ Ingress ]
	  ingress: [ { from: [ { ipBlock: { cidr: 0.0.0.0/0 } } ] } ]
END
kubectl apply -f "$work/other.yaml" >/dev/null || fail "no policy"
refused 'NetworkPolicy theirs may allow them'
kubectl delete -f "$work/other.yaml" >/dev/null

# Really cut; what servers tell of each other comes by port-forwards.
partitioned --duration 120s --k8s-reach forward
passed
faulted 1
expect 'all(.faults[]; .target | test("^(isolate|leader) nats-[0-2], cut$"))' \
	"no cut that a policy can't make"

# A pod that is replaced meanwhile is cut off again, and after a kill -9 the
# next natsburn takes everything away.
is_in_force()
{
	grep -q '\[partition' "$work/err" &&
		[ "$(kubectl get netpol -o name | wc -l)" -ge 2 ]
}

# Its new pod has the label, and every policy of others knows its address.
is_cut_anew()
{
	local ip

	ip=$(kubectl get pod -l natsburn/server="$1" -o \
		'jsonpath={.items[0].status.podIP}' 2>/dev/null)
	[ -n "$ip" ] && [ "$ip" != "$2" ] &&
		[ "$(kubectl get netpol -l natsburn/set=nats -o json |
			jq '[.items[].spec.ingress[].from[].ipBlock.except? //
			[] | .[]] | index("'"$ip"'/32") != null')" = true ] &&
		[ "$(kubectl get netpol -l natsburn/set=nats -o name |
			wc -l)" -eq 3 ]
}

start_k8s --mayhem partition --fault-interval 1s --fault-duration 120s
await 180 "a partition is in force" is_in_force
await 60 "natsburn has told which" grep -q '\[partition [a-z]* nats-' "$work/err"
victim=$(sed -n 's/.*\[partition [a-z]* \(nats-[0-2]\), cut\].*/\1/p' \
	"$work/err" | head -n 1)
before=$(kubectl get pod "$victim" -o 'jsonpath={.status.podIP}')
kubectl delete pod "$victim" --grace-period=0 --force >/dev/null 2>&1
await 60 "the new pod is cut off" is_cut_anew "$victim" "$before"
kill_it
[ "$(kubectl get netpol -l natsburn/set=nats -o name | wc -l)" -eq 3 ] ||
	fail "who has taken the policies away?"
rm -rf "$work/run"
natsburn_k8s cluster down --k8s-reach "$reach"
expect_code 0
grep -q 'a partition of an earlier run was left in force: 3 Net' "$work/err" ||
	fail "does not say what it takes away: $(<"$work/err")"
expect_cluster_whole

# Interrupted, it takes them away itself.
start_k8s --mayhem partition --fault-interval 1s --fault-duration 60s
await 180 "a partition is in force" is_in_force
kill -INT "$(natsburn_pid)"
expect_nothing_survives 240
expect_cluster_whole
stub_ends
