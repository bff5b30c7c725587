# shellcheck shell=bash
# SPDX-License-Identifier: ISC
#
# What the end-to-end tests share. A test sources this first, works in $work
# (removed when it passes, kept and named when it fails), and ends by
# reaching its last line. Nothing here waits for a fixed time and hopes:
# await asks again and again, with a generous deadline.
#
# Every natsburn is started with a mark in its environment, which all its
# descendants inherit, nats-servers too. So a test knows what belongs to it,
# and what survived, by looking at /proc.

# A test that needs a server's path before it sources a library of its kind
# comes here twice. A second folder would leave the first behind.
[ -z "${lib_is_there:-}" ] || return 0
lib_is_there=yes
set -u
export LC_ALL=C

NATSBURN=${NATSBURN:?must name the natsburn binary to test}
servers_dir=${NATSBURN_SERVERS_DIR:-}
tests_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
root=$(cd "$tests_dir/.." && pwd)
test_name=$(basename "$0" .sh)
work=$(mktemp -d "${TMPDIR:-/tmp}/natsburn-$test_name.XXXXXX") || exit 1
mark=$(basename "$work")

say()
{
	printf '%s: %s\n' "$test_name" "$*" >&2
}

skip()
{
	say "skipped: $*"
	exit 77
}

fail()
{
	say "FAILED: $*"
	exit 1
}

# Pids of processes that carry this test's mark; zombies have no environment.
marked()
{
	grep -lzs "^NATSBURN_TEST_MARK=$mark\$" /proc/[0-9]*/environ |
		sed 's|^/proc/\([0-9]*\)/.*|\1|'
}

nothing_marked()
{
	[ -z "$(marked)" ]
}

describe()
{
	local pid

	for pid in "$@"; do
		say "  $pid: $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)"
	done
}

# Removes what tests made; $undo may name a function that undoes more.
undo=:
finish()
{
	local code=$? pids

	trap - EXIT
	pids=$(marked)
	if [ -n "$pids" ]; then
		# shellcheck disable=SC2086
		kill -9 $pids 2>/dev/null
	fi
	$undo
	if [ "$code" -eq 0 ] || [ "$code" -eq 77 ]; then
		rm -rf "$work"
	else
		say "what it left is in $work"
		tail -n 20 "$work"/err 2>/dev/null >&2
	fi
	exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

command -v jq >/dev/null || skip "jq is not installed"
[ -x "$NATSBURN" ] || fail "NATSBURN=$NATSBURN is not executable"

# await SECONDS WHAT COMMAND...: until the command succeeds.
await()
{
	local deadline=$((SECONDS + $1)) what=$2

	shift 2
	until "$@"; do
		[ "$SECONDS" -lt "$deadline" ] ||
			fail "waited in vain until $what"
		sleep 0.05
	done
}

# natsburn in the foreground: sets $code, writes $work/out and $work/err.
natsburn()
{
	code=0
	env NATSBURN_TEST_MARK="$mark" "$NATSBURN" "$@" \
		>"$work/out" 2>"$work/err" || code=$?
}

# natsburn in the background: sets $pid.
start()
{
	env NATSBURN_TEST_MARK="$mark" "$NATSBURN" "$@" \
		>"$work/out" 2>"$work/err" &
	pid=$!
}

# It ended; whether somebody has reaped it is not the question.
is_gone()
{
	! grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status" \
		2>/dev/null
}

# Wait for the natsburn that start began: sets $code.
finished()
{
	await "$1" "natsburn ends" is_gone "$pid"
	code=0
	wait "$pid" || code=$?
}

expect_code()
{
	[ "$code" -eq "$1" ] || fail "exit code $code instead of $1"
}

# refuse EXIT_CODE PATTERN ARGUMENTS...: natsburn says why in one line, which
# the pattern (of grep -E) matches, and does nothing: no word on stdout, and
# no $unmade, a path.
unmade=
refuse()
{
	local want=$1 pattern=$2

	shift 2
	natsburn "$@"
	[ "$code" -eq "$want" ] ||
		fail "natsburn $*: exit code $code instead of $want"
	[ "$(wc -l <"$work/err")" -eq 1 ] ||
		fail "natsburn $*: says $(wc -l <"$work/err") lines"
	grep -Eq -- "$pattern" "$work/err" ||
		fail "natsburn $*: says \"$(<"$work/err")\""
	[ ! -s "$work/out" ] || fail "natsburn $*: writes to stdout"
	[ -z "$unmade" ] || [ ! -e "$unmade" ] ||
		fail "natsburn $*: makes $unmade"
}

# Nothing with our mark lives any more, within some seconds.
expect_nothing_survives()
{
	local deadline=$((SECONDS + $1)) pids

	until nothing_marked; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			pids=$(marked)
			# shellcheck disable=SC2086
			describe $pids
			fail "these processes survived"
		fi
		sleep 0.05
	done
}

# expect FILTER WHAT [FILE]: a jq filter that must be true of a report.
expect()
{
	jq -e "$1" "${3:-$work/run/report.json}" >/dev/null ||
		fail "$2 (${3:-report.json}: $1)"
}

# expect_no_violation WHAT [FILE]
expect_no_violation()
{
	expect '[.anomalies[] | select(.class == "violation")] == []' \
		"$1: no violation" "${2:-}"
}

# Kinds of the violations of a report, one a line.
violations_of()
{
	jq -r '.anomalies[] | select(.class == "violation") | .kind' "$1" |
		sort -u
}

# expect_known RUN KINDS: the run in $work/RUN has a report, and violations
# only of these kinds, which are known faults of its servers.
expect_known()
{
	local report=$work/$1/report.json kind

	[ -f "$report" ] || fail "$1: no report: $(cat "$work/err")"
	for kind in $(violations_of "$report"); do
		case " $2 " in
		*" $kind "*) say "$1: $kind, a known fault of this server" ;;
		*) fail "$1: $(jq -c '.reasons' "$report")" ;;
		esac
	done
}

# Version of the first server of the run in $work/RUN, if it has a report.
version_of()
{
	jq -r '.servers[0].version' "$work/$1/report.json" 2>/dev/null
}

# expect_healed WHAT [FILE]: every fault, of which there is one at least.
expect_healed()
{
	expect '.faults | length >= 1 and all(.[]; .applied and .healed)' \
		"$1: every fault healed" "${2:-}"
}

# Before another run in the same folder.
forget_run()
{
	rm -rf "$work/run" "$work/run".*
}

# kill_hard WHAT PID: and wait until it is gone.
kill_hard()
{
	kill -9 "$2"
	await 10 "$1 dies" is_gone "$2"
}

# The part of a report that "natsburn check" must repeat.
verdict_of()
{
	jq -S '{verdict, exit_code, reasons, rounds, counts, harness, faults,
		anomalies: [.anomalies[] | {kind, class, count, rule, says}]}' \
		"$1"
}

# natsburn check gives the verdict of the live run, with its exit code.
expect_same_check()
{
	local dir=$1 want got=0

	want=$(jq .exit_code "$dir/report.json")
	"$NATSBURN" check "$dir" --json >"$dir.check" 2>"$dir.check.err" ||
		got=$?
	[ "$got" -eq "$want" ] ||
		fail "natsburn check exits $got instead of $want"
	diff <(verdict_of "$dir/report.json") <(verdict_of "$dir.check") >&2 ||
		fail "natsburn check and the live run differ"
}

# The report keeps its published schema, if there is what can tell.
expect_valid_report()
{
	local code=0

	command -v python3 >/dev/null || return 0
	python3 "$tests_dir/validate_report.py" \
		"$root/docs/report.schema.json" "$1/report.json" \
		>"$work/invalid" || code=$?
	[ "$code" -eq 0 ] || [ "$code" -eq 77 ] ||
		fail "report.json: $(<"$work/invalid")"
}

# A junit.xml keeps the schema, if there is what can tell.
expect_valid_junit()
{
	command -v xmllint >/dev/null || return 0
	xmllint --noout --schema "$tests_dir/junit.xsd" "$1" \
		2>"$work/invalid" || fail "$1: $(<"$work/invalid")"
}

# A page needs nothing else: no other file, no network.
expect_page_alone()
{
	! grep -Eqi 'https?:|src=|url\(|@import' "$1" ||
		fail "$1: needs something else"
}

# Path of the newest server of that version (2.10 stands for 2.10.*).
server_of()
{
	find -L "$servers_dir" -mindepth 2 -maxdepth 2 -name nats-server \
		-perm -u+x \( -path "*/$1/*" -o -path "*/$1.*/*" \) \
		2>/dev/null | sort -V | tail -n 1 | grep .
}

# Path of any server: the newest of the folder, or the one on PATH. To be
# used as: server=$(any_server) || exit
any_server()
{
	local bin

	bin=$(server_of "[0-9]*")
	[ -n "$bin" ] || bin=$(PATH=$PATH:/usr/sbin command -v nats-server) ||
		skip "no nats-server in NATSBURN_SERVERS_DIR or on PATH"
	printf '%s\n' "$bin"
}

# Pids of our processes whose command line has a text.
marked_with()
{
	local one

	for one in $(marked); do
		case $(tr '\0' ' ' <"/proc/$one/cmdline") in
		*"$1"*) printf '%s\n' "$one" ;;
		esac
	done 2>/dev/null
}

runs()
{
	[ -n "$(marked_with "$1")" ]
}

# The run's journal, unpacked; of a run that goes on up to what was written.
journal_text()
{
	local one

	command -v zstd >/dev/null || skip "zstd is not installed"
	for one in "$work"/run/journal/*.zst; do
		zstd -qdc "$one" 2>/dev/null
	done
}

# Bytes of the run's journal: it grows by some 100 bytes a round, is written
# once a second, and hardly grows while there are no rounds.
journal_bytes()
{
	cat "$work"/run/journal/* 2>/dev/null | wc -c
}

journal_has()
{
	[ "$(journal_bytes)" -gt "$1" ]
}

# The run that start began has done some work, and goes on doing it.
await_work()
{
	await 300 "there is work" journal_has $(($(journal_bytes) + 30000))
}
