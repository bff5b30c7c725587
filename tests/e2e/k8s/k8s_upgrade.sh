#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A StatefulSet goes from one version of nats-server to another one under
# load: a rollout of another image. At the end it has its old image again,
# and this time nobody says that the older version can read what the newer
# one wrote: that the pods become ready with it is not waited for.
kit_only="images are put on its node"

old=2.10
new=2.15
before_servers=put_images
put_images()
{
	make_server_image localhost/nats:new "$new_bin"
	make_server_image localhost/nats:old "$old_bin"
	image=localhost/nats:old
}

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"
old_bin=$(server_of $old) || skip "no nats-server $old in NATSBURN_SERVERS_DIR"
new_bin=$(server_of $new) || skip "no nats-server $new in NATSBURN_SERVERS_DIR"
# shellcheck source=tests/e2e/k8s/k8s_lib.sh
. "$(dirname "$0")/k8s_lib.sh"

# A new 2.10.27 forms a meta group of two of three servers now and then, which
# never grows: then it is formed anew, with empty stores.
meta_size()
{
	local n

	for n in 0 1 2; do
		kubectl exec nats-$n -c nats -- wget -q -O - \
			http://127.0.0.1:8222/jsz | jq --arg n "nats-$n" \
			'.meta_cluster | select(.leader == $n) | .cluster_size'
	done
}

has_leader()
{
	[ -n "$(meta_size)" ]
}

are_gone()
{
	[ -z "$(kubectl get pods -o name)" ]
}

for _ in 1 2 3 4 5; do
	await 60 "there is a meta leader" has_leader
	[ "$(meta_size)" != 3 ] || break
	say "a meta group of $(meta_size): it is formed anew"
	kubectl scale sts nats --replicas=0 >/dev/null
	await 120 "the servers are gone" are_gone
	rm -rf "$K8S_DIR"/run/varlog/pv/*/*
	kubectl scale sts nats --replicas=3 >/dev/null
	await 300 "three servers are ready" pods_ready
done

old_version=$("$old_bin" --version | sed 's/.*v//')
new_version=$("$new_bin" --version | sed 's/.*v//')
burn queue-group-consumer --consumers 2 --k8s-reach "$reach" \
	--mayhem rolling_upgrade --k8s-image localhost/nats:new --duration 90s
expect_code 0
expect '.verdict == "pass" and .rounds > 100' verdict
expect '.harness.gaps == 0 and .harness.workers_died == 0' harness
expect "(.faults | length) == 1 and (.faults[0] | .applied and .healed and
	(.applied_how | startswith(\"$old_version: \")) and
	(.healed_how | startswith(\"started as $new_version;\")))" "one upgrade"
expect "(.servers | length) == 3 and all(.servers[]; [.versions[].version] ==
	[\"$old_version\", \"$new_version\"])" "both versions of each server"
expect_same_check "$work/run"
expect_nothing_survives 5
[ "$(set_image)" = localhost/nats:old ] || fail "it has not its image again"
! kubectl get sts nats -o json | jq -r '.metadata.annotations | keys[]' |
	grep natsburn/ || fail "the StatefulSet has our annotation"
if kubectl rollout status sts/nats --timeout=240s >/dev/null; then
	say "they run as $old_version again"
else
	say "they do not become ready as $old_version again"
fi
