#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Servers whose pods can't be reached but by the API: clients have addresses
# (--url), and the monitoring is asked through the API's proxy to pods.
kit_only="service accounts get kubeconfigs of their own"
# shellcheck source=tests/e2e/k8s/k8s_lib.sh
. "$(dirname "$0")/k8s_lib.sh"

printf 'change-me\n' >"$work/secret" # of the manifest
url=$(kubectl get pods -l app.kubernetes.io/name=nats -o \
	'jsonpath={range .items[*]}nats://{.status.podIP}:4222,{end}')

# proxied OPTION...
proxied()
{
	burn queue-group-consumer --consumers 2 --url "${url%,}" \
		--duration 20s --fault-interval 3s "$@"
}

passed_through()
{
	passed
	faulted 0
	expect '[.servers[].version] | length == 3 and all(.[]; test("^2"))' \
		"what the servers tell"
}

# A service account that may look, and run commands, and no more.
make_looker
looker_may commander get,create pods/exec
proxied --k8s-kubeconfig "$work/looker"
expect_code 3
grep -q 'reach forward .* create pods/portforward' "$work/out" ||
	fail "does not say what is lacking"
proxied --k8s-kubeconfig "$work/looker" --k8s-reach proxy
expect_code 3
grep -q 'reach proxy .* get pods/proxy' "$work/out" ||
	fail "does not say what is lacking"

# With the right to the proxy it is found by itself.
looker_may proxy get pods/proxy
proxied --k8s-kubeconfig "$work/looker" --mayhem pause
passed_through

# Asked for; and the system account goes where clients go.
proxied --k8s-reach proxy --mayhem leader_stepdown --sys-user sys \
	--sys-password-file "$work/secret"
passed_through
