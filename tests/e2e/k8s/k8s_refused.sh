#!/bin/bash
# SPDX-License-Identifier: ISC
#
# What can't be done on a cluster is said at the start, with the reason: by
# RBAC, by a PodDisruptionBudget, or because there is nothing to do it to.
is_short=yes
kit_only="service accounts get kubeconfigs of their own"
# shellcheck source=tests/e2e/k8s/k8s_lib.sh
. "$(dirname "$0")/k8s_lib.sh"

# refused CODE TEXT OPTION...
refused()
{
	local want=$1 text=$2

	shift 2
	rm -rf "$work/run"
	natsburn_k8s run queue-group-consumer --consumers 2 --duration 3s \
		--k8s-reach "$reach" "$@"
	expect_code "$want"
	grep -q -e "$text" "$work/out" "$work/err" ||
		fail "nothing says \"$text\": $(cat "$work/out" "$work/err")"
	expect_nothing_survives 5
}

refused 69 'kubectl says: .*context "*nowhere' --k8s-context nowhere
refused 69 'has no StatefulSet "other" .* there is nats' \
	--k8s-statefulset other
refused 69 'no StatefulSet of namespace kube-system' \
	--k8s-namespace kube-system
refused 3 'may not slow or reset the links' --mayhem slow_network
refused 3 'may not slow or reset the links' --mayhem lossy_network
refused 3 'shape=oneway .*choose in which direction' --mayhem partition \
	-o partition.shape=oneway
refused 3 'cut=refuse .*choose how' --mayhem partition \
	-o partition.cut=refuse

natsburn_k8s doctor --mayhem wipe_store,random_reload --k8s-reach "$reach"
expect_code 0
grep -q '^ok *cluster .* passed' "$work/out" || fail "the doctor is not content"

make_looker
looker="--k8s-kubeconfig $work/looker"
# shellcheck disable=SC2086
{
	refused 0 'PASS: ' $looker
	refused 3 'rolling_restart .* patch statefulsets' $looker \
		--mayhem rolling_restart
	refused 3 'random_reload .* create pods/exec' $looker \
		--mayhem random_reload
	refused 3 'pod_delete .* delete pods' $looker --mayhem pod_delete
	refused 3 'partition .* list networkpolicies, create .*patch pods' \
		$looker --mayhem partition
	refused 3 'reach forward .* create pods/portforward' $looker \
		--k8s-reach forward
	looker_may deleter delete pods
	refused 3 'wipe_store .* get pods/log, get persistentv.*, delete pers' \
		$looker --mayhem wipe_store
	natsburn_k8s doctor --mayhem wipe_store --k8s-reach "$reach" $looker
	expect_code 3
	grep -q '^BAD .*RBAC does not allow .* delete persistentv' \
		"$work/out" || fail "the doctor says nothing: $(<"$work/out")"
}

# A budget that allows nothing.
kubectl patch pdb nats --type=merge -p '{"spec":{"maxUnavailable":0}}' \
	>/dev/null
budget_is_zero()
{
	[ "$(kubectl get pdb nats -o 'jsonpath={.status.disruptionsAllowed}')" \
		= 0 ]
}
await 30 "the budget is 0" budget_is_zero
refused 3 'PodDisruptionBudget nats allows 0' --mayhem pod_delete
kubectl patch pdb nats --type=merge -p '{"spec":{"maxUnavailable":1}}' \
	>/dev/null
expect_cluster_whole
