#!/bin/bash
# SPDX-License-Identifier: ISC
#
# kill -9 of the chaos process: the servers die with it, the run ends as a
# fault of the harness, and what was seen until then is judged and kept.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit
start run queue-group-consumer --mayhem rolling_restart --duration 10m \
	--consumers 2 --server-bin "$server" --out "$work/run"
await_work
kill -9 "$(marked_with --child=chaos)"
finished 60
expect_code 70
expect_nothing_survives 5
expect '.verdict == "inconclusive" and .exit_code == 70 and .rounds > 0' \
	verdict
expect 'any(.reasons[]; test("chaos"))' "the reason"
expect '.harness.workers_died >= 1' "the death counted"
expect_same_check "$work/run"
