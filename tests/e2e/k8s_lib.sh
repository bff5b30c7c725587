# shellcheck shell=bash
# SPDX-License-Identifier: ISC
#
# What the tests on a real Kubernetes share: the kit that NATSBURN_K8S_KIT
# names, or that lies beside the project in ../shared/k8s, brings up a
# cluster of one node; without it these tests are skipped. The servers are
# those of scripts/k8s, with the kit's image and volumes.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

root=$(cd "$(dirname "$0")/../.." && pwd)
kit=${NATSBURN_K8S_KIT:-$root/../shared/k8s}
[ -x "$kit/cluster.sh" ] ||
	skip "no Kubernetes: NATSBURN_K8S_KIT names no kit, ../shared/k8s has none"
[ "$(id -u)" -eq 0 ] || skip "the Kubernetes of the kit needs root"
for tool in unshare nsenter openssl zstd gcc apt-get; do
	command -v "$tool" >/dev/null || skip "the kit needs $tool"
done
# What the kit unpacks stays beside the binary for the next test.
K8S_DIR=${NATSBURN_K8S_DIR:-$(cd "$(dirname "$NATSBURN")" && pwd)/k8s-kit}
export K8S_DIR
# The newest there is: a new 2.10.27 now and then never becomes healthy, until
# its start-up probe ends it.
server=$(any_server) || exit
libraries=$K8S_DIR/root/usr/lib/$(uname -m)-linux-gnu

# Libraries of Debian's that the kit's dnsmasq wants and this host lacks.
add_libraries()
{
	local missing

	missing=$(LD_LIBRARY_PATH=$libraries \
		ldd "$K8S_DIR/root/usr/sbin/dnsmasq" | grep 'not found')
	[ -n "$missing" ] || return 0
	(
		cd "$K8S_DIR/debs" || exit
		apt-get -q download libnetfilter-conntrack3 libnfnetlink0 \
			libnftables1 libnftnl11 libxtables12 libmnl0 \
			libjansson4 >/dev/null 2>&1
		for deb in lib*.deb; do
			dpkg -x "$deb" ../root
		done
	)
	LD_LIBRARY_PATH=$libraries ldd "$K8S_DIR/root/usr/sbin/dnsmasq" |
		grep -q 'not found' && skip "the kit's dnsmasq doesn't run here"
	return 0
}

prepare_kit()
{
	[ "$(cat "$K8S_DIR/prepared" 2>/dev/null)" = "$server" ] && return
	mkdir -p "$K8S_DIR"
	NATS_SERVER=$server "$kit/prep.sh" >"$work/prep.log" 2>&1 ||
		skip "the kit can't be prepared: $(tail -n 1 "$work/prep.log")"
	add_libraries
	printf '%s\n' "$server" >"$K8S_DIR/prepared"
}

# k8s COMMAND...: inside the cluster's network.
k8s()
{
	"$kit/cluster.sh" sh "$@"
}

kubectl()
{
	k8s kubectl "$@"
}

k8s_down()
{
	"$kit/cluster.sh" down >/dev/null 2>&1
	rm -f "$K8S_DIR/run/ns.pid"
}

pods_ready()
{
	[ "$(kubectl get sts nats -o 'jsonpath={.status.readyReplicas}' \
		2>/dev/null)" = 3 ]
}

# Our own manifests: with the kit's image, volumes and API versions.
apply_servers()
{
	mkdir "$work/manifests"
	cp "$root"/scripts/k8s/*.yaml "$work/manifests"
	sed -i 's|policy/v1$|policy/v1beta1|' "$work/manifests/pdb.yaml"
	sed -i 's|accessModes:.*|&\n      storageClassName: manual|
		s|storage: 10Gi|storage: 1Gi|' "$work/manifests/nats.yaml"
	cat >>"$work/manifests/kustomization.yaml" <<-END
		images: [ { name: nats, newName: localhost/nats, newTag: test } ]
	END
	if ! kubectl apply -f "$kit/pv.yaml" >"$work/apply.log" 2>&1 ||
		! kubectl apply -k "$work/manifests" >>"$work/apply.log" 2>&1
	then
		fail "cannot apply the manifests: $(tail -n 3 "$work/apply.log")"
	fi
}

k8s_up()
{
	[ ! -f "$K8S_DIR/run/ns.pid" ] || k8s_down # of a test that was killed
	undo=k8s_down
	LD_LIBRARY_PATH=$libraries "$kit/cluster.sh" up >"$work/up.log" 2>&1 ||
		fail "the cluster does not come up: $(tail -n 1 "$work/up.log")"
	apply_servers
	await 300 "three servers are ready" pods_ready
}

# natsburn beside the cluster, as from a host that reaches it; sets $code.
natsburn_k8s()
{
	local word=$1

	shift
	code=0
	env NATSBURN_TEST_MARK="$mark" "$kit/cluster.sh" sh "$NATSBURN" \
		"$word" "$@" --cluster kubernetes --out "$work/run" \
		>"$work/out" 2>"$work/err" || code=$?
}

config_text()
{
	kubectl get cm nats-config -o 'jsonpath={.data.nats\.conf}'
}

config_note()
{
	kubectl get cm nats-config \
		-o 'jsonpath={.metadata.annotations.natsburn/original}'
}

# Nothing of natsburn is left in the cluster, and all of it is ready.
expect_cluster_whole()
{
	await 300 "three servers are ready" pods_ready
	kubectl rollout status sts/nats --timeout=300s >/dev/null ||
		fail "the rollout does not end"
	[ "$(config_text)" = "$config" ] || fail "the ConfigMap has changed"
	[ -z "$(config_note)" ] || fail "the ConfigMap has our annotation"
}

prepare_kit
k8s_up
config=$(config_text)
