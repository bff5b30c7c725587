#!/bin/bash
# SPDX-License-Identifier: ISC
#
# kill -9 of natsburn itself: no worker, chaos, link or server process
# survives, and what the journal holds can still be judged.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit
start run queue-group-consumer --mayhem rolling_restart --duration 10m \
	--consumers 2 --server-bin "$server" --out "$work/run"
await_work
for part in --child=chaos --child=links --child=worker nats-server; do
	runs "$part" || fail "no process of $part"
done
kill -9 "$pid"
finished 10
expect_code 137
expect_nothing_survives 10

code=0
"$NATSBURN" check "$work/run" --json >"$work/check.json" 2>"$work/err" ||
	code=$?
expect_code 2
expect '.verdict == "inconclusive" and .exit_code == 2 and .rounds > 0' \
	verdict "$work/check.json"
expect 'any(.reasons[]; test("ends before the run did"))' \
	"the reason" "$work/check.json"
