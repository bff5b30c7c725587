#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Servers that never deliver to the audit's consumers, or in another order: what
# it can't read it says, and the run ends in the time that --settle-timeout gives.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

command -v python3 >/dev/null || skip "no python3"
server=$(any_server) || exit

start cluster up --server-bin "$server" --out "$work/theirs"
await 60 "their cluster is up" test -s "$work/theirs/servers.json"
theirs=$pid
servers=$work/theirs/servers.json
mapfile -t ports < <(jq -r '.servers[].url | sub(".*:"; "")' "$servers")

# bounded MODE: a run of 2 s through servers that do that ends within a minute.
bounded()
{
	local between through

	rm -rf "$work/run"
	env NATSBURN_TEST_MARK="$mark" "$tests_dir/tools/tamper_proxy.py" "$1" \
		"$work/ports.$1" "${ports[@]}" 2>/dev/null &
	between=$!
	await 30 "the proxy listens" test -e "$work/ports.$1"
	read -ra through <"$work/ports.$1"
	forget_run
	natsburn run queue-group-consumer --cluster external \
		--url "$(printf 'nats://127.0.0.1:%s,' "${through[@]}")" \
		--monitor "$(jq -r '[.servers[].monitor] | join(",")' \
			"$servers")" --mayhem none --consumers 2 \
		--duration 2s --settle-timeout 9s --out "$work/run"
	expect '([.phases[] | {(.name): .t}] | add | .end - .settle) < 60' \
		"the end of the run: $1"
	expect_same_check "$work/run"
	kill "$between"
	wait "$between" 2>/dev/null
}

# By themselves the copies would take 20 s, ten times.
bounded mute
expect_code 2
expect '.rounds > 0 and .anomalies == [] and (.reasons |
	any(test("the copies of stream 0 could not be compared: 0 of 3")))' \
	"the reason"
bounded swap
expect '.rounds > 0' "rounds"
kill -INT "$theirs"
wait "$theirs"
expect_nothing_survives 10
