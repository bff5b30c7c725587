# shellcheck shell=bash
# SPDX-License-Identifier: ISC
#
# What the tests on a real Kubernetes share: the kit that NATSBURN_K8S_KIT
# names, or that lies beside the project in ../shared/k8s, brings up a
# cluster of one node; or the cluster of KUBECONFIG is used, if
# NATSBURN_K8S_TEST=1 allows it. Without both these tests are skipped. The
# servers are those of scripts/k8s, with the kit's image and volumes, or
# with NATSBURN_K8S_IMAGE and the default storage class. A test may set before
# it sources this:
#
#	is_short=yes	it runs without NATSBURN_K8S_LONG=1, too
#	kit_only=WHY	it needs the kit
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

pods=3

[ "${NATSBURN_K8S_LONG:-}" ] || [ "${is_short:-}" ] ||
	skip "takes minutes; NATSBURN_K8S_LONG=1 runs it, with a Kubernetes:" \
		"docs/kubernetes.md#tests"

# A cluster of somebody's, with consent: NATSBURN_K8S_TEST=1 and KUBECONFIG.
# Everything is in a namespace of its own, which is deleted at the end.
own=
if [ "${NATSBURN_K8S_TEST:-}" = 1 ] && [ -n "${KUBECONFIG:-}" ]; then
	[ -z "${kit_only:-}" ] ||
		skip "not on a cluster of somebody's: $kit_only"
	own=natsburn-test-$$
	command -v kubectl >/dev/null || skip "no kubectl"
	image=${NATSBURN_K8S_IMAGE:-nats:2.10-alpine}
	reach=forward
fi

use_kit()
{
	local tool

	kit=${NATSBURN_K8S_KIT:-$root/../shared/k8s}
	[ -x "$kit/cluster.sh" ] || skip "no Kubernetes: NATSBURN_K8S_KIT names" \
		"no kit, ../shared/k8s has none, and KUBECONFIG is not used" \
		"without NATSBURN_K8S_TEST=1; scripts/k3d-up makes a cluster" \
		"in Docker: docs/kubernetes.md#tests"
	[ "$(id -u)" -eq 0 ] || skip "the Kubernetes of the kit needs root"
	for tool in unshare nsenter openssl zstd gcc apt-get; do
		command -v "$tool" >/dev/null || skip "the kit needs $tool"
	done
	# What the kit unpacks stays beside the binary for the next test.
	K8S_DIR=${NATSBURN_K8S_DIR:-$(cd "$(dirname "$NATSBURN")" && pwd)/k8s-kit}
	export K8S_DIR
	# The newest there is: a new 2.10.27 now and then never becomes
	# healthy, until its start-up probe ends it.
	server=$(any_server) || exit
	libraries=$K8S_DIR/root/usr/lib/$(uname -m)-linux-gnu
	image=localhost/nats:test
	reach=direct
}

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

# k8s COMMAND...: inside the cluster's network, or with the KUBECONFIG.
k8s()
{
	if [ -n "$own" ]; then
		"$@"
	else
		"$kit/cluster.sh" sh "$@"
	fi
}

kubectl()
{
	k8s env kubectl ${own:+--namespace="$own"} "$@"
}

k8s_down()
{
	if [ -n "$own" ]; then
		env kubectl delete namespace "$own" --wait=false >/dev/null 2>&1
		return
	fi
	"$kit/cluster.sh" down >/dev/null 2>&1
	rm -f "$K8S_DIR/run/ns.pid"
}

pods_ready()
{
	[ "$(kubectl get sts nats -o 'jsonpath={.status.readyReplicas}' \
		2>/dev/null)" = "$pods" ]
}

# Our own manifests: with the kit's image, volumes and API versions.
apply_servers()
{
	cp -r "$root/scripts/k8s" "$work/manifests"
	kubectl api-versions | grep -qx policy/v1 ||
		sed -i 's|policy/v1$|policy/v1beta1|' "$work/manifests/pdb.yaml"
	sed -i 's|storage: 10Gi|storage: 1Gi|' "$work/manifests/nats.yaml"
	[ -n "$own" ] ||
		sed -i 's|accessModes:.*|&\n      storageClassName: manual|' \
			"$work/manifests/nats.yaml"
	cat >>"$work/manifests/kustomization.yaml" <<-END
		images: [ { name: nats, newName: ${image%:*}, newTag: ${image##*:} } ]
	END
	if { [ -z "$own" ] && ! kubectl apply -f "$kit/pv.yaml"; } \
		>"$work/apply.log" 2>&1 ||
		! kubectl apply -k "$work/manifests" >>"$work/apply.log" 2>&1
	then
		fail "cannot apply the manifests: $(tail -n 3 "$work/apply.log")"
	fi
}

k8s_up()
{
	if [ -n "$own" ]; then
		env kubectl create namespace "$own" >/dev/null ||
			fail "cannot make the namespace $own"
		undo=k8s_down
		apply_servers
		await 300 "three servers are ready" pods_ready
		return
	fi
	[ ! -f "$K8S_DIR/run/ns.pid" ] || k8s_down # of a test that was killed
	undo=k8s_down
	LD_LIBRARY_PATH=$libraries "$kit/cluster.sh" up >"$work/up.log" 2>&1 ||
		fail "the cluster does not come up: $(tail -n 1 "$work/up.log")"
	${before_servers:-:} # a test's own, which may choose their image
	apply_servers
	await 300 "three servers are ready" pods_ready
}

# natsburn beside the cluster, as from a host that reaches it; sets $code.
natsburn_k8s()
{
	local word=$1

	shift
	code=0
	NATSBURN_TEST_MARK="$mark" k8s "$NATSBURN" "$word" "$@" \
		--cluster kubernetes --out "$work/run" \
		${own:+--k8s-namespace "$own"} \
		>"$work/out" 2>"$work/err" || code=$?
}

set_field()
{
	kubectl get sts nats -o "jsonpath={.$1}"
}

set_image()
{
	set_field 'spec.template.spec.containers[0].image'
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

# looker_may ROLE VERBS RESOURCES: one more right of the service account.
looker_may()
{
	kubectl create role "$1" --verb="$2" --resource="$3" >/dev/null
	kubectl create rolebinding "$1" --role="$1" \
		--serviceaccount=default:looker >/dev/null
}

# A service account that may look, and no more; its kubeconfig is $work/looker.
make_looker()
{
	kubectl create sa looker >/dev/null
	looker_may looker get,list,watch pods,statefulsets.apps
	kubeconfig_of looker "$work/looker"
}

# add_volume NUMBER: for one more pod of the kit's.
add_volume()
{
	kubectl apply -f - >/dev/null <<-END || fail "no volume"
		apiVersion: v1
		kind: PersistentVolume
		metadata: { name: pv$1 }
		spec:
		  capacity: { storage: 1Gi }
		  accessModes: [ ReadWriteOnce ]
		  storageClassName: manual
		  hostPath: { path: /var/log/pv/$1, type: DirectoryOrCreate }
	END
}

# kubeconfig_of SERVICE-ACCOUNT FILE: the kit's, as that account.
kubeconfig_of()
{
	local token

	token=$(kubectl get secret "$(kubectl get sa "$1" \
		-o 'jsonpath={.secrets[0].name}')" -o 'jsonpath={.data.token}' |
		base64 -d)
	[ -n "$token" ] || fail "service account $1 has no token"
	sed "s/admintoken/$token/" "$K8S_DIR/run/kubeconfig" >"$2"
}

# import_image FILE: onto the kit's node.
import_image()
{
	k8s ctr -a "$K8S_DIR/run/containerd/containerd.sock" -n k8s.io \
		images import "$1" >/dev/null ||
		fail "the image $1 can't be imported"
}

# make_server_image NAME BINARY: the kit's own image with another server.
make_server_image()
{
	local root=$work/server-image

	rm -rf "$root"
	cp -a "$K8S_DIR/img/nats" "$root" || fail "the kit has no image"
	cp "$2" "$root/usr/bin/nats-server" || fail "no server $2"
	"$kit/mkimage.sh" "$1" "$root" "$work/server.tar" \
		'["/usr/bin/nats-server"]' || fail "no image"
	import_image "$work/server.tar"
}

# An image of the binary, the libraries that it wants, and a shell.
make_image()
{
	local image=$work/image lib # not that of the servers

	mkdir -p "$image/usr/bin" "$image/etc" "$image/tmp"
	cp "$NATSBURN" "$image/usr/bin/natsburn"
	cp "$K8S_DIR/root/usr/bin/busybox" "$image/usr/bin/sh" 2>/dev/null ||
		cp "$K8S_DIR/root/bin/busybox" "$image/usr/bin/sh" ||
		fail "the kit has no busybox"
	ln -s usr/bin "$image/bin"
	ldd "$NATSBURN" | grep -o '/[^ ]*' | sort -u | while read -r lib; do
		mkdir -p "$image$(dirname "$lib")"
		cp -L "$lib" "$image$lib"
	done
	"$kit/mkimage.sh" localhost/natsburn:test "$image" "$work/natsburn.tar" \
		'["/usr/bin/natsburn"]' || fail "no image"
	import_image "$work/natsburn.tar"
}

# Nothing of natsburn is left in the cluster, and all of it is ready.
expect_cluster_whole()
{
	await 300 "all servers are ready" pods_ready
	kubectl rollout status sts/nats --timeout=300s >/dev/null ||
		fail "the rollout does not end"
	[ "$(config_text)" = "$config" ] || fail "the ConfigMap has changed"
	[ -z "$(config_note)" ] || fail "the ConfigMap has our annotation"
	[ "$(set_field spec.replicas)" = "$pods" ] || fail "another size"
	[ "$(set_image)" = "$image" ] || fail "another image"
	! kubectl get sts nats -o json | jq -r '.metadata.annotations | keys[]' |
		grep natsburn/ || fail "the StatefulSet has our annotation"
	[ -z "$(kubectl get netpol -l \
		'natsburn/set' -o name 2>/dev/null)" ] ||
		fail "there is a NetworkPolicy of ours"
	[ -z "$(kubectl get pods -l natsburn/server -o name)" ] ||
		fail "a pod has our label"
}

# burn TEST OPTION...: a run of its own, and what came of it.
burn()
{
	rm -rf "$work/run" "$work/run".*
	natsburn_k8s run "$@"
	[ ! -s "$work/run/report.json" ] || say "$*: exit code $code, $(jq -c \
		'[.rounds, .longest_stall_ms, [.faults[] | [.mode, .target,
		.applied, .healed, .heal_s, .applied_how, .healed_how]]]' \
		"$work/run/report.json")"
}

# The run passed, all its faults were made and undone, and nothing is left.
passed()
{
	expect_code 0
	expect '.verdict == "pass" and .rounds > 100' verdict
	expect '.harness.gaps == 0 and .harness.workers_died == 0' harness
	expect 'all(.faults[]; .applied and .healed)' "applied and healed"
	expect_same_check "$work/run"
	expect_nothing_survives 5
	expect_cluster_whole
}

# faulted N: more than so many faults.
faulted()
{
	expect "(.faults | length) > $1" "there were faults"
}

# The pid here of the natsburn that runs inside.
natsburn_pid()
{
	local one

	for one in $(marked); do
		[ "$(readlink "/proc/$one/exe")" = "$(readlink -f "$NATSBURN")" ] &&
			tr '\0' '\n' <"/proc/$one/cmdline" | grep -qx run &&
			printf '%s\n' "$one"
	done
}

# start_k8s OPTION...: a long run in the background; sets $pid.
start_k8s()
{
	rm -rf "$work/run" "$work/run".*
	NATSBURN_TEST_MARK="$mark" k8s "$NATSBURN" run \
		queue-group-consumer --consumers 2 --cluster kubernetes \
		--k8s-reach "$reach" ${own:+--k8s-namespace "$own"} \
		--duration 10m --out "$work/run" "$@" \
		>"$work/out" 2>"$work/err" &
	pid=$!
}

# kill -9 of it; nothing of its own is left.
kill_it()
{
	local victim

	victim=$(natsburn_pid)
	[ "$(printf '%s\n' "$victim" | wc -w)" -eq 1 ] ||
		fail "not exactly one natsburn: $victim"
	kill -9 "$victim"
	expect_nothing_survives 10
}

if [ -z "$own" ]; then
	use_kit
	prepare_kit
fi
k8s_up
config=$(config_text)
