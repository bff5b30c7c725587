#!/bin/bash
# SPDX-License-Identifier: ISC
#
# consumer-churn against real servers: consumers are made, changed, refused,
# looked at, drained and ended, their deliveries are answered in every way,
# and a server that keeps what it promised is not accused. The judge says the
# same of the recorded run. Its streams are one with limits and a work queue:
# replicas of interest streams may differ for minutes, for which the audit waits.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

refuse 64 'consumer-churn.subjects "1": must be a number from 2 to 64' \
	run consumer-churn -o consumer-churn.subjects=1

server=$(any_server) || exit
natsburn run consumer-churn --clients 3 --duration 4s --seed 1 \
	-o consumer-churn.streams=2 -o consumer-churn.refilter=false \
	--server-bin "$server" --out "$work/run"
expect_nothing_survives 5
expect_known run ''
expect_code 0
expect '.harness.gaps == 0 and .harness.workers_died == 0' harness
expect '.counts.messages | .PUBLISH_OK > 50 and .CONSUMER_EDIT > 10 and
	.CHANGE_OK > 10 and .CONSUMER_SEEN > 10 and .ACK_OK > 10 and
	.ANSWER_OK > 0' operations
expect_same_check "$work/run"
