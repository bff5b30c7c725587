#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A worker that breaks is the harness's business: it is counted, it is never
# a violation, and what it may have hidden is never a pass.
# shellcheck source=tests/e2e/local/liar_lib.sh
. "$(dirname "$0")/liar_lib.sh"

# It died, was started again, and nothing is missing from the history.
for plant in exit abort torn; do
	run_case "$plant" 0 - 1/0 -o "liar.plant=$plant"
done
# The server delivers again what it was not acked; but when a consumer dies
# while it acks, the server may have the ack and never will.
run_case exit_delivered 0 - 1/0 -o liar.plant=exit_delivered
run_case exit_acking 0 - 1/0 --consume-timeout 1s -o liar.plant=exit_acking \
	-o liar.rate=50
# Events are missing, or the worker itself says that it is broken.
run_case gap 70 - 0/1 -o liar.plant=gap
run_case garbage 70 - 1/1 -o liar.plant=garbage
run_case diag 70 - 0/0 -o liar.plant=diag
# A violation outweighs the harness.
run_case both 1 lost/violation 1/0 -o liar.plant=exit -o liar.legal=memory_loss
cases_done
