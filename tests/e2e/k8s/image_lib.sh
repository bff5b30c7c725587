# shellcheck shell=bash
# SPDX-License-Identifier: ISC
#
# What the tests of images share: natsburn's by scripts/k8s/Dockerfile and a
# server's by scripts/k8s/image, made as users make them. With docker: an
# engine that answers, or one of the test's own (dockerd, as root), which has
# no bridge and leaves this host's network as it is. Else with buildah.
#
# Their base comes from its registry; where that can't be reached it is made
# by debootstrap, and stays beside the binary for the next time.

: "${work:?lib.sh comes first}" "${root:?}"
images_of=${images_of:-docker buildah} # tools to choose from
images_base=debian:bookworm-slim
images_tar=$(dirname "$NATSBURN")/base.tar
images_tool=
images_made=()
dockerd_pid=

docker_answers()
{
	docker info >/dev/null 2>&1
}

docker_begin()
{
	command -v docker >/dev/null || return
	docker_answers && return
	[ "$(id -u)" -eq 0 ] && command -v dockerd >/dev/null || return
	export DOCKER_HOST=unix://$work/docker.sock
	dockerd --host "$DOCKER_HOST" --pidfile "$work/dockerd.pid" \
		--data-root "$work/docker" --exec-root "$work/docker-run" \
		--bridge none --iptables=false --ip6tables=false \
		--ip-forward=false >"$work/dockerd.log" 2>&1 </dev/null &
	dockerd_pid=$!
	await 60 "dockerd answers" docker_answers
}

buildah_begin()
{
	command -v buildah >/dev/null || return
	cat >"$work/storage.conf" <<-END
		[storage]
		driver = "vfs"
		graphroot = "$work/storage"
		runroot = "$work/storage-run"
	END
	export CONTAINERS_STORAGE_CONF=$work/storage.conf
	export BUILDAH_ISOLATION=chroot
}

# What was made is gone from the engine, and our own engine with it.
images_end()
{
	if [ "$images_tool" = docker ] && [ -z "$dockerd_pid" ]; then
		docker rmi --force "${images_made[@]}" >/dev/null 2>&1
	elif [ -n "$dockerd_pid" ]; then
		kill -TERM "$dockerd_pid" 2>/dev/null
		wait "$dockerd_pid"
		# It leaves the mount of the host's network namespace.
		umount "$work"/docker-run/netns/* 2>/dev/null
	fi
	rm -rf "$work/docker" "$work/docker-run" "$work/storage"
}

# The base by debootstrap, as a tar.
images_debootstrap()
{
	local mirror

	[ ! -s "$images_tar" ] || return 0
	command -v debootstrap >/dev/null ||
		skip "no registry has $images_base, and no debootstrap"
	mirror=$(bash -c 'me=test; . "$1"; mirrors | head -n 1' - \
		"$root/scripts/common.bash")
	# shellcheck disable=SC2086 # none is debootstrap's own
	debootstrap --variant=minbase bookworm "$work/base" $mirror \
		>"$work/debootstrap.log" 2>&1 ||
		skip "debootstrap: $(tail -n 1 "$work/debootstrap.log")"
	apt-config dump | grep -E '^Acquire::https?::Proxy ' \
		>"$work/base/etc/apt/apt.conf.d/90natsburn"
	tar -C "$work/base" --numeric-owner -cf "$images_tar.new" . ||
		fail "cannot pack the base"
	mv "$images_tar.new" "$images_tar"
	rm -rf "$work/base"
}

images_have_base()
{
	local container

	if [ "$images_tool" = docker ]; then
		docker image inspect "$images_base" >/dev/null 2>&1 && return
		docker pull --quiet "$images_base" >/dev/null 2>&1 && return
		# Not under that name in somebody's own engine.
		[ -n "$dockerd_pid" ] || skip "docker can't pull $images_base"
		images_debootstrap
		docker import "$images_tar" "$images_base" >/dev/null ||
			fail "docker cannot import the base"
		return
	fi
	images_debootstrap
	if ! container=$(buildah from scratch) ||
		! buildah add "$container" "$images_tar" / >/dev/null ||
		! buildah commit --quiet --rm "$container" "$images_base" \
			>/dev/null
	then
		fail "buildah cannot make the base"
	fi
}

# Sets images_tool; whoever has an undo calls images_end in it.
images_begin()
{
	local tool

	for tool in $images_of; do
		if "${tool}_begin"; then
			images_tool=$tool
			images_have_base
			return
		fi
	done
	skip "none of these works here: $images_of"
}

# images_natsburn NAME: natsburn's image, by its Dockerfile.
images_natsburn()
{
	local begin=$SECONDS
	local -a options=(--network host) # it needs Debian's packages

	[ "$images_tool" = docker ] || options=(--pull-never)
	images_made+=("$1")
	"$images_tool" build "${options[@]}" -t "$1" \
		-f "$root/scripts/k8s/Dockerfile" "$root" \
		>"$work/build.log" 2>&1 ||
		fail "the Dockerfile: $(tail -n 3 "$work/build.log")"
	say "natsburn's image: with $images_tool in $((SECONDS - begin)) s"
}

# images_server NAME TAG BINARY [OPTION...]: a server's.
images_server()
{
	local said

	images_made+=("$1:$2")
	said=$("$root/scripts/k8s/image" --with "$images_tool" \
		--name "$1" "${@:4}" "$3" "$2") || fail "scripts/k8s/image"
	[ "$said" = "$1:$2" ] || fail "it is called $said"
}

# images_save NAME FILE: as containerd imports it.
images_save()
{
	case $images_tool in
	docker) docker save -o "$2" "$1" ;;
	buildah) buildah push --quiet "$1" "docker-archive:$2:$1" ;;
	esac || fail "$images_tool cannot save $1"
	say "$1: $(stat -c %s "$2") bytes"
}
