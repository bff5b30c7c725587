#!/bin/bash
# SPDX-License-Identifier: ISC
#
# natsburn hunt: runs are drawn until its time is over, failures that are the
# same are one, each is run once more with its seed, known ones don't fail the
# hunt, passes leave no folder, and the same command goes on.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

cd "$work" || exit 1
h=$work/h

# hunts TIME OPTION...: without servers, by the test whose defects are planted
hunts()
{
	natsburn hunt --tests liar --cluster null --quiet-time 0 --seed 7 \
		--run-time 1s..1s --jobs 2 --duration "$1" --out "$h" "${@:2}"
}

forms()
{
	expect_valid_junit "$h/junit.xml"
	python3 "$root/tests/validate_report.py" \
		"$root/docs/hunt.schema.json" "$h/hunt.json" \
		>"$work/invalid" || [ "$?" -eq 77 ] || fail "$(<"$work/invalid")"
	expect ".exit_code == $code" "the exit code" "$h/hunt.json"
	expect_page_alone "$h/index.html"
}

tells()
{
	expect "$1" "$2" "$h/hunt.json"
}

refuse_hunt()
{
	unmade=$h
	refuse 64 "$1" hunt --out "$h" "${@:2}"
}

: >known
printf 'a signature without a link\n' >broken
refuse_hunt '--tests "liars": is no test' --cluster null --tests liars
refuse_hunt '--jobs "17": must be a number from 1 to 16' --jobs 17
refuse_hunt 'name tests with --tests' kv-cas
refuse_hunt '--known ".*broken", line 1: must be a signature, a tab' \
	--tests liar --cluster null --known "$work/broken"
refuse_hunt '--known "/no/such": No such file' --tests liar --cluster null \
	--known /no/such
mkdir "$work/other" && echo '{}' >"$work/other/trend.json"
refuse_hunt '--history ".*other": its trend.json is not a history' \
	--tests liar --cluster null --history "$work/other"
refuse_hunt '--mayhem "pawse": is no mode' --mayhem pawse \
	--tests liar --cluster null

# Nothing is wrong: every run passes and leaves nothing. No plant is drawn
# where the user says what to plant.
hunts 4s -o liar.plant=none
expect_code 0
forms
tells '(.runs | length) >= 2 and all(.runs[]; .result == "pass" and
	(.kept | not))' "passes"
tells '.failures == []' "no failures"
[ -z "$(find "$h" -name 'run-*')" ] || fail "a pass left its folder"
runs=$(jq '.runs | length' "$h/hunt.json")

# The same defect in all runs from here on is one failure, which came again.
hunts 12s -o liar.plant=redelivered_after_ack --history "$work/trend"
expect_code 1
expect_page_alone "$work/trend/index.html"
expect '(.hunts | length) == 1 and .hunts[0].seed == 7 and
	(.hunts[0].failures[0].versions | map(.met) | add) >= 2' \
	"its entry" "$work/trend/trend.json"
forms
tells "(.runs | length) > $runs + 2 and .elapsed_s > 4" "it went on"
tells '(.failures | length) == 1 and .failures[0].runs >= 2 and
	.failures[0].kind == "redelivered_after_ack" and
	.failures[0].repeats >= 1 and .failures[0].repeats_failed >= 1' \
	"one failure, many runs"
# shellcheck disable=SC2016
tells '.failures[0] as $f | .runs[] | select(.again == $f.run) |
	.seed == $f.seed' "the same seed"
folder=$(jq -r '.failures[0].folder' "$h/hunt.json")
[ -s "$h/$folder/report.html" ] || fail "the evidence is gone"
grep -q "href=\"$folder/report.html\"" "$h/index.html" || fail "no link"
grep -q '<failure' "$h/junit.xml" || fail "junit.xml has no failure"

# What is known is told, and does not fail the hunt.
printf '%s\thttps://example.org/1\n' \
	"$(jq -r '.failures[0].signature' "$h/hunt.json")" >known
rm -r "$h"
hunts 3s -o liar.plant=redelivered_after_ack --known "$work/known"
expect_code 0
tells '.failures[0].known == "https://example.org/1"' "a link"
grep -q 'known: https://example.org/1' "$work/out" || fail "does not tell it"

# Interrupted: what runs ends in order, and the table is there.
rm -r "$h"
start hunt --tests liar --cluster null --run-time 60s --duration 10m \
	--out "$h" -o liar.rate=20 -o liar.messages=100000
await 60 "a run begins" test -s "$h/run-00001/report.json" -o \
	-d "$h/run-00001/journal"
kill -INT "$pid"
finished 120
expect_code 2
tells '.runs[0].result == "not run" and .runs[0].reason == "interrupted"' \
	"interrupted"
await 20 "nothing runs" nothing_marked
