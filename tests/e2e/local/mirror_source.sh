#!/bin/bash
# SPDX-License-Identifier: ISC
#
# mirror-source against a real server: all kinds of copies are made, follow
# their origins, and are read; a server that copies as it should is not
# accused. The judge says the same of the recorded run.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(server_of 2.15.1) || skip "no server in NATSBURN_SERVERS_DIR"
natsburn run mirror-source --clients 2 --rounds 600 --seed 3 \
	-o mirror-source.origins=3 --server-bin "$server" --out "$work/run"
expect_nothing_survives 5
expect_code 0
expect '.harness.gaps == 0 and .harness.workers_died == 0' harness
expect '.counts.messages | .PUBLISH_OK > 300 and .REMOVE_INVOKE > 50 and
	.COPIED > 500' operations
expect '.checks[] | select(.name == "not_copied") | .judged > 1000' judged
expect_same_check "$work/run"
