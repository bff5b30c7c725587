#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A hunt as a Job, in an image of scripts/image with its servers; and its
# folder brought here by scripts/k8s/fetch.
kit_only="images are put on its node"
# shellcheck source=tests/e2e/k8s/k8s_job_lib.sh
. "$(dirname "$0")/k8s_job_lib.sh"

# A volume that the Job's user may write, as a provisioner makes it.
k8s install -d -m 777 /var/log/pv/hunt
kubectl apply -f - >/dev/null <<-END || fail "no volume"
	apiVersion: v1
	kind: PersistentVolume
	metadata: { name: hunt }
	spec:
	  capacity: { storage: 20Gi }
	  accessModes: [ ReadWriteOnce ]
	  storageClassName: hunt
	  hostPath: { path: /var/log/pv/hunt }
END
"$root/scripts/image" --natsburn "$NATSBURN" --server "$server" \
	--name natsburn:hunt "$work/hunt.tar" >/dev/null || fail "no image"
import_image "$work/hunt.tar"
rm "$work/hunt.tar"

# The host of this test is small; and it hunts for what is surely found.
sed 's|accessModes:.*|&\n  storageClassName: hunt|
	s|natsburn:latest|localhost/natsburn:hunt|
	s|cpu: "4", memory: 4Gi|cpu: 100m|
	s|--duration=8h|--duration=40s|
	s|--jobs=2|--run-time=10s\n        - --tests=kv-cas\n        - --mayhem=none|' \
	"$root/scripts/k8s/hunt.yaml" >"$work/hunt.yaml"
kubectl apply -f "$work/hunt.yaml" >/dev/null || fail "no hunt"
await 300 "the hunt ends" has_ended natsburn-hunt
kubectl logs -l job-name=natsburn-hunt --tail=-1 >"$work/out"
say "exit code $code: $(tail -n 2 "$work/out" | tr -s ' \n' ' ')"
expect_code 0

mkdir -p "$work/tools/bin"
cp "$K8S_DIR/root/bin/busybox" "$work/tools/bin/tar" || fail "no busybox"
ln -s tar "$work/tools/bin/sh"
ln -s tar "$work/tools/bin/sleep"
"$kit/mkimage.sh" localhost/fetch:test "$work/tools" "$work/tools.tar" \
	'["/bin/sh"]' || fail "no image"
import_image "$work/tools.tar"
k8s "$root/scripts/k8s/fetch" --image localhost/fetch:test natsburn-hunt \
	"$work/hunted" || fail "it can't be fetched"
jq -e '.runs | length > 0' "$work/hunted/out/hunt.json" >/dev/null ||
	fail "no runs in the folder that was fetched"
[ -s "$work/hunted/out/index.html" ] || fail "no page"
! kubectl get pods -o name | grep fetch || fail "a pod is left"
! k8s "$root/scripts/k8s/fetch" --image localhost/fetch:test nothing \
	"$work/nothing" 2>"$work/err" || fail "a claim that is not there"
