#!/bin/bash
# SPDX-License-Identifier: ISC
#
# kv-store against a real server: every kind of operation happens, watches show
# what comes, and a server that keeps what it promised is not accused. The
# judge says the same of the recorded run.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

refuse 64 'kv-store.weights: "put:x" has no such weight; allowed' \
	run kv-store -o kv-store.weights=get:1,put:x

server=$(server_of 2.15.1) || skip "no server in NATSBURN_SERVERS_DIR"
natsburn run kv-store --clients 4 --rounds 1500 --seed 5 --out "$work/run" \
	--server-bin "$server"
expect_nothing_survives 5
expect_code 0
expect '.harness.gaps == 0 and .harness.workers_died == 0' harness
expect '.counts.messages | .PUBLISH_OK > 300 and .CHANGE_OK > 3 and
	.LOOK_END > 200 and .LOOK_STATE > 4 and .WATCH_END > 20' operations
expect '.checks[] | select(.name == "watch") | .judged > 500' watches
expect_same_check "$work/run"
