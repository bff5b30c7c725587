#!/bin/bash
# SPDX-License-Identifier: ISC
#
# natsburn matrix: every combination is run once, what is finished is kept,
# what is half done is run again, nothing is deleted, and whatever happens to
# a cell is a row of the result.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

cd "$work" || exit 1
m=$work/m

# lies OPTION...: a matrix without servers
lies()
{
	natsburn matrix --tests liar --cluster null --quiet-time 0 \
		--rounds 100 --out "$m" "$@"
}

# forms: what every matrix leaves is valid and says the same
forms()
{
	local folder

	expect_valid_junit "$m/junit.xml"
	python3 "$root/tests/validate_report.py" \
		"$root/docs/matrix.schema.json" "$m/matrix.json" \
		>"$work/invalid" || [ "$?" -eq 77 ] || fail "$(<"$work/invalid")"
	expect ".exit_code == $code" "the exit code" "$m/matrix.json"
	expect_page_alone "$m/index.html"
	while read -r folder; do
		grep -q "href=\"$folder/report.html\"" "$m/index.html" ||
			fail "no link to $folder"
		[ -s "$m/$folder/report.html" ] || fail "$folder has no report"
	done < <(jq -r '.cells[] | select(.state == "finished").folder' \
		"$m/matrix.json")
}

# row FOLDER FILTER
row()
{
	expect ".cells[] | select(.folder == \"$1\") | $2" "$1" \
		"$m/matrix.json"
}

refuse_matrix()
{
	unmade=$m
	refuse 64 "$1" matrix --out "$m" "${@:2}"
}

# A nats-server as far as --version goes.
fake()
{
	cat >"$1" <<-END
		#!/bin/sh
		[ "\$1" = --version ] && echo "$2"
	END
	chmod +x "$1"
}

bad_input()
{
	fake mute ""
	printf '#!/bin/sh\necho "no flags"\nexit 2\n' >refuses
	chmod +x refuses
	refuse_matrix 'which tests\? --tests' --mayhem none
	refuse_matrix '"kv-cass"; did you mean kv-cas' --tests kv-cas,kv-cass \
		--server-bin "$work/good"
	refuse_matrix '--tests: "liar" is named twice' --cluster null \
		--tests liar,liar
	refuse_matrix '"pawse"; did you mean pause' --tests kv-cas \
		--mayhem none,random_reload+pawse --server-bin "$work/good"
	refuse_matrix 'none stands alone' --tests kv-cas --mayhem none+pause \
		--server-bin "$work/good"
	refuse_matrix '--mayhem kill_all: puts 3 of 3' --tests kv-cas \
		--mayhem pause,kill_all --server-bin "$work/good"
	refuse_matrix '--server-bin "/no/such": No such file' --tests kv-cas \
		--server-bin "$work/good,/no/such"
	refuse_matrix '--server-bin "./mute": does not tell its version' \
		--tests kv-cas --server-bin ./mute
	refuse_matrix '--server-bin "./refuses": .*version: no flags' \
		--tests kv-cas --server-bin ./refuses
	refuse_matrix '--repeat "0": must be a number from 1' --tests kv-cas --repeat 0
	refuse_matrix '--repeat needs a value' --tests kv-cas --repeat
	refuse_matrix 'name tests with --tests' --tests kv-cas liar
	refuse_matrix 'name tests with --tests' --tests kv-cas --test=liar
	refuse_matrix '--mahyem; did you mean --mayhem' --tests kv-cas --mahyem none
	refuse_matrix '-o "liar.rate=5": is of no test' --tests kv-cas \
		-o liar.rate=5 --server-bin "$work/good"
	refuse_matrix 'cells: at most' --tests kv-cas --repeat 1000 --mayhem \
		none,pause,random_reload,partition,lame_duck \
		--server-bin "$work/good"
}

# Finished cells stay; more of them, other options, a violation.
resume()
{
	local before

	lies --repeat 2
	expect_code 0
	forms
	expect '.complete and .counts.pass == 2 and (.cells | length) == 2' \
		"two cells" "$m/matrix.json"
	before=$(stat -c '%i %y' "$m"/liar-none-null-[12]/report.json)
	NATSBURN_ROUNDS=7 lies --repeat 3
	expect_code 0
	forms
	[ "$before" = "$(stat -c '%i %y' "$m"/liar-none-null-[12]/report.json)" ] ||
		fail "a finished cell was run again"
	row liar-none-null-1 .kept
	row liar-none-null-3 ".kept == false and .rounds >= 100"
	grep -q '2 kept of an earlier' "$work/out" || fail "does not say it"

	lies -o liar.plant=redelivered_after_ack
	expect_code 1
	forms
	[ -d "$m/liar-none-null-1.old1" ] || fail "the first run is gone"
	row liar-none-null-1 '.result == "FAIL" and .anomalies[0].kind ==
		"redelivered_after_ack" and (.reason | length) > 0'
	grep -q '<failure message="redelivered_after_ack' "$m/junit.xml" ||
		fail "junit.xml has no failure"
	grep -q 'FAIL *liar-none-null-1: redelivered' "$work/out" ||
		fail "the table does not tell"
	# A report that was cut short is none.
	head -c 300 "$m/liar-none-null-1/report.json" >half
	mv half "$m/liar-none-null-1/report.json"
	lies -o liar.plant=redelivered_after_ack
	expect_code 1
	row liar-none-null-1 '.kept == false and .result == "FAIL"'
	natsburn matrix --tests liar --cluster null \
		--out "$m/liar-none-null-1"
	expect_code 64
	grep -q 'is the folder of a single run' "$work/err" || fail "a run's"
	rm -rf "$m"
}

slow="--rounds 100000 --duration 10m -o liar.messages=100000 -o liar.rate=20"

running()
{
	[ -n "$(marked_with "$1")" ] && [ -d "$m/$1/journal" ]
}

# kill -9 of one: a row, and the next one begins.
one_dies()
{
	# shellcheck disable=SC2086
	start matrix --tests liar --cluster null --quiet-time 0 --repeat 2 \
		$slow --out "$m"
	await 30 "the first runs" running liar-none-null-1
	"$NATSBURN" matrix --tests liar --cluster null --out "$m" 2>two
	grep -q 'another natsburn matrix works there' two ||
		fail "two of them: $(<two)"
	kill -9 "$(marked_with "natsburn run" | head -n 1)"
	await 30 "the second runs" running liar-none-null-2
	row liar-none-null-1 '.state == "died" and .exit_code == 70 and
		(.reason | test("killed by signal 9"))'
	row liar-none-null-2 '.state == "waiting"'
}

# SIGINT: the cell ends in order, the rest is not begun; then go on.
interrupt()
{
	kill -INT "$pid"
	finished 60
	expect_code 70
	forms
	row liar-none-null-2 '.state == "interrupted"'
	[ -s "$m/liar-none-null-2/report.json" ] || fail "it was not ended"
	# What it says goes on where it was; the one that died is kept aside.
	sed -n 's/^  to go on: natsburn //p' "$work/out" >"$work/again"
	[ -s "$work/again" ] || fail "does not say how to go on"
	# shellcheck disable=SC2046
	start $(<"$work/again")
	await 30 "the first runs again" running liar-none-null-1
	[ -d "$m/liar-none-null-1.old1" ] || fail "what died is gone"
	kill -INT "$pid"
	await 30 "it says so" grep -q interrupted "$work/err"
	kill -INT "$pid"
	finished 30
	expect_code 130
	expect_nothing_survives 5
	rm -rf "$m"
}

# The versions are those that the servers say; no server works here.
versions()
{
	fake one "nats-server: v2.10.27"
	fake other "nats-server: v2.10.27"
	fake odd "nats-server: v3.0.0-RC.1 (x/y)"
	natsburn matrix --tests kv-cas,queue-group-consumer \
		--mayhem none,random_reload+pause --json \
		--server-bin ./one,./other,./one+./good,./odd \
		-o kv-cas.keys=3 --out "$m"
	expect_code 69
	forms
	expect '.versions == ["2.10.27", "2.10.27_2", "2.10.27+2.15.1",
		"3.0.0-RC.1"]' versions "$m/matrix.json"
}

fake good "nats-server: v2.15.1"
bad_input
resume
one_dies
interrupt
versions
expect_nothing_survives 5
