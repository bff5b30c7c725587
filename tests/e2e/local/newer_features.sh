#!/bin/bash
# SPDX-License-Identifier: ISC
#
# What newer servers add: such a test is skipped on older ones, with the
# version that it needs, and on newer ones all of it happens, and a server that
# keeps what it promised is not accused. The judge says the same of the record.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

old=$(server_of 2.10.27) && {
	natsburn run counter --servers 1 --server-bin "$old" --out "$work/old"
	expect_code 3
	expect '.reasons[0] | contains("2.12")' "what it lacks" \
		"$work/old/report.json"
}
new=$(server_of 2.15.1) || skip "no server 2.15.1 in NATSBURN_SERVERS_DIR"

# burn TEST WHAT [OPTION...]: three seconds of it, in which WHAT has to happen.
burn()
{
	natsburn run "$1" --quiet-time 0 --duration 3s --seed 3 \
		--server-bin "$new" --out "$work/run" "${@:3}"
	expect_nothing_survives 5
	expect_code 0
	expect '.harness.gaps == 0 and .harness.workers_died == 0' harness
	expect "$2" operations
	expect_same_check "$work/run"
	forget_run
}

burn atomic-batch '(.counts.messages | .BATCH > 100 and .BATCH_OK > 50 and
	.FAST_ACK > 5 and
	.PUBLISH_OK > .BATCH_OK and .LOOK_END > 20) and
	([.checks[] | select(.name == "wrong_count").judged][0] > 200)'
burn counter '(.counts.messages | .PUBLISH_OK > 100 and .LOOK_END > 20) and
	([.checks[] | select(.name == "wrong_count").judged][0] > 200)' \
	-o counter.sums=true
burn schedule '(.counts.messages | .SCHEDULE_OK > 40 and .FIRED > 20 and
	.CHANGE_OK > 4) and
	([.checks[] | select(.name == "misfired").judged][0] > 40)'
