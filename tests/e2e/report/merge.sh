#!/bin/bash
# SPDX-License-Identifier: ISC
#
# natsburn report --merge: shards of one soak become one report, which is
# valid as any, says what they say together, and is never better than the
# worst of them. What is missing or killed is no pass.
# shellcheck source=tests/e2e/report/report_lib.sh
. "$(dirname "$0")/report_lib.sh"

command -v zstd >/dev/null || skip "no zstd"
cd "$work" || exit 1
m=$work/m

# merge EXIT_CODE DIR...: into $m, and what every merged report must be
merge()
{
	local want=$1 link

	shift
	rm -rf "$m"
	natsburn report --merge --out m "$@"
	expect_code "$want"
	expect_valid_report "$m"
	expect_valid_junit "$m/junit.xml"
	[ "$(grep -c '<testsuite ' "$m/junit.xml")" -eq $# ] ||
		fail "not a suite a shard"
	expect ".exit_code == $want and (.shards | length) == $#" "shards" \
		"$m/report.json"
	expect_page_alone "$m/report.html"
	while read -r link; do
		[ -s "$m/$link/report.html" ] || fail "no page at $link"
		grep -q "href=\"${link// /%20}/report.html\"" "$m/report.html" ||
			fail "no link to $link"
	done < <(jq -r '.shards[].link // empty' "$m/report.json")
	# The same again, and as text: nothing of it is by chance.
	"$NATSBURN" report --merge --json --out m "$@" >again.json
	cmp -s again.json "$m/report.json" || fail "--json says another thing"
}

# sum FIELD DIR...
sum()
{
	local field=$1 dir total=0

	shift
	for dir in "$@"; do
		total=$((total + $(jq "$field" "$dir/report.json")))
	done
	printf '%s\n' "$total"
}

# is FIELD VALUE
is()
{
	expect "$1 == $2" "$1 is $(jq -c "$1" "$m/report.json")" "$m/report.json"
}

# clean, dirty: what CI servers make of junit.xml
clean()
{
	! grep -Eq '<(failure|error)' "$m/junit.xml" || fail "junit.xml is red"
}

dirty()
{
	grep -Eq "<$1" "$m/junit.xml" || fail "junit.xml has no $1"
}

# cut_journal DIR: as a kill -9 leaves it, without its end
cut_journal()
{
	zstd -qd --rm "$1/journal/000001.nbj.zst" -o "$1/journal/000001.nbj" ||
		fail "no journal"
	truncate -s -10 "$1/journal/000001.nbj"
}

lie a 0 --seed 1
lie "b c" 0 --seed 2
lie c 0 --seed 3

# All pass: the sums are those of the shards.
merge 0 a "b c" c/
clean
for field in .rounds .counts.publish.ok .counts.ack.ok .harness.events; do
	is "$field" "$(sum "$field" a "b c" c)"
done
is .verdict '"pass"'
is .finished true
is '[.checks[] | .says] | unique' '["holds","not_exercised"]'
is .differs '[]'
is .test '"liar"'
grep -q '^pass: 3 shards of liar' <("$NATSBURN" report --merge --out m a "b c" c) ||
	fail "does not say it"

# One fails, in two ways; the others don't make it better.
lie bad 1 -o liar.plant=redelivered_after_ack --seed 4
lie worse 1 -o liar.plant=redelivered_after_ack --seed 5
merge 1 a bad "b c" worse
dirty failure
is .verdict '"fail"'
expect '.reasons | any(test("^bad: redelivered_after_ack"))' reasons \
	"$m/report.json"
is '[.anomalies[] | .shard] | unique' '["bad","worse"]'
is '[.anomalies[] | .count] | unique' '[2]'
is '[.checks[] | select(.says == "broken").name]' '["redelivered_after_ack"]'
is '.checks[] | select(.name == "redelivered_after_ack").violations' 2
is .differs '["o"]'

# Nothing left of one: all that others didn't break is unproven.
mkdir empty
merge 70 a empty
dirty error
is .verdict '"inconclusive"'
is '[.checks[] | .says] | unique' '["unproven"]'
is '.shards[1].result' '"died"'
is .finished false
merge 1 bad empty
dirty error
dirty failure
is '[.checks[] | .says] | unique' '["broken","unproven"]'

# No report, or half of one, but a journal: it is judged.
cp -r a lost
rm lost/report.json
head -c 500 c/report.json >half
cp -r c torn
mv half torn/report.json
merge 0 lost torn
is .rounds "$(sum .rounds a c)"
cp -r bad killed
rm killed/report.* killed/junit.xml
cut_journal killed
merge 1 a killed
dirty error
cp -r "b c" cut
rm cut/report.json
cut_journal cut
merge 2 a cut
is .finished false
# A report of the way says less than the journal behind it.
cp -r c status
jq '.finished = false | .verdict = "inconclusive" | .exit_code = 2 |
	.rounds = 1' c/report.json >status/report.json
merge 0 a status
is .rounds "$(sum .rounds a c)"
rm -r status/journal
merge 2 a status
is .finished false

# A report that says pass beside a journal that doesn't, and one that is none.
cp -r bad forged
jq '.verdict = "pass" | .exit_code = 0 | .anomalies = []' bad/report.json \
	>forged/report.json
merge 1 a forged
is '.shards[1].result' '"FAIL"'
is '[.reasons[] | test("its report.json says pass")] | any' true
mkdir none
printf '{"exit_code":0,"verdict":"pass"}' >none/report.json
merge 70 a none
is '.shards[1].result' '"died"'

# The order is that of the exit codes: 1, 70, 69, 3, 2, 0.
lie inconclusive 2 -o liar.plant=incomplete
lie harness 70 -o liar.plant=gap
unreachable skipped 3 --mayhem rolling_restart
unreachable skipped2 3 --mayhem rolling_restart
unreachable cluster 69
merge 2 a inconclusive
dirty error
merge 70 inconclusive harness a
merge 1 inconclusive harness bad a
merge 69 skipped cluster
# The title says what the exit code says.
merge 70 skipped cluster empty
is '[.shards[].result]' '["skipped","cluster","died"]'
grep -q '<title>died: shards' m/report.html || fail "another title"
grep -q '^died: 3 shards' out || fail "says another word: $(<out)"
merge 3 skipped skipped2
clean
mkdir like
jq '.exit_code = 3 | .verdict = "skipped" | .reasons = ["cannot"]' \
	a/report.json >like/report.json
merge 3 c like
merge 3 c like inconclusive
is '[.shards[].result]' '["pass","skipped","inconclusive"]'

# Bad input: one line, nothing written.
unmade=$m
merge 0 a c
mv m merged
cp -r a copy
touch file
mkdir nothing
refuse 64 'which run folders' report --merge --out m
refuse 64 '"/no/such": No such file' report --merge a /no/such --out m
refuse 64 '"file": is not a folder' report --merge a file --out m
refuse 64 '"./a/": is named twice' report --merge a ./a/ --out m
refuse 64 '"copy": is the same run as "a"' report --merge a copy --out m
refuse 64 '"merged": is a merged report itself' report --merge a merged --out m
refuse 64 'is of test queue-group-consumer, others are of liar' \
	report --merge a skipped --out m
refuse 64 'no report and no journal in any' report --merge nothing --out m
refuse 64 '--out "a": is the folder of a single run' report --merge a c --out a
refuse 64 '--out "like": is the folder of a single run' report --merge a c --out like
refuse 64 '--out "file": is not a folder' report --merge a c --out file
refuse 64 '"c": one word too many' report a c
refuse 64 'unknown option --mergee' report --mergee a c
# A folder of its own, when none is named.
natsburn report --merge --quiet a c
expect_code 0
[ ! -s out ] || fail "--quiet speaks"
stat natsburn-runs/*-merged-*/report.html >/dev/null || fail "no folder of its own"
expect_nothing_survives 5
