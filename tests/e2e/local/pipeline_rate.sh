#!/bin/bash
# SPDX-License-Identifier: ISC
#
# pipeline at a rate, while connections are closed: the rate is held. It has
# the machine for itself, unlike the other scripts.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit
natsburn run pipeline --server-bin "$server" --consumers 4 --duration 5s \
	--quiet-time 1s -o pipeline.churn=1s -o pipeline.ack-wait=1s \
	--rate 500/s --out "$work/run"
expect_code 0
expect '.harness.gaps == 0 and .harness.workers_died == 0' \
	"events are missing, or workers died"
expect '.counts.publish.ok > 2000 and .counts.publish.ok < 2800' \
	"the rate was not held"
expect '.counts.redeliver + .counts.ack.unknown > 0' \
	"nobody's connection was closed"
expect '.counts.publish.behind < 500' "behind a rate that was held"
expect_same_check "$work/run"
expect_nothing_survives 10
