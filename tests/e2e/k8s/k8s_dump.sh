#!/bin/bash
# SPDX-License-Identifier: ISC
#
# After a violation the run folder has what Kubernetes knows of the servers,
# without secrets, and the bundle has it, too. The violation is real: the
# run's stream is purged by somebody else.
# shellcheck source=tests/e2e/k8s/k8s_lib.sh
. "$(dirname "$0")/k8s_lib.sh"

kubectl set env sts/nats HARMLESS=s3cr3tvalue >/dev/null || fail "no variable"
kubectl rollout status sts/nats --timeout=300s >/dev/null
await 300 "all servers are ready" pods_ready
config=$(config_text)

# The run's stream, once it has messages.
stream_of()
{
	stream=$(kubectl exec nats-0 -c nats -- wget -q -O - \
		'http://127.0.0.1:8222/jsz?accounts=1&streams=1' | jq -r \
		'[.. | .stream_detail? // empty | .[] |
		select(.state.messages > 50) | .name][0] // empty')
	[ -n "$stream" ]
}

start_k8s --duration 40s
await 120 "there is a stream with messages" stream_of
# shellcheck disable=SC2016 # a subject, not a variable
kubectl exec nats-0 -c nats -- sh -c 'printf "CONNECT {}\r\nPUB %s r 0\r\n\r\n" \
	"\$JS.API.STREAM.PURGE.'"$stream"'" | nc -w 2 127.0.0.1 4222' >/dev/null
await 300 "it has ended" nothing_marked
expect '.exit_code == 1 and ([.anomalies[].kind] | index("lost") != null)' \
	"the loss is found"
for file in nats-{0,1,2}/{pod.json,pod.log,varz.json,jsz.json} \
	kubernetes/{events,statefulset,configmap}.json; do
	[ -s "$work/run/servers/$file" ] || fail "no $file"
done
grep -q 'Server is ready' "$work/run/servers/nats-1/pod.log" || fail "no log"
expect '.spec.template.spec.containers[0].env | any(.name == "HARMLESS" and
	.value == "[removed]")' "the variable" \
	"$work/run/servers/kubernetes/statefulset.json"
# shellcheck disable=SC2016 # the configuration's own
expect '.data["nats.conf"] | contains("jetstream {") and
	(contains("password: burn") | not)' "the configuration" \
	"$work/run/servers/kubernetes/configmap.json"
! grep -rq s3cr3tvalue "$work/run/servers" || fail "a secret is saved"
mkdir "$work/unpacked"
tar -C "$work/unpacked" -xf "$work/run/bundle.tar.zst" || fail "no bundle"
ls "$work"/unpacked/*/servers/kubernetes/events.json \
	"$work"/unpacked/*/servers/nats-0/pod.log >/dev/null ||
	fail "the bundle lacks them"
expect_cluster_whole
