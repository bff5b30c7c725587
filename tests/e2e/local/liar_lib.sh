# shellcheck shell=bash
# SPDX-License-Identifier: ISC
#
# Runs of the liar, several at a time. A case is
#
#	NAME EXIT_CODE ANOMALIES HARNESS [OPTION...]
#
# where ANOMALIES is what the report must hold, exactly, as a list of
# kind/class (or "-"), and HARNESS is workers_died/gaps.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

at_a_time=6

judge_case()
{
	local name=$1 code=$2 kinds=$3 harness=$4 dir got

	dir=$work/$name
	shift 4
	got=0
	env NATSBURN_TEST_MARK="$mark" "$NATSBURN" run liar --cluster null \
		--quiet-time 0 --rounds 200 --duration 60s --out "$dir" \
		--quiet "$@" 2>"$dir.err" || got=$?
	[ "$got" -eq "$code" ] ||
		fail "$name: exit code $got instead of $code: $(cat "$dir.err")"
	got=$(jq -r '[.anomalies[] | "\(.kind)/\(.class)"] | unique |
		join(",")' "$dir/report.json")
	[ "${got:--}" = "$kinds" ] ||
		fail "$name: anomalies ${got:--} instead of $kinds"
	got=$(jq -r '.harness | "\(.workers_died)/\(.gaps)"' \
		"$dir/report.json")
	[ "$got" = "$harness" ] ||
		fail "$name: harness $got instead of $harness"
	jq -e 'all(.anomalies[]; .count > 0 and (.events | length) > 0 and
		(.says | length) > 0 and (.rule | startswith("guarantees")))' \
		"$dir/report.json" >/dev/null ||
		fail "$name: an anomaly without evidence"
	expect_same_check "$dir"
	rm -rf "$dir" "$dir".*
}

one_case()
{
	(judge_case "$@") || printf '%s\n' "$1" >>"$work/failed"
}

run_case()
{
	while [ "$(jobs -pr | wc -l)" -ge "$at_a_time" ]; do
		wait -n
	done
	one_case "$@" &
}

cases_done()
{
	wait
	if [ -e "$work/failed" ]; then
		fail "$(wc -l <"$work/failed") cases failed"
	fi
	expect_nothing_survives 10
}
