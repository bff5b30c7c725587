#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Behind natsburn's back acknowledged messages are purged, all of those of the
# first half of the load, and the stream is deleted with all it holds: each
# time it is lost, by ranges and the stream's numbers, or as gone.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit
probe=${JS_PROBE:?must name js_probe}
stream=

has_stream()
{
	stream=$(find "$work/run/servers" -type d -name 'NB_*_*' \
		2>/dev/null | head -n 1)
	stream=${stream##*/}
	[ -n "$stream" ] && [ -s "$work/run/servers.json" ]
}

# hurt TEST COMMAND...: do that to the test's stream when it has some load.
hurt()
{
	local url test=$1

	shift
	stream=
	start run "$test" --server-bin "$server" --mayhem none \
		--op-timeout 2s --consume-timeout 2s \
		--duration 10s --out "$work/run"
	await 60 "the stream is there" has_stream
	url=$(jq -r '.servers[0].url' "$work/run/servers.json")
	await 60 "half of the load is over" grep -q 'quiet\|mayhem' "$work/err"
	sleep 5
	"$probe" "$url" "$1" "$stream" "${@:2}" || fail "$1: probe failed"
	finished 400
	expect_code 1
	expect_same_check "$work/run"
	expect_nothing_survives 10
}

lost="any(.anomalies[]; .kind == \"lost\" and .class == \"violation\" and
	(.says | test(\$says)))"
says()
{
	jq -e --arg says "$1" "$lost" "$work/run/report.json" >/dev/null ||
		fail "no violation says \"$1\""
}

hurt pipeline purge 1500
says "messages acknowledged in $stream are gone, from .* sequence 1 to "
says "begins at sequence 1500, .*nothing may remove them"
expect '.counts.scanned > 0' "the rest was read"
forget_run

hurt queue-group-consumer delete
says "stream $stream is gone, with [0-9]+ acknowledged messages"
