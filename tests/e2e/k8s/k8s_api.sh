#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The API goes away in the middle of a run, and comes back; then RBAC takes
# natsburn's rights. The run goes on, says what it could not do, and its
# verdict stands.
kit_only="its API server is killed"
# shellcheck source=tests/e2e/k8s/k8s_lib.sh
. "$(dirname "$0")/k8s_lib.sh"

# The pid here of the cluster's API server.
api_pid()
{
	local one ns

	ns=$(readlink "/proc/$(cat "$K8S_DIR/run/ns.pid")/ns/pid")
	for one in /proc/[0-9]*; do
		[ "$(readlink "$one/ns/pid" 2>/dev/null)" = "$ns" ] &&
			tr '\0' '\n' <"$one/cmdline" |
			grep -qx kube-apiserver && printf '%s\n' "${one#/proc/}"
	done
}

api_answers()
{
	kubectl get --raw /readyz >/dev/null 2>&1
}

fault_seen()
{
	grep -q '\[' "$work/err" 2>/dev/null # progress names the fault
}

# The API server is killed and comes back.
victim=$(api_pid)
mapfile -d '' command <"/proc/$victim/cmdline"
start_k8s --k8s-reach auto --mayhem pod_delete --duration 60s --fault-interval 4s
await 120 "there is a fault" fault_seen
kill -9 "$victim"
await 10 "the API is gone" is_gone "$victim"
sleep 10 # as long as it is away: nothing is waited for
k8s "${command[@]}" >"$work/api.log" 2>&1 &
await 120 "the API is back" api_answers
finished 600
expect_code 0
expect '.verdict == "pass" and .rounds > 100' verdict
expect 'all(.faults[]; .healed)' "healed"
expect '[.faults[] | select(.applied)] | length > 1' "faults after it"
expect_nothing_survives 5
expect_cluster_whole

# natsburn's own Role, taken away in the middle.
kubeconfig_of natsburn "$work/natsburn.conf"
start_k8s --k8s-kubeconfig "$work/natsburn.conf" --k8s-reach direct \
	--mayhem random_reload --duration 40s --fault-interval 3s
await 120 "there is a fault" fault_seen
kubectl delete rolebinding natsburn >/dev/null || fail "no rolebinding"
finished 600
say "without rights: exit code $code, faults $(jq -c \
	'[.faults[] | .applied]' "$work/run/report.json")"
expect_code 0
expect '.verdict == "pass" and .rounds > 100' verdict
expect 'any(.faults[]; .applied) and any(.faults[]; .applied | not)' \
	"some were applied, some could not be"
expect_nothing_survives 5
kubectl apply -k "$work/manifests" >/dev/null
rm -rf "$work/run"
natsburn_k8s cluster down
expect_code 0
expect_cluster_whole
