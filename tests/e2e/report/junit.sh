#!/bin/bash
# SPDX-License-Identifier: ISC
#
# junit.xml of every verdict: valid by the schema, its counts are those of
# its cases, and nothing that isn't a pass looks like one. report.json of
# the same runs is valid by its published schema.
# shellcheck source=tests/e2e/report/report_lib.sh
. "$(dirname "$0")/report_lib.sh"

command -v xmllint >/dev/null || skip "no xmllint (libxml2-utils)"

# ask XPATH NAME
ask()
{
	xmllint --xpath "$1" "$work/$2/junit.xml"
}

# has XPATH NAME: a claim that must be true
has()
{
	[ "$(ask "boolean($1)" "$2")" = true ] || fail "$2: not true: $1"
}

counts()
{
	local what

	for what in failure:failures error:errors skipped:skipped; do
		has "count(//testcase/${what%:*}) = //testsuite/@${what#*:}" "$1"
	done
	has "count(//testcase) = //testsuite/@tests" "$1"
	has "count(//testcase) = $(jq '(.checks + .limits) | length + 1' \
		"$work/$1/report.json")" "$1"
}

all_verdicts
# A pass that is beyond a limit: no case of a check says so.
lie limit 4 --limit 'stall<1us' --limit 'publish.max<1h,operation.p50<1h'
verdicts="$verdicts limit"
for name in $verdicts; do
	expect_valid_junit "$work/$name/junit.xml"
	counts "$name"
	# The text that people see is not lost and not somebody's markup.
	[ "$(jq -r '.reasons[0] // ""' "$work/$name/report.json")" = "" ] ||
		has '//error | //failure | //skipped' "$name"
	! grep -q s3cr3tpw "$work/$name"/{junit.xml,report.json} ||
		fail "$name: a password is in the reports"
done

has 'not(//failure | //error)' pass
has 'not(//testcase[@name="lost"]/skipped) and
	contains(//testcase[@name="kv"]/skipped/@message, "not exercised")' pass
has "count(//skipped) = $(jq '[.checks[] |
	select(.says == "not_exercised" and .judged == 0)] | length' \
	"$work/pass/report.json")" pass
has '//testcase[@name="redelivered_after_ack"]/failure[
	@type="redelivered_after_ack" and contains(., "ACK_OK")]' fail
has 'count(//failure) = 1 and not(//error)' fail
has 'not(//failure | //error) and
	contains(//testcase[@name="lost"]/system-out, "documented")' remark
has 'not(//error) and count(//failure) = 2 and
	count(//failure[@type="limit"]) = 2 and
	contains(//testcase[@name="limit operation.p50<1h"]/failure/@message,
		"not measured") and
	not(//testcase[@name="limit publish.max<1h"]/failure)' limit
expect_same_check "$work/limit"
has '//testcase[@name="run"]/error[@type="inconclusive"]' inconclusive
has '//testcase[@name="run"]/error' harness
has '//testcase[@name="run"]/error' cluster
has 'not(//failure) and
	count(//skipped) = count(//testcase) - 1' inconclusive
has 'count(//skipped) = count(//testcase)' skipped

# A violation in a run that is not whole: both are told, and what the other
# checks did not find proves nothing.
mkdir -p "$work/both/journal"
zstd -qd "$work/fail/journal/000001.nbj.zst" -o "$work/both/journal/000001.nbj"
truncate -s -10 "$work/both/journal/000001.nbj"
natsburn report --quiet "$work/both"
expect_code 1
verdicts="$verdicts both"
expect_valid_junit "$work/both/junit.xml"
counts both
has '//testcase[@name="run"]/error and count(//failure) = 1 and
	count(//skipped) = count(//testcase) - 2' both

# The schema refuses what is wrong.
sed 's/<failure message="[^"]*"/<failure/' "$work/fail/junit.xml" \
	>"$work/bad.xml"
! xmllint --noout --schema "$root/tests/junit.xsd" "$work/bad.xml" \
	2>/dev/null || fail "the schema takes a failure without a message"

reports=()
for name in $verdicts; do
	reports+=("$work/$name/report.json")
done
python3 "$root/tests/validate_report.py" "$root/docs/report.schema.json" \
	"${reports[@]}" >"$work/invalid"
case $? in
0) ;;
77) skip "$(<"$work/invalid") (junit.xml was tested)" ;;
*) fail "report.json: $(<"$work/invalid")" ;;
esac
jq '.verdict = "good" | .more = 1 | del(.seed)' "$work/pass/report.json" \
	>"$work/bad.json"
! python3 "$root/tests/validate_report.py" "$root/docs/report.schema.json" \
	"$work/bad.json" >"$work/invalid" || fail "the schema takes anything"
[ "$(wc -l <"$work/invalid")" -eq 3 ] ||
	fail "not three findings: $(<"$work/invalid")"
expect_nothing_survives 10
