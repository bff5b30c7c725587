#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Every fault with every test: one run a test, side by side, in which the
# modes come one after the other, a short fault each. Each mode must have
# taken effect and been undone, which ends the run, and JetStream must have
# kept its promises.
# (scripts/soak has the long combinations; the upgrade has one binary here.)
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(server_of 2.15)
[ -n "$server" ] || skip "no nats-server 2.15 in NATSBURN_SERVERS_DIR"

tests="queue-group-consumer durable-pull-consumer kv-cas add-remove-streams"

# shellcheck disable=SC2086
begin()
{
	local some=

	case $1 in
	*-consumer) some="--consumers 3" ;;
	esac
	start run "$1" --mayhem all --tolerate none --mix 1 --mix-time 1s \
		--quiet-time 300ms --fault-interval 200ms \
		--fault-duration 300ms..2s --stop-on-anomaly \
		--duration 240s --status-interval 1s $some \
		--server-bin "$server,$server" --out "$work/$1"
}

modes_of()
{
	jq -r '.mayhem[]' "$1/report.json"
}

# Faults of a mode that took effect and were undone.
good()
{
	jq --arg m "$2" '[.faults[] | select(.mode == $m and .applied and
		.healed)] | length' "$1/report.json"
}

look_at()
{
	local mode n=0

	for mode in $(modes_of "$work/$1"); do
		n=$((n + 1))
		[ "$(good "$work/$1" "$mode")" -ge 1 ] ||
			fail "$1: no $mode was applied and healed"
	done
	[ "$n" -ge 13 ] || fail "$1: only $n modes"
}

# Each mode had its turn, or the run has ended by itself.
has_all()
{
	is_gone "${pids[$1]}" || jq -e '[.faults[] | select(.applied and
		.healed) | .mode] as $good | (.mayhem | length) >= 13 and
		all(.mayhem[]; . as $m | any($good[]; . == $m))' \
		"$work/$1/report.json" >/dev/null 2>&1
}

declare -A pids
for test in $tests; do
	begin "$test"
	pids[$test]=$pid
done
for test in $tests; do
	await 400 "each mode had its turn with $test" has_all "$test"
	kill -INT "${pids[$test]}" 2>/dev/null
done
for test in $tests; do
	await 500 "$test is over" is_gone "${pids[$test]}"
	code=0
	wait "${pids[$test]}" || code=$?
	[ "$code" -eq 0 ] || fail "$test: exit code $code: $(jq -c \
		'.reasons, .anomalies' "$work/$test/report.json")"
	look_at "$test"
done
nothing_marked || fail "something is left"
