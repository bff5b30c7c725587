#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Behind natsburn's back a durable is deleted and made again, which is what a
# server does that loses its state: what was confirmed comes again.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit
probe=${JS_PROBE:?must name js_probe}
consumer=

has_load()
{
	consumer=$(find "$work/run/servers" -type d -path '*/NB_*/obs/*' \
		-prune 2>/dev/null | head -n 1)
	[ -n "$consumer" ] && grep -q '^mayhem ' "$work/err"
}

start run queue-group-consumer --server-bin "$server" --mayhem none \
	--op-timeout 2s --consume-timeout 2s --duration 10m --out "$work/run"
await 120 "there is load" has_load
stream=$(basename "${consumer%/obs/*}")
url=$(jq -r '.servers[0].url' "$work/run/servers.json")
await 120 "who leads the consumer has been told several times" \
	grep -Eq '^mayhem +(1[6-9]|[2-9][0-9]|[1-9][0-9]{2})\.' "$work/err"
"$probe" "$url" reset "$stream" "$(basename "$consumer")" ||
	fail "reset: probe failed"
await 120 "something comes again" grep -Eq 'anomalies [1-9]' "$work/err"
kill -INT "$pid"
finished 400
expect_code 1
expect '[.anomalies[] | select(.kind == "redelivered_after_ack" or
	.kind == "consumer_reset") | .class] | index("violation") != null' \
	"what was confirmed came again"
expect_same_check "$work/run"
expect_nothing_survives 10
