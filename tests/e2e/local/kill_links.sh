#!/bin/bash
# SPDX-License-Identifier: ISC
#
# kill -9 of the process that the links between servers go through: that
# cuts every link and is our own failure, so it ends the run as a fault of
# the harness, long before it could look like one of the servers'.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit
start run queue-group-consumer --mayhem none --duration 10m --consumers 2 \
	--server-bin "$server" --out "$work/run"
await_work
kill -9 "$(marked_with --child=links)"
finished 60
expect_code 70
expect_nothing_survives 5
expect '.verdict == "inconclusive" and .exit_code == 70 and .rounds > 0' \
	verdict
expect '.anomalies == []' "no anomaly"
expect_same_check "$work/run"
