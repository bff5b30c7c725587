#!/bin/bash
# SPDX-License-Identifier: ISC
#
# All servers are killed at once, again and again: no operation can succeed
# meanwhile, so that a short run proves something by those before and after.
# The stores are compressed and encrypted: what was written is read again by
# its key, and the numbers of bytes that servers tell are those of before.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit
for mode in kill_all kill_majority; do
	rm -rf "$work/run"
	natsburn run queue-group-consumer --mayhem "$mode" --tolerate none \
		--consumers 2 --duration 15s --fault-interval 3s..5s \
		--encryption aes --storage-compression s2 \
		--server-bin "$server" --out "$work/run"
	expect_code 0
	expect '[.faults[] | select(.applied and .healed)] | length > 0' \
		"no fault of $mode"
	expect_same_check "$work/run"
done
