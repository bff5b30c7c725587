#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The images as users make them, with buildah: natsburn's by
# scripts/k8s/Dockerfile, nats-server's by scripts/k8s/image. Their base,
# which a registry has for users, is made here by debootstrap. Then natsburn
# burns in that server, both of them in pods.
[ "${NATSBURN_K8S_LONG:-}" ] || {
	echo "skipped: takes minutes; NATSBURN_K8S_LONG=1 runs it" >&2
	exit 77
}
for tool in buildah debootstrap; do
	command -v "$tool" >/dev/null || {
		echo "skipped: no $tool" >&2
		exit 77
	}
done
# shellcheck source=tests/e2e/k8s_job_lib.sh
. "$(dirname "$0")/k8s_job_lib.sh"

cat >"$work/storage.conf" <<-END
	[storage]
	driver = "vfs"
	graphroot = "$work/storage"
	runroot = "$work/storage-run"
END
export CONTAINERS_STORAGE_CONF=$work/storage.conf
export BUILDAH_ISOLATION=chroot

# The base, which stays beside the kit for the next time.
base=$K8S_DIR/base.tar
make_base()
{
	local mirror container

	if [ ! -s "$base" ]; then
		mirror=$(cat /etc/apt/sources.list.d/debian.sources \
			/etc/apt/sources.list 2>/dev/null |
			grep -o 'https\{0,1\}://[^ ]*/debian/\{0,1\}$' |
			head -n 1)
		# shellcheck disable=SC2086 # none is debootstrap's own
		debootstrap --variant=minbase bookworm "$work/base" $mirror \
			>"$work/debootstrap.log" 2>&1 ||
			skip "debootstrap: $(tail -n 1 "$work/debootstrap.log")"
		tar -C "$work/base" --numeric-owner -cf "$base" . ||
			fail "cannot pack the base"
		rm -rf "$work/base"
	fi
	if ! container=$(buildah from scratch) ||
		! buildah add "$container" "$base" / >/dev/null ||
		! buildah commit --quiet --rm "$container" \
			debian:bookworm-slim >/dev/null
	then
		fail "buildah cannot make the base"
	fi
}

make_base
begin=$SECONDS
buildah build --pull-never -t localhost/natsburn:built \
	-f "$root/scripts/k8s/Dockerfile" "$root" >"$work/build.log" 2>&1 ||
	fail "the Dockerfile: $(tail -n 3 "$work/build.log")"
buildah push --quiet localhost/natsburn:built \
	"docker-archive:$work/natsburn.tar:localhost/natsburn:built" ||
	fail "the image can't be saved"
say "natsburn's image in $((SECONDS - begin)) s, $(
	stat -c %s "$work/natsburn.tar") bytes"
"$root/scripts/k8s/image" --with buildah --tar "$work/server.tar" \
	--name localhost/nats "$server" built >"$work/name" ||
	fail "scripts/k8s/image"
[ "$(cat "$work/name")" = localhost/nats:built ] || fail "another name"
rm -rf "$work/storage"
import_image "$work/natsburn.tar"
import_image "$work/server.tar"
rm "$work/natsburn.tar" "$work/server.tar"

# The kit's server is upgraded to it, by a Job in that image.
job_image=localhost/natsburn:built
job queue-group-consumer rolling_upgrade --k8s-image=localhost/nats:built
passed
# Then it is the one from the start, with commands in its shell.
kubectl set image sts nats nats=localhost/nats:built >/dev/null ||
	fail "no other image"
image=localhost/nats:built
expect_cluster_whole
job kv-cas random_reload,random_hard_kill
passed
expect_cluster_whole
