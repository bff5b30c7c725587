#!/bin/bash
# SPDX-License-Identifier: ISC
#
# --stop-on-anomaly ends the load at the first violation, not at a warning,
# and what follows the load still happens.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

run_with()
{
	rm -rf "$work/run"
	start run liar --cluster null --mayhem none --duration 60s \
		--stop-on-anomaly --out "$work/run" "$@"
	finished 90
}

before=$SECONDS
run_with -o liar.plant=phantom
expect_code 1
expect '.verdict == "fail"' verdict
[ $((SECONDS - before)) -lt 50 ] || fail "the load went on for its 60 s"
expect_same_check "$work/run"
