# shellcheck shell=bash
# SPDX-License-Identifier: ISC
#
# A test under each of Kubernetes' faults for a minute, on a real cluster.
# shellcheck source=tests/e2e/k8s/k8s_lib.sh
. "$(dirname "$0")/k8s_lib.sh"

# under MODE TEST OPTION...
under()
{
	local mode=$1 test=$2

	shift 2
	burn "$test" --mayhem "$mode" --fault-interval 5s --duration 60s "$@"
	passed
	faulted 0
	expect "all(.faults[]; .mode == \"$mode\")" "no other fault"
}

# every_fault TEST OPTION...
every_fault()
{
	local before

	before=$(kubectl get pods -o 'jsonpath={.items[*].metadata.uid}')
	under rolling_restart "$@"
	expect '.faults[0].target == "nats-0,nats-1,nats-2"' "one rollout"
	for uid in $before; do
		! kubectl get pods -o 'jsonpath={.items[*].metadata.uid}' |
			grep -q "$uid" || fail "a pod was not replaced"
	done
	under random_reload "$@"
	expect 'all(.faults[]; .applied_how |
		test("max_connections is 600[0-9][0-9]"))' "really changed"
	under random_hard_kill "$@"
	under pod_delete "$@"
}
