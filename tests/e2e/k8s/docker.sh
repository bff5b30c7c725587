#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Both images, made with docker and run by it: natsburn burns in servers of its
# own in its container, as a user that is not root; and three containers of
# the server's image, one of which is restarted meanwhile.
[ "${NATSBURN_DOCKER_TEST:-}" = 1 ] || {
	echo "skipped: makes images of packages and compiles in them;" \
		"NATSBURN_DOCKER_TEST=1 runs it" >&2
	exit 77
}
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"
images_of=docker
# shellcheck source=tests/e2e/k8s/image_lib.sh
. "$(dirname "$0")/image_lib.sh"

server=$(any_server) || exit
natsburn_image=localhost/$mark:natsburn # what docker calls these has to
server_image=localhost/$mark-server	# be in lower case
natsburn_image=${natsburn_image,,}
server_image=${server_image,,}

docker_undo()
{
	docker ps -aq --filter "label=$mark" | xargs -r docker rm -f >/dev/null
	images_end
}
undo=docker_undo

# container NAME OPTION... IMAGE...: one with our label.
container()
{
	docker run --label "$mark" --name "$mark-$1" "${@:2}"
}

natsburn_has_load()
{
	docker logs "$mark-$1" 2>&1 | grep -Eq ' mayhem .* [1-9][0-9]* rounds'
}

has_exited()
{
	[ "$(docker inspect -f '{{.State.Status}}' "$mark-$1")" = exited ]
}

# ended SECONDS NAME: sets $code and writes $work/out.
ended()
{
	await "$1" "the container $2 ends" has_exited "$2"
	code=$(docker inspect -f '{{.State.ExitCode}}' "$mark-$2")
	docker logs "$mark-$2" >"$work/out" 2>"$work/err"
}

passed()
{
	expect_code 0
	grep -q '^PASS: ' "$work/out" || fail "no verdict"
	say "$1: $(grep -E '^  (rounds|faults)' "$work/out" |
		tr -s ' ' | tr '\n' ' ')"
}

images_begin
images_natsburn "$natsburn_image"
images_server "$server_image" test "$server"
server_image=$server_image:test
for image in "$natsburn_image" "$server_image"; do
	say "$image: $(docker image inspect -f '{{.Size}}' "$image") bytes"
done
[ "$(docker image inspect -f '{{.Config.User}}' "$natsburn_image")" = \
	65532:65532 ] || fail "natsburn's image runs as somebody else"

# A cluster in one container, and a fault. natsburn is process 1 there.
container alone -d --network none \
	-v "$(readlink -f "$server"):/usr/bin/nats-server:ro" \
	"$natsburn_image" run kv-cas --clients 4 --duration 15s \
	--mayhem random_hard_kill >/dev/null || fail "no container"
ended 300 alone
passed alone
grep -Eq 'faults +([1-9][0-9]*) planned, \1 applied, \1 healed' \
	"$work/out" || fail "faults were not applied and healed"

# As "docker stop" ends it: the run heals and has a verdict.
container stopped -d --network none \
	-v "$(readlink -f "$server"):/usr/bin/nats-server:ro" \
	"$natsburn_image" run queue-group-consumer --consumers 2 \
	--duration 10m --mayhem none --status-interval 1s >/dev/null ||
	fail "no container"
await 120 "there is load" natsburn_has_load stopped
docker stop --time 120 "$mark-stopped" >/dev/null
ended 10 stopped
passed stopped

# Three containers of servers, in a network of their own.
container net -d --network none --entrypoint sleep "$server_image" infinity \
	>/dev/null || fail "no container"
for i in 1 2 3; do
	cat >"$work/n$i.conf" <<-END
		server_name: n$i
		listen: 127.0.0.1:4222$i
		jetstream { store_dir: /tmp/js }
		cluster {
		  name: docker
		  listen: 127.0.0.1:3222$i
		  routes: [ nats://127.0.0.1:32221, nats://127.0.0.1:32222, nats://127.0.0.1:32223 ]
		}
	END
	container "n$i" -d --network "container:$mark-net" \
		-v "$work/n$i.conf:/nats.conf:ro" \
		"$server_image" -c /nats.conf >/dev/null ||
		fail "no container for n$i"
done
container burn -d --network "container:$mark-net" "$natsburn_image" \
	run queue-group-consumer --cluster external --consumers 4 \
	--url nats://127.0.0.1:42221,nats://127.0.0.1:42222,nats://127.0.0.1:42223 \
	--replicas 3 --mayhem none --duration 20s --status-interval 1s \
	>/dev/null || fail "no container"
await 120 "there is load" natsburn_has_load burn
docker restart "$mark-n2" >/dev/null || fail "n2 can't be restarted"
ended 300 burn
passed burn
