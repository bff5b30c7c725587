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
	rm -rf "$work/run" "$work/run".*
	natsburn_k8s run "$test" --mayhem "$mode" --fault-interval 5s \
		--duration 60s "$@"
	say "$test, $mode: exit code $code, $(jq -c \
		'[.rounds, (.faults | length), .longest_stall_ms]' "$work/run/report.json")"
	expect_code 0
	expect '.verdict == "pass" and .rounds > 100' verdict
	expect '.harness.gaps == 0 and .harness.workers_died == 0' harness
	expect '(.faults | length) > 0' "there were faults"
	expect "all(.faults[]; .mode == \"$mode\" and .applied and .healed)" \
		"applied and healed"
	expect_same_check "$work/run"
	expect_nothing_survives 5
	expect_cluster_whole
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
