#!/bin/bash
# SPDX-License-Identifier: ISC
#
# What a user of the system account may ask of servers on Kubernetes: leaders
# step down; and without the right to run commands in pods or to change the
# ConfigMap, servers are reloaded all the same.
[ "${NATSBURN_K8S_LONG:-}" ] || {
	echo "skipped: takes minutes; NATSBURN_K8S_LONG=1 runs it" >&2
	exit 77
}
kit_only="service accounts get kubeconfigs of their own"
# shellcheck source=tests/e2e/k8s/k8s_lib.sh
. "$(dirname "$0")/k8s_lib.sh"

secret=change-me # of the manifest
printf '%s\n' "$secret" >"$work/secret"
printf 'wrong-one\n' >"$work/wrong"

# run_as SECRET-FILE MODE OPTION...
run_as()
{
	local file=$1 mode=$2

	shift 2
	rm -rf "$work/run" "$work/run".*
	natsburn_k8s run durable-pull-consumer --consumers 2 --duration 40s \
		--fault-interval 3s --mayhem "$mode" \
		${file:+--sys-user sys --sys-password-file "$file"} "$@"
	[ ! -s "$work/run/report.json" ] || say "$mode: exit code $code, $(jq -c \
		'[.rounds, [.faults[] | [.target, .applied, .healed, .heal_s,
		.applied_how]]]' "$work/run/report.json")"
}

passed()
{
	expect_code 0
	expect '.verdict == "pass" and .rounds > 100' verdict
	expect '(.faults | length) > 2 and
		all(.faults[]; .applied and .healed)' "applied and healed"
	expect_same_check "$work/run"
	expect_nothing_survives 5
	expect_cluster_whole
	! grep -rq "$secret" "$work/run" "$work/out" "$work/err" ||
		fail "the password is told"
}

run_as "" leader_stepdown --k8s-reach "$reach"
expect_code 3
expect '.reasons[0] | test("needs the system account: --sys-user")' "the reason"
run_as "$work/wrong" leader_stepdown --k8s-reach "$reach"
expect_code 69
expect '.reasons[0] | test("no server takes --sys-user .sys.")' "the reason"

run_as "$work/secret" leader_stepdown --k8s-reach forward
passed
expect '[.faults[].target] | any(contains("leader of NB_"))' \
	"no leader of a stream or consumer was asked"
run_as "$work/secret" leader_stepdown --k8s-reach direct \
	-o leader_stepdown.of=meta
passed
expect 'all(.faults[]; .target | contains("meta leader"))' "the meta leader"

# A service account that may look, and no more.
kubectl create sa looker >/dev/null
kubectl create role looker --verb=get,list,watch \
	--resource=pods,statefulsets.apps >/dev/null
kubectl create rolebinding looker --role=looker \
	--serviceaccount=default:looker >/dev/null
kubeconfig_of looker "$work/looker"
run_as "$work/secret" random_reload --k8s-kubeconfig "$work/looker" \
	--k8s-reach direct
passed
expect 'all(.faults[]; .applied_how |
	test("^reload request of the system account; max_connections is 65536, config_load_time "))' \
	"reloaded by request"
# With the right to it the ConfigMap is changed, and the signal sent.
run_as "$work/secret" random_reload --k8s-reach direct
passed
expect 'all(.faults[]; .applied_how |
	test("^ConfigMap changed, SIGHUP in the pod; max_connections is 600"))' \
	"reloaded by signal"
