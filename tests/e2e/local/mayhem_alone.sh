#!/bin/bash
# SPDX-License-Identifier: ISC
#
# natsburn mayhem and natsburn cluster: servers and faults without a load of
# natsburn's own; status and down find them by their folder, and nothing is
# left of them.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit

is_up()
{
	[ -s "$work/run/servers.json" ]
}

is_healthy()
{
	"$NATSBURN" cluster status "$work/run" >"$work/status" 2>&1
}


# Servers alone.
start cluster up --servers 3 --server-bin "$server" --out "$work/run"
await 60 "servers.json is there" is_up
await 60 "all servers are healthy" is_healthy
[ "$(grep -c ' healthy$' "$work/status")" -eq 3 ] ||
	fail "status: $(cat "$work/status")"
# Its ports are held against others that choose theirs at the same time.
for port in $(jq -r '.servers[] | .url, .monitor | sub(".*:"; "")' \
	"$work/run/servers.json"); do
	grep -q "@natsburn/port/$port\$" /proc/net/unix ||
		fail "port $port is not held"
done
url=$(jq -r '.servers[0].url' "$work/run/servers.json")
grep -q "$url" "$work/err" || fail "does not say where clients connect"
natsburn_pid=$pid
"$NATSBURN" cluster down "$work/run" || fail "cluster down: exit code $?"
await 30 "natsburn ends" is_gone "$natsburn_pid"
code=0
wait "$natsburn_pid" || code=$?
expect_code 0
[ ! -e "$work/run/servers.json" ] || fail "servers.json is left"
expect_nothing_survives 10
"$NATSBURN" cluster status "$work/run" 2>"$work/status" &&
	fail "status of a cluster that is gone: exit code 0"
grep -q "no cluster of natsburn is up there" "$work/status" ||
	fail "status says $(cat "$work/status")"

# Faults alone, until it is told to end; each is undone by then.
rm -rf "$work/run"
start mayhem wipe_store,pause --fault-interval 500ms \
	--fault-duration 3s..4s --server-bin "$server" --out "$work/run"
await 60 "servers.json is there" is_up
await 120 "a fault is in force" grep -q '\[wipe_store n' \
	"$work/err"
"$NATSBURN" cluster down "$work/run" || fail "cluster down: exit code $?"
finished 60
expect_code 0
expect '.verdict == "pass"' "not a pass"
expect 'any(.faults[]; .mode == "wipe_store" and .applied and .healed and
	(.applied_how | test("store removed and empty")))' "no store was wiped"
expect '[.faults[] | select(.healed | not)] | length == 0' "not undone"
expect_nothing_survives 10
