#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Servers whose pods can't be reached but by the API: clients have addresses
# (--url), and the monitoring is asked through the API's proxy to pods.
[ "${NATSBURN_K8S_LONG:-}" ] || {
	echo "skipped: takes minutes; NATSBURN_K8S_LONG=1 runs it" >&2
	exit 77
}
kit_only="service accounts get kubeconfigs of their own"
# shellcheck source=tests/e2e/k8s/k8s_lib.sh
. "$(dirname "$0")/k8s_lib.sh"

printf 'change-me\n' >"$work/secret" # of the manifest
url=$(kubectl get pods -l app.kubernetes.io/name=nats -o \
	'jsonpath={range .items[*]}nats://{.status.podIP}:4222,{end}')

# proxied OPTION...
proxied()
{
	rm -rf "$work/run" "$work/run".*
	natsburn_k8s run queue-group-consumer --consumers 2 --url "${url%,}" \
		--duration 20s --fault-interval 3s "$@"
	say "exit code $code, $(jq -c '[.rounds, (.faults | length)]' \
		"$work/run/report.json")"
}

passed()
{
	expect_code 0
	expect '.verdict == "pass" and .rounds > 100' verdict
	expect 'all(.faults[]; .applied and .healed)' "applied and healed"
	expect '[.servers[].version] | length == 3 and all(.[]; test("^2"))' \
		"what the servers tell"
	expect_nothing_survives 5
	expect_cluster_whole
}

# A service account that may look, and run commands, and no more.
kubectl create sa looker >/dev/null
kubectl create role looker --verb=get,list,watch \
	--resource=pods,statefulsets.apps >/dev/null
kubectl create role commander --verb=get,create --resource=pods/exec >/dev/null
for role in looker commander; do
	kubectl create rolebinding $role --role=$role \
		--serviceaccount=default:looker >/dev/null
done
kubeconfig_of looker "$work/looker"
proxied --k8s-kubeconfig "$work/looker"
expect_code 3
grep -q 'reach forward .* create pods/portforward' "$work/out" ||
	fail "does not say what is lacking"
proxied --k8s-kubeconfig "$work/looker" --k8s-reach proxy
expect_code 3
grep -q 'reach proxy .* get pods/proxy' "$work/out" ||
	fail "does not say what is lacking"

# With the right to the proxy it is found by itself.
kubectl create role proxy --verb=get --resource=pods/proxy >/dev/null
kubectl create rolebinding proxy --role=proxy \
	--serviceaccount=default:looker >/dev/null
proxied --k8s-kubeconfig "$work/looker" --mayhem pause
passed
expect '(.faults | length) > 0' "there were faults"

# Asked for; and the system account goes where clients go.
proxied --k8s-reach proxy --mayhem leader_stepdown --sys-user sys \
	--sys-password-file "$work/secret"
passed
expect '(.faults | length) > 0' "there were faults"
