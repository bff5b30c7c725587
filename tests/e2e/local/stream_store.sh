#!/bin/bash
# SPDX-License-Identifier: ISC
#
# stream-store against real servers: every kind of operation happens, and is
# answered, and a server that keeps what it promised is not accused. The
# judge says the same of the recorded run. 2.10.27 does not keep it: three
# messages of a subject, of which the newest is deleted, and the last by
# subject is "no message found".
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

# store KNOWN OPTION...: violations may be of these kinds only.
store()
{
	local known=$1

	shift
	forget_run
	natsburn run stream-store --clients 4 --rounds 1500 --seed 3 \
		--out "$work/run" "$@"
	expect_nothing_survives 5
	expect_known run "$known"
	[ -n "$known" ] || expect_code 0
	expect '.harness.gaps == 0 and .harness.workers_died == 0' harness
	expect '.counts.messages | .PUBLISH_OK > 300 and .CHANGE_OK > 50 and
		.REMOVE_INVOKE > 50 and .LOOK_END > 100 and
		.LOOK_STATE > 4' operations
	expect_same_check "$work/run"
}

refuse 64 'stream-store.weights: "publish:x" has no such weight; allowed' \
	run stream-store -o stream-store.weights=get:1,publish:x
refuse 64 'stream-store.weights: "shred:1" is no operation; allowed' \
	run stream-store -o stream-store.weights=shred:1

tested=0
for version in 2.10.27 2.15.1; do
	server=$(server_of "$version") || continue
	tested=$((tested + 1))
	case $version in
	2.10.*) store stale_read --server-bin "$server" ;;
	*) store '' --server-bin "$server" ;;
	esac
done
[ "$tested" -gt 0 ] || skip "no server in NATSBURN_SERVERS_DIR"
