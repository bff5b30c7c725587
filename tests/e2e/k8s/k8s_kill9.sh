#!/bin/bash
# SPDX-License-Identifier: ISC
#
# kill -9 of natsburn in the middle of a rollout, and while the ConfigMap is
# changed: nothing of its own is left running, the StatefulSet becomes whole
# by itself, and "cluster down" puts the ConfigMap back.
# shellcheck source=tests/e2e/k8s/k8s_lib.sh
. "$(dirname "$0")/k8s_lib.sh"

one_is_ending()
{
	kubectl get pods -o 'jsonpath={.items[*].metadata.deletionTimestamp}' |
		grep -q .
}

is_changed()
{
	[ -n "$(config_note)" ] && config_text | grep -q '# natsburn$'
}

start_k8s --mayhem rolling_restart
await 120 "a pod is ending" one_is_ending
kill_it
expect_cluster_whole

start_k8s --mayhem random_reload --fault-interval 2s
await 120 "the ConfigMap is changed" is_changed
kill_it
is_changed || fail "who has put the ConfigMap back?"
rm -rf "$work/run"
natsburn_k8s cluster down --k8s-reach "$reach"
expect_code 0
expect_cluster_whole
for pod in 0 1 2; do
	kubectl exec nats-$pod -c nats -- wget -q -O - \
		http://127.0.0.1:8222/varz | jq -e '.max_connections == 65536' \
		>/dev/null || fail "server $pod has our max_connections"
done

# Interrupted, it puts everything back itself.
start_k8s --mayhem random_reload --fault-interval 2s
await 120 "the ConfigMap is changed" is_changed
kill -INT "$(natsburn_pid)"
expect_nothing_survives 120
expect_cluster_whole
