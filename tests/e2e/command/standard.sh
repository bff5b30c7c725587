#!/bin/bash
# SPDX-License-Identifier: ISC
#
# What a process begins with: standard streams that are closed or lead
# nowhere, signals that are ignored, a limit of file sizes, a host without
# /proc or /dev/null. None of it destroys evidence or ends a run without a
# word.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

job=(liar --cluster null --quiet-time 0 --rounds 100 --out "$work/run")

# under SCRIPT OPTIONS...: natsburn run, started by a shell that does SCRIPT
# before. Sets $code.
wrapper=()
under()
{
	local script=$1

	shift
	rm -rf "$work/run" "$work/run".*
	code=0
	env NATSBURN_TEST_MARK="$mark" "${wrapper[@]}" bash -c "$script"'; exec "$@"' under \
		"$NATSBURN" run "$@" >"$work/out" 2>"$work/err" || code=$?
}

# Closed: the journal is what it is with all of them open.
for closed in '<&-' '>&-' '2>&-' '<&- >&-' '<&- 2>&-' '>&- 2>&-' \
	'<&- >&- 2>&-'; do
	under "exec $closed" "${job[@]}"
	expect_code 0
	expect '.verdict == "pass"' "closed: $closed"
	expect_same_check "$work/run"
	[ ! -s "$work/run/stderr.log" ] ||
		fail "closed: $closed: $(<"$work/run/stderr.log")"
done

# Nobody reads them, from the beginning: stdout is the report, which then
# could not be given; stderr is for people.
under 'exec > >(:); wait $!' "${job[@]}"
expect_code 70
grep -q 'cannot write to stdout' "$work/err" || fail "does not say why"
under 'exec 2> >(:); wait $!' "${job[@]}"
expect_code 0
expect_same_check "$work/run"

# A limit of file sizes is an error of the journal's, with a reason.
under 'ulimit -f 64' liar --cluster null --quiet-time 0 --duration 20s \
	-o liar.rate=3000 -o liar.messages=60000 --out "$work/run"
expect_code 70
grep -q 'cannot write the journal.*File too large' "$work/err" ||
	fail "a limit of file sizes: $(<"$work/err")"

# SIGHUP ends the load, but not that of a run which nohup began.
for how in : "trap '' HUP"; do
	rm -rf "$work/run" "$work/run".*
	env NATSBURN_TEST_MARK="$mark" bash -c "$how"'; exec "$@"' under \
		"$NATSBURN" run liar --cluster null --quiet-time 0 \
		--duration 60s --rounds 6000 -o liar.rate=3000 \
		-o liar.messages=6000 --out "$work/run" \
		>"$work/out" 2>"$work/err" &
	pid=$!
	await 60 "the run begins" test -e "$work/run/journal"
	kill -HUP "$pid"
	finished 60
	if [ "$how" != : ]; then
		expect_code 0
		expect '.rounds == 6000' "SIGHUP was ignored"
	else
		grep -q 'told to end' "$work/err" || fail "SIGHUP was not heard"
		expect '.rounds < 6000' "SIGHUP ends the load"
	fi
done

# What a host lacks is named, before anything is made. A sanitizer has words
# of its own about a host without /proc, and ends the process its own way.
expect_missing()
{
	under "mount -t tmpfs none $1" "${job[@]}"
	grep -q '^==.*LeakSanitizer has encountered' "$work/err" ||
		expect_code 70
	sed -i '/^==[0-9]*==/d' "$work/err"
	if [ "$(wc -l <"$work/err")" -ne 1 ] || ! grep -q "$2" "$work/err"; then
		fail "without $1: $(<"$work/err")"
	fi
	[ ! -e "$work/run" ] || fail "without $1: has made a run folder"
}

wrapper=(unshare -rm)
if "${wrapper[@]}" mount -t tmpfs none /proc 2>/dev/null; then
	expect_missing /proc '/proc/self/exe: No such file.*is /proc mounted'
	expect_missing /dev '/dev/null: No such file'
else
	say "without namespaces of mounts: /proc and /dev stay"
fi
expect_nothing_survives 5
