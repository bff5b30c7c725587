#!/bin/bash
# SPDX-License-Identifier: ISC
#
# What a user of the system account may ask of servers on Kubernetes: leaders
# step down; and without the right to run commands in pods or to change the
# ConfigMap, servers are reloaded all the same.
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
	burn durable-pull-consumer --consumers 2 --duration 40s \
		--fault-interval 3s --mayhem "$mode" \
		${file:+--sys-user sys --sys-password-file "$file"} "$@"
}

passed_in_secret()
{
	passed
	faulted 2
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
passed_in_secret
expect '[.faults[].target] | any(contains("leader of NB_"))' \
	"no leader of a stream or consumer was asked"
run_as "$work/secret" leader_stepdown --k8s-reach direct \
	-o leader_stepdown.of=meta
passed_in_secret
expect 'all(.faults[]; .target | contains("meta leader"))' "the meta leader"

make_looker
run_as "$work/secret" random_reload --k8s-kubeconfig "$work/looker" \
	--k8s-reach direct
passed_in_secret
expect 'all(.faults[]; .applied_how |
	test("^reload request of the system account; max_connections is 65536, config_load_time "))' \
	"reloaded by request"
# With the right to it the ConfigMap is changed, and the signal sent.
run_as "$work/secret" random_reload --k8s-reach direct
passed_in_secret
expect 'all(.faults[]; .applied_how |
	test("^ConfigMap changed, SIGHUP in the pod; max_connections is 600"))' \
	"reloaded by signal"
