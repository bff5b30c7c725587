#!/bin/bash
# SPDX-License-Identifier: ISC
#
# natsburn explain, events and help: every name that a report can have is
# explained, every reason that the judge can give says what to do, and the
# events of a run are those of its journal.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

command -v python3 >/dev/null || skip "no python3"
cd "$work" || exit 1

explains()
{
	natsburn explain "$2"
	[ "$code" -eq 0 ] || fail "explain $2: $(<"$work/err")"
	grep -Fq -- "$1" "$work/out" || fail "explain $2: nothing of \"$1\""
}

# Names.
for name in $("$NATSBURN" list --json | jq -r '.[][].name'); do
	explains "$name" "$name"
done
explains 'A confirmed ack is final' redelivered_after_ack
explains 'Ages and lifetimes' expired_late
explains 'A confirmed ack is final' 'guarantees 6'
explains 'a message was received' DELIVER
explains 'NATSBURN_SETTLE_TIMEOUT' --settle-timeout
for number in 0 1 2 3 4 64 69 70 130; do
	explains "$number" "$number"
done
explains 'if there was one leader' 10071
refuse 64 'explain "losst": .*did you mean lost\?' explain losst
refuse 64 'explain "xyzzy-plugh": no kind' explain xyzzy-plugh
refuse 64 'explain what\?' explain

# Every reason that stands in the source, with something in its places.
cat >reasons.py <<'END'
import pathlib
import re
import sys

text = "".join(p.read_text() for p in
               sorted(pathlib.Path(sys.argv[1]).rglob("*.c")))
string = r'"(?:[^"\\]|\\.)*"'
calls = re.findall(r"\b(?:reason\(\s*r|check_doubt\(\s*c),\s*((?:%s\s*)+)"
                   % string, text)
for call in calls:
    form = "".join(s[1:-1] for s in re.findall(string, call))
    if not re.match(r"%(\.\d+)?s$|%s: %llu$", form):
        print(re.sub(r"%[-.0-9]*(?:ll|z)?[a-z]", "7", form))
END
python3 reasons.py "$root/orchestrator" >reasons
[ "$(wc -l <reasons)" -gt 25 ] || fail "only $(wc -l <reasons) reasons found"
while IFS= read -r reason; do
	natsburn explain "$reason"
	[ "$code" -eq 0 ] || fail "docs/verdicts.md lacks: $reason"
	[ "$(wc -l <"$work/out")" -ge 3 ] ||
		fail "docs/verdicts.md does not say what to do: $reason"
done <reasons

# A run that proves nothing says what to do, in words and in the page.
natsburn run liar --cluster null --quiet-time 0 --rounds 50 --out idle \
	-o liar.plant=incomplete
expect_code 2
grep -q '^ *what to do: ' out || fail "the summary does not say what to do"
grep -q 'What to do: ' idle/report.html || fail "the page does not say it"

# Events.
natsburn run liar --cluster null --quiet-time 0 --rounds 200 --out run \
	-o liar.plant=redelivered_after_ack
expect_code 1
grep -q '^  to explain  natsburn explain redelivered_after_ack$' out ||
	fail "does not say how to explain"
grep -q '^  page        .*/run/report.html$' out || fail "names no page"
grep -q 'what is promised' run/report.html || fail "the page has no rule"
# The row that convicts is the second delivery, and no other.
[ "$(grep -c 'class=hit' run/report.html)" -eq 1 ] || fail "not one red row"
grep 'class=hit' run/report.html | grep -q 'DELIVER.*delivered</i>=2' ||
	fail "the red row: $(grep 'class=hit' run/report.html)"

natsburn events run --json
expect_code 0
cp out all
[ "$(wc -l <all)" -eq "$(jq .harness.events run/report.json)" ] ||
	fail "not all events"
jq -es 'map(.event) | index("PUBLISH_OK") and index("SCAN_END")' all \
	>/dev/null || fail "not the events of a run"
natsburn events run
[ "$(wc -l <out)" -eq "$(wc -l <all)" ] || fail "text and JSON differ"
id=$(jq -r '.anomalies[0].events[0].id' run/report.json)
seq=$(jq -r '[.anomalies[0].events[].seq | numbers] | max' run/report.json)
stream=$(jq -r 'select(.event == "STREAM") | .name' all)
# selects FILTER OPTION...: these options choose what the filter does
selects()
{
	natsburn events run --json "${@:2}"
	expect_code 0
	jq -c "select($1)" all >want
	[ -s want ] || fail "$1: nothing to compare"
	jq -c . out | cmp -s want - || fail "events ${*:2}: not those of $1"
}
selects ".id == \"$id\"" --id "$id"
selects ".seq == $seq" --seq "$seq"
selects ".event == \"DELIVER\" or .event == \"ACK_OK\"" --type DELIVER,ACK_OK
selects ".t >= 0.01 and .t <= 0.05" --from 0.01 --to 0.05s
selects ".t < 0" --to -0.000000001
selects ".id == \"$id\" and .event == \"DELIVER\"" --id "$id" --type DELIVER
selects ".stream == 0 or .consumer == 0" --stream "$stream"
selects ".stream == 0 or .consumer == 0" --stream 0
refuse 64 '--id "5": must be SOURCE:NUMBER' events run --id 5
refuse 64 '--seq "x": must be a number' events run --seq x
refuse 64 'did you mean DELIVER\?' events run --type DELVER
refuse 64 '--from "soon": must be seconds' events run --from soon
refuse 64 'which run folder' events
refuse 64 'holds no journal' events empty

# Help.
natsburn
expect_code 64
[ "$(wc -l <err)" -le 15 ] || fail "bare natsburn: $(wc -l <err) lines"
natsburn help
expect_code 0
for command in $("$NATSBURN" --help | sed -n 's/^  natsburn \([a-z]*\) .*/\1/p'); do
	natsburn help "$command"
	expect_code 0
	grep -q "^  natsburn $command" out || fail "help $command: no example"
	cp out help
	natsburn "$command" --help
	cmp -s out help || fail "$command --help is not help $command"
done
grep -q '^  --type' help && fail "the last command has options of others"
natsburn help events
grep -q '^  --mayhem' out && fail "help events has options of run"
grep -q '^  --type' out || fail "help events lacks its options"
natsburn version
expect_code 0
refuse 64 'it is a test; did you mean natsburn run kv-cas\?' kv-cas
refuse 64 'did you mean run\?' help runn
jq -e '.tests[] | select(.name == "kv-cas").options[] | select(.name == "keys")
	| .default and .help' >/dev/null <<<"$("$NATSBURN" list --json)" ||
	fail "list --json has no options of tests"
