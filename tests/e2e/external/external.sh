#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Clusters that somebody else runs: a single server, and the three of
# another natsburn. natsburn changes nothing about them and leaves no stream
# behind.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit

ports_file()
{
	local found

	found=$(find "$work" -maxdepth 1 -name '*.ports')
	[ -n "$found" ] && jq -e '.nats[0] and .monitoring[0]' "$found" \
		>/dev/null 2>&1
}

# http_get URL: body of the answer.
http_get()
{
	local address=${1#http://} path

	path=/${address#*/}
	address=${address%%/*}
	exec 9<>"/dev/tcp/${address%:*}/${address#*:}" || return 1
	printf 'GET %s HTTP/1.0\r\n\r\n' "$path" >&9
	sed '1,/^\r$/d' <&9
	exec 9>&-
}

no_streams_left()
{
	http_get "$1/jsz" | jq -e '(.streams // 0) == 0' >/dev/null
}

# One server.
env NATSBURN_TEST_MARK="$mark" "$server" -a 127.0.0.1 -p -1 -m -1 -js \
	-sd "$work/store" --ports_file_dir "$work" \
	>"$work/server.log" 2>&1 &
theirs=$!
await 30 "the server listens" ports_file
url=$(jq -r '.nats[0]' "$work"/*.ports)
monitor=$(jq -r '.monitoring[0]' "$work"/*.ports)
natsburn run queue-group-consumer --cluster external --url "$url" \
	--replicas 1 --mayhem none --consumers 3 --duration 3s \
	--out "$work/run"
expect_code 0
expect '.verdict == "pass" and .rounds > 0 and .faults == []' verdict
expect '.servers | length == 1' "the server"
expect_same_check "$work/run"
! is_gone "$theirs" || fail "their server was ended"
no_streams_left "$monitor" || fail "streams were left behind"
kill "$theirs"
wait "$theirs" 2>/dev/null

# Three servers, and a further address that is wrong. Nobody watches whether
# they settle, which is said; watched by their monitoring it is a pass.
start run queue-group-consumer --mayhem none --consumers 1 --duration 10m \
	--server-bin "$server" --out "$work/theirs"
await 60 "their cluster works" grep -Eq '^(quiet|mayhem) ' "$work/err"
theirs=$pid
urls=
monitors=
for conf in "$work"/theirs/servers/n[123]/server.conf; do
	urls=$urls$(sed -n 's|^listen: "\(.*\)"|nats://\1|p' "$conf"),
	monitors=$monitors$(sed -n 's|^http: "\(.*\)"|http://\1|p' "$conf"),
done
mv "$work/err" "$work/err.theirs"
forget_run
natsburn run queue-group-consumer --cluster external \
	--url "${urls}nats://127.0.0.1:1" --mayhem none --consumers 3 \
	--duration 3s --out "$work/run"
expect_code 2
expect '.rounds > 0 and .anomalies == [] and (.reasons | length == 1 and
	(.[0] | test("did not settle: nobody watches .* with --monitor")))' "the reason"
expect_same_check "$work/run"
natsburn run queue-group-consumer --cluster external --url "${urls%,}" \
	--monitor "${monitors%,}" --mayhem none --consumers 3 \
	--duration 3s --out "$work/watched"
expect_code 0
expect '.verdict == "pass" and .rounds > 0' verdict "$work/watched/report.json"
expect_same_check "$work/watched"
pid=$theirs
kill -INT "$pid"
finished 60
expect_code 0
expect_nothing_survives 5
