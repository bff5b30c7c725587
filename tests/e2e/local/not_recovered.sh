#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A stream that loses one of its replicas for good while everything runs: its
# leader sees all that it counts current, and nobody misses anything but the
# replica. 2.10 takes a replica away although there is no other server for it,
# and answers that it did not.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(server_of 2.10) || skip "no nats-server 2.10"

# The run's stream loses its replica on n3.
take_replica()
{
	local port stream body='{"peer":"n3"}'

	port=$(sed -n 's|^listen: "127.0.0.1:\(.*\)"|\1|p' \
		"$work/run/servers/n1/server.conf")
	stream=$(ls "$work"/run/servers/n1/store/jetstream/BURN/streams)
	exec 3<>"/dev/tcp/127.0.0.1/$port"
	printf 'CONNECT {"verbose":false}\r\nPUB %s %d\r\n%s\r\nPING\r\n' \
		"\$JS.API.STREAM.PEER.REMOVE.$stream" "${#body}" "$body" >&3
	grep -qm 1 PONG <&3
	exec 3>&-
}

start run queue-group-consumer --mayhem none --consumers 2 --duration 10s \
	--recover-timeout 15s --server-bin "$server" --out "$work/run"
await_work
take_replica
finished 240
expect_code 1
expect '[.anomalies[] | select(.class == "violation") | .kind] | unique ==
	["not_recovered"]' "not that alone"
expect '.anomalies[] | select(.says | test("^stream ")) | .says |
	test("in which all 3 servers answered .* with 2 of 3 replicas; .*not n3")' \
	"the sentence"
expect '.anomalies | all(.events | length > 0)' "its events"
expect_same_check "$work/run"
expect_valid_report "$work/run"
