#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A journal that changed on the disk, in both forms: check, report and dump
# say that it is damaged, and it neither passes nor convicts. What convicts
# before the damage stands, and the reports of the run itself stay. Tried at
# NATSBURN_TRIALS random places of each form (as a campaign, say 500).
# shellcheck source=tests/e2e/report/report_lib.sh
. "$(dirname "$0")/report_lib.sh"

for tool in tar zstd; do
	command -v "$tool" >/dev/null || skip "no $tool"
done
trials=${NATSBURN_TRIALS:-40}
RANDOM=${NATSBURN_TEST_SEED:-1}

# flip FILE OFFSET BIT
flip()
{
	local byte

	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059
	printf "\\x$(printf %02x $((byte ^ (1 << $3))))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# plain_of DIR: a copy whose journal is plain, as zstd -d makes it
plain_of()
{
	rm -rf "$1-plain"
	cp -r "$1" "$1-plain"
	zstd -qd --rm "$1-plain"/journal/*.zst || fail "zstd can't unpack it"
}

# flip_some DIR: each of them is damage, wherever it is
flip_some()
{
	local file size at bit i

	file=$(echo "$1"/journal/*)
	size=$(stat -c %s "$file")
	for ((i = 0; i < trials; i++)); do
		at=$(((RANDOM << 15 | RANDOM) % size))
		bit=$((RANDOM % 8))
		flip "$file" "$at" "$bit"
		natsburn check --quiet "$1"
		[ "$code" -eq 70 ] ||
			fail "$1: bit $bit of byte $at: exit code $code"
		grep -q 'is damaged after event [0-9]*: segment 1: ' \
			"$work/err" || fail "$1: $(<"$work/err")"
		flip "$file" "$at" "$bit"
	done
	natsburn check --quiet "$1"
	expect_code "$(jq .exit_code "$1/report.json")"
}

lie pass 0 --seed 5 -o liar.rate=500
plain_of "$work/pass"
flip_some "$work/pass"
flip_some "$work/pass-plain"

# What says that it is damaged: check, report and dump alike.
file=$work/pass-plain/journal/000001.nbj
flip "$file" $(($(stat -c %s "$file") / 2)) 0
cp "$work/pass/report.json" "$work/before"
natsburn report --quiet "$work/pass-plain"
expect_code 70
cmp "$work/before" "$work/pass-plain/report.json" ||
	fail "a good report was replaced"
grep -q 'are those of the run itself' "$work/err" || fail "it does not say so"
rm "$work/pass-plain"/{report.json,report.html,junit.xml}
natsburn report --quiet "$work/pass-plain"
expect_code 70
report=$work/pass-plain/report.json
expect '.verdict == "inconclusive" and .exit_code == 70 and
	.harness.gaps == 1 and (.reasons[0] | test("is damaged after event"))' \
	"the verdict" "$report"
expect 'all(.anomalies[]; .class != "violation") and
	all(.checks[]; .says == "unproven")' "what it proves" "$report"
expect_valid_report "$work/pass-plain"
# The bundle's journal ends there, and says so.
natsburn dump "$work/pass-plain"
expect_code 0
mkdir "$work/unpacked"
zstd -qdc "$work/pass-plain/bundle.tar.zst" | tar -x -C "$work/unpacked" ||
	fail "the bundle can't be unpacked"
natsburn check --quiet "$work/unpacked/natsburn-pass-plain"
expect_code 70

# A violation before the damage stands, and one behind it is not seen.
lie fail 1 -o liar.plant=redelivered_after_ack
for form in fail fail-plain; do
	plain_of "$work/fail"
	file=$(echo "$work/$form"/journal/*)
	cp "$file" "$work/whole"
	flip "$file" $(($(stat -c %s "$file") - 5)) 3
	natsburn check --quiet "$work/$form"
	expect_code 1
	grep -q 'is damaged after event' "$work/err" || fail "$(<"$work/err")"
	cp "$work/whole" "$file"
	flip "$file" 100 3
	natsburn check --quiet "$work/$form"
	expect_code 70
	cp "$work/whole" "$file"
done

# What is no journal at all is no evidence either; without one it is usage.
echo nothing >"$file"
natsburn check --quiet "$work/fail-plain"
expect_code 70
rm "$file"
natsburn check --quiet "$work/fail-plain"
expect_code 64
expect_nothing_survives 5
