#!/bin/bash
# SPDX-License-Identifier: ISC
#
# What can't work ends at once, with exit code 69 and the server's own words:
# three replicas at one server, no JetStream, an account without it or at its
# limit, a user who may not ask for it. The doctor says so before.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit

# serve CONF: one server so configured; sets $theirs and $port.
serve()
{
	stop_server
	mkdir -p "$work/server"
	printf 'listen: "127.0.0.1:-1"\n%s\n' "${1//STORE/$work/server/store}" \
		>"$work/server/conf"
	env NATSBURN_TEST_MARK="$mark" "$server" -c "$work/server/conf" \
		--ports_file_dir "$work/server" >"$work/server/log" 2>&1 &
	theirs=$!
	await 30 "the server listens" ports_known
	port=$(jq -r '.nats[0]' "$work"/server/*.ports)
	port=${port##*:}
}

ports_known()
{
	jq -e '.nats[0]' "$work"/server/*.ports >/dev/null 2>&1
}

theirs=
stop_server()
{
	if [ -n "$theirs" ]; then
		kill "$theirs"
		wait "$theirs" 2>/dev/null
	fi
	theirs=
	rm -rf "$work/server"
}

# denied TEST REASON [OPTION...]: REASON is a regular expression of jq.
denied()
{
	local test=$1 reason=$2

	shift 2
	rm -rf "$work/run"
	natsburn run "$test" --cluster external --quiet-time 0 --rounds 5 \
		--url "nats://127.0.0.1:$port" --out "$work/run" "$@"
	expect_code 69
	grep -q "^ERROR: the cluster can't be used" "$work/out" ||
		fail "$reason: the headline is $(head -n 1 "$work/out")"
	jq -e --arg reason "$reason" '(.reasons[0] | test($reason)) and
		all(.checks[]; .says == "unproven") and .total_s < 45' \
		"$work/run/report.json" >/dev/null ||
		fail "not \"$reason\": $(jq -c '[.reasons, .total_s]' \
			"$work/run/report.json")"
}

# doctor EXIT_CODE PATTERN [OPTION...]: what it says of the cluster. It leaves
# nothing behind.
doctor()
{
	local want=$1 pattern=$2

	shift 2
	natsburn doctor kv-cas --cluster external \
		--url "nats://127.0.0.1:$port" --out "$work/new" "$@"
	expect_code "$want"
	grep -Eq "$pattern" "$work/out" ||
		fail "doctor: not \"$pattern\": $(<"$work/out")"
	[ -z "$(ls "$TMPDIR")" ] || fail "the doctor leaves its folder"
	[ ! -e "$work/new" ] || fail "the doctor makes folders"
}

export TMPDIR=$work/tmp
mkdir "$TMPDIR"
port=1
doctor 69 '^BAD +cluster +.*127\.0\.0\.1:1'
natsburn doctor --server-bin /bin/true
expect_code 69
grep -q '^BAD *server .*no nats-server$' "$work/out" ||
	fail "the doctor takes anything for a server"
serve 'jetstream { store_dir: "STORE" }'
doctor 0 '^ok +cluster +.* 1 replica ' --replicas 1
[ -z "$(find "$work/server/store" -path '*streams/*')" ] ||
	fail "the doctor leaves streams"
doctor 69 '^BAD +cluster +.*10074.*--replicas 1' --replicas 3
natsburn doctor kv-cas --server "nats://127.0.0.1:$port" --json
expect_code 0
jq -e '.exit_code == 0 and any(.looks[]; .what == "cluster" and
	.state == "ok" and (.text | test(" 1 replica ")))' "$work/out" \
	>/dev/null || fail "doctor --json: $(<"$work/out")"
denied kv-cas 'not supported in non-clustered mode \(10074\).*--replicas 1' \
	--replicas 3
denied add-remove-streams '10074' --replicas 3
serve ''
denied queue-group-consumer '10076.*no server with JetStream answers' \
	--replicas 1
# shellcheck disable=SC2016 # a subject, no variable
serve 'jetstream { store_dir: "STORE" }
accounts { A { users: [{ user: a, password: a }], jetstream: {
	max_streams: 1, max_file: 1MB, max_mem: 0 } }
	B { users: [{ user: b, password: b }] }
	C { jetstream: enabled, users: [{ user: c, password: c, permissions: {
		publish: { deny: ["$JS.API.STREAM.CREATE.>"] } } }] }
	D { jetstream: enabled, users: [
		{ user: d, password: d, permissions: {
			publish: { deny: ["nb.>", "$KV.>"] } } }
		{ user: e, password: e, permissions: {
			publish: { deny: ["$JS.ACK.>"] } } }
		{ user: f, password: f, permissions: {
			publish: { deny: ["$JS.API.STREAM.DELETE.>"] } } }] } }'
denied kv-cas '10039|10076' --replicas 1 --user b --password b
denied kv-cas '(?i)permissions violation.*STREAM.CREATE' \
	--replicas 1 --user c --password c
# What only the load does, too: an ack, a message, an update, an operation.
denied queue-group-consumer 'consumer may not .*Permissions.*JS.ACK' \
	--replicas 1 --user e --password e
denied queue-group-consumer 'publisher may not .*to "nb' \
	--replicas 1 --user d --password d
denied kv-cas 'cannot delete .*makes none: .*STREAM.DELETE' --replicas 1 \
	--user f --password f
[ -z "$(find "$work/server/store" -path '*D/streams/NB_*')" ] ||
	fail "streams are left that may not be deleted"
denied kv-cas 'client may not .*to ".KV' --replicas 1 --user d --password d
denied stream-store 'may not .*to "nb' --replicas 1 --user d --password d
denied queue-group-consumer '\(1[0-9]{4}\): an account limit' --replicas 1 \
	--storage memory --user a --password a
stop_server
