#!/bin/bash
# SPDX-License-Identifier: ISC
#
# stream-store against real servers: every kind of operation happens, and is
# answered, and a server that keeps what it promised is not accused. The
# judge says the same of the recorded run.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

store()
{
	forget_run
	natsburn run stream-store --clients 4 --duration 8s --seed 3 \
		--out "$work/run" "$@"
	expect_nothing_survives 5
	expect_code 0
	expect_no_violation "stream-store"
	expect '.harness.gaps == 0 and .harness.workers_died == 0' harness
	expect '.counts.messages | .PUBLISH_OK > 200 and .CHANGE_OK > 30 and
		.REMOVE_INVOKE > 50 and .LIMITS_INVOKE > 0 and
		.LOOK_END > 50 and .LOOK_STATE > 4' operations
	expect '.counts.reads > 50' reads
	expect_same_check "$work/run"
}

refuse 64 'stream-store.weights: "publish:x" has no such weight; allowed' \
	run stream-store -o stream-store.weights=get:1,publish:x
refuse 64 'stream-store.weights: "shred:1" is no operation; allowed' \
	run stream-store -o stream-store.weights=shred:1

tested=0
for version in 2.10 2.15.1; do
	server=$(server_of "$version") || continue
	tested=$((tested + 1))
	store --server-bin "$server"
done
[ "$tested" -gt 0 ] || skip "no server in NATSBURN_SERVERS_DIR"
