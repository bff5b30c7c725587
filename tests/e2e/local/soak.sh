#!/bin/bash
# SPDX-License-Identifier: ISC
#
# What a run of days needs: a journal that stays small without losing what
# shows a violation, a status that can be read while the run goes on, and a
# folder that says what is missing.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

refuse_soak()
{
	unmade=$work/refused
	refuse 64 "$1" run liar --cluster null "${@:2}" --out "$unmade"
}

refuse_soak '--journal-keep "2GB": must be 0 or a size such as 512MiB or 2GiB' \
	--journal-keep 2GB
refuse_soak 'from 1MiB' --journal-keep 1KiB
refuse_soak 'from 1MiB' --journal-keep 4096
refuse_soak '--status-interval "10ms": must be 0 or from 1s to 1d' \
	--status-interval 10ms
refuse_soak '--status-interval "soon": must be a duration' --status-interval soon

# Planted in the first second; what came more than 2 s later and more than
# 10 s before the audit told of it again is dropped.
natsburn run liar --cluster null -o liar.plant=corrupt -o liar.at=start \
	-o liar.messages=90000 -o liar.rate=3000 --rounds 90000 --seed 7 \
	--duration 60s --journal-keep 1MiB --out "$work/run"
expect_code 1
expect '.finished and .dropped.events > .harness.events / 4 and
	.dropped.from_t > 1 and .dropped.from_t < .dropped.to_t' \
	"what was dropped"
expect_valid_report "$work/run"
expect '[.anomalies[] | .kind] | unique == ["corrupt"]' "what was planted"
expect '.anomalies[0].events | map(.event) |
	contains(["PUBLISH_OK", "DELIVER", "ACK_OK", "SCAN_MESSAGE"])' \
	"the evidence"
natsburn check "$work/run"
expect_code 1
grep -q 'the journal is not whole: --journal-keep dropped' "$work/err" ||
	fail "check does not say what is missing"
grep -q 'recorded in report.json by the run itself: fail (exit code 1)' \
	"$work/err" || fail "check does not say the recorded verdict"

# The reports of the run itself are better than what could be made again.
cp "$work/run/report.json" "$work/before"
natsburn report --quiet "$work/run"
expect_code 1
cmp "$work/before" "$work/run/report.json" || fail "the report was replaced"
natsburn dump "$work/run"
expect_code 0

# An honest run on real servers: a pass live, never a pass again.
server=$(any_server) || exit
rm -rf "$work/run"
start run pipeline --mayhem none \
	--duration 25s --server-bin "$server" --journal-keep 1MiB \
	--status-interval 1s --out "$work/run"
has_status()
{
	jq -e '.finished == false and .rounds > 0 and
		.verdict == "inconclusive" and .exit_code == 2' \
		"$work/run/report.json" >/dev/null 2>&1
}
await 60 "the status is in report.json" has_status
expect_valid_report "$work/run"
# Whoever reads it at any time reads a whole one.
for _ in {1..300}; do
	jq -e .schema "$work/run/report.json" >/dev/null ||
		fail "report.json was half written"
done
has_dropped()
{
	jq -e '.dropped.events > 0' "$work/run/report.json" >/dev/null
}
await 60 "something is dropped" has_dropped
finished 200
expect_code 0
[ "$(grep -Ec '^20[0-9-]+T[0-9:]+Z  (mayhem|quiet) .* rounds .* journal ' \
	"$work/err")" -ge 5 ] || fail "no status lines"
expect '.finished and .verdict == "pass" and .dropped.events > 0' "the pass"
expect_valid_report "$work/run"
natsburn check "$work/run" --json
expect_code 2
expect '.verdict == "inconclusive" and
	all(.anomalies[]; .class != "violation") and
	(.reasons[0] | test("--journal-keep dropped"))' \
	"judged again" "$work/out"
[ "$(jq '[.dropped, .harness.events, (.faults | length)]' "$work/out")" = \
	"$(jq '[.dropped, .harness.events, (.faults | length)]' \
		"$work/run/report.json")" ] || fail "check tells of other holes"
grep -q 'by the run itself: pass (exit code 0)' "$work/err" ||
	fail "check does not say the recorded verdict"

# Killed in mid-run: what is there is judged, what is missing is said.
rm -rf "$work/run"
start run queue-group-consumer --mayhem none --consumers 2 --duration 10m \
	--server-bin "$server" --status-interval 1s --out "$work/run"
await 60 "the status is in report.json" has_status
kill -9 "$pid"
finished 10
expect_code 137
expect_nothing_survives 10
natsburn check "$work/run"
expect_code 2
for text in 'ends where its writer was killed' 'the journal ends in phase' \
	'missing:.* settle audit '; do
	grep -q "$text" "$work/err" || fail "check does not say \"$text\""
done
natsburn report --quiet "$work/run"
expect_code 2
expect '.finished == false and any(.reasons[]; test("ends before the run"))' \
	"the report of a killed run"
expect_valid_report "$work/run"
