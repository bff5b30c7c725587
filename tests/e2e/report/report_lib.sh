# shellcheck shell=bash
# SPDX-License-Identifier: ISC
#
# Runs of every verdict, for the tests of what a run leaves: one folder each
# in $work, named as in $verdicts.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

# shellcheck disable=SC2034
# shellcheck disable=SC2034
verdicts="pass fail remark inconclusive harness skipped cluster"

# lie NAME EXIT_CODE [OPTION...]
lie()
{
	local name=$1 want=$2 got=0

	shift 2
	env NATSBURN_TEST_MARK="$mark" "$NATSBURN" run liar --cluster null \
		--quiet-time 0 --rounds 200 --quiet --out "$work/$name" \
		"$@" 2>"$work/err" || got=$?
	[ "$got" -eq "$want" ] ||
		fail "$name: exit code $got instead of $want: $(<"$work/err")"
}

# unreachable NAME EXIT_CODE [OPTION...]
unreachable()
{
	local name=$1

	shift
	natsburn run queue-group-consumer --cluster external --quiet \
		--url nats://user:s3cr3tpw@127.0.0.1:1 --out "$work/$name" \
		"${@:2}"
	expect_code "$1"
}

all_verdicts()
{
	lie pass 0
	lie fail 1 -o liar.plant=redelivered_after_ack
	lie remark 0 -o liar.legal=memory_loss --storage memory
	lie inconclusive 2 -o liar.plant=incomplete
	lie harness 70 -o liar.plant=gap
	unreachable skipped 3 --mayhem rolling_restart
	unreachable cluster 69
}

# needs_browser WHAT: what was tested all the same
needs_browser()
{
	browser=$(command -v chromium || command -v chromium-browser) ||
		skip "no chromium ($1)"
}

# browse FILE OPTION...: what the browser prints; complaints fail.
browse()
{
	local file=$1

	shift
	timeout 120 "$browser" --headless --no-sandbox --disable-gpu \
		--disable-dev-shm-usage --hide-scrollbars \
		--user-data-dir="$work/profile" --enable-logging=stderr \
		--host-resolver-rules='MAP * ~NOTFOUND' \
		--window-size=1280,2000 "$@" "file://$file" \
		2>"$work/browser.err" || fail "the browser failed on $file"
	! grep CONSOLE "$work/browser.err" >&2 ||
		fail "the browser complains about $file"
}
