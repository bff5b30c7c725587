#!/bin/bash
# SPDX-License-Identifier: ISC
#
# On a terminal: progress in one line that fits it, colours unless NO_COLOR,
# a summary that fits one screen. Elsewhere: plain lines and no escapes.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

command -v python3 >/dev/null || skip "no python3"

cat >"$work/ptyrun.py" <<'END'
"""ptyrun.py COLUMNS ROWS OUT COMMAND...: run it on a terminal of that size."""
import fcntl
import os
import pty
import struct
import sys
import termios

columns, rows = int(sys.argv[1]), int(sys.argv[2])
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    os.execvp(sys.argv[4], sys.argv[4:])
out = b""
while True:
    try:
        data = os.read(fd, 65536)
    except OSError:
        break
    if not data:
        break
    out += data
open(sys.argv[3], "wb").write(out)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END

cat >"$work/measure.py" <<'END'
"""Longest line that renews itself, and rows of the last screen."""
import re
import sys

columns = int(sys.argv[1])
text = open(sys.argv[2], "rb").read().decode()
plain = re.sub(r"\x1b\[[0-9;]*[mK]", "", text)
assert "\x1b" not in plain, "an escape that is neither colour nor erasing"
shown = [line for line in re.split(r"[\r\n]+", plain) if "] " in line]
summary = plain[re.search(r"^(PASS|FAIL)", plain, re.M).start():]
rows = sum(max(1, -(-len(line.rstrip("\r")) // columns))
           for line in summary.rstrip("\n").split("\n"))
print(max([len(line) for line in shown] or [0]), rows + 1)
END

# on COLUMNS ROWS COMMAND...: sets $code
on()
{
	code=0
	env NATSBURN_TEST_MARK="$mark" python3 "$work/ptyrun.py" "$1" "$2" \
		"$work/screen" "${@:3}" || code=$?
}

measure()
{
	read -r longest rows < <(python3 "$work/measure.py" "$1" "$work/screen") ||
		fail "nothing to measure"
}

has_colour()
{
	grep -q $'\033\[[0-9;]*m' "$work/screen"
}

export TERM=xterm
unset NO_COLOR
for size in 40x10 80x24 200x50; do
	columns=${size%x*} height=${size#*x}
	rm -rf "$work/run"
	on "$columns" "$height" "$NATSBURN" run liar --cluster null \
		--quiet-time 0 --duration 3s -o liar.plant=duplicate \
		-o liar.messages=3000 --out "$work/run"
	expect_code 1
	measure "$columns"
	[ "$longest" -gt 20 ] || fail "$size: no progress"
	[ "$longest" -lt "$columns" ] || fail "$size: a line of $longest"
	has_colour || fail "$size: no colours"
done
[ "$(tr '\r' '\n' <"$work/screen" | grep -c 'eta ')" -gt 0 ] ||
	fail "no time that is left"

# Many anomalies, long lines: still one screen.
rm -rf "$work/run"
on 80 24 "$NATSBURN" run liar --cluster null --quiet-time 0 --rounds 200 \
	--op-timeout 1s --consume-timeout 1s -o liar.plant=redelivered_after_ack \
	-o liar.legal=memory_loss --storage memory --out "$work/run"
for size in 80x24 60x24; do
	on "${size%x*}" "${size#*x}" "$NATSBURN" check "$work/run"
	measure "${size%x*}"
	[ "$rows" -le "${size#*x}" ] || fail "$size: a summary of $rows rows"
	grep -q 'redelivered_after_ack (' "$work/screen" ||
		fail "$size: does not say what was found"
done

NO_COLOR=1 on 80 24 "$NATSBURN" check "$work/run"
! has_colour || fail "colours in spite of NO_COLOR"
NO_COLOR='' on 80 24 "$NATSBURN" check "$work/run"
has_colour || fail "an empty NO_COLOR is none"
TERM=dumb on 80 24 "$NATSBURN" check "$work/run"
! has_colour || fail "colours on a dumb terminal"
natsburn check "$work/run"
cp "$work/out" "$work/screen"
! has_colour || fail "colours in a pipe"
[ "$(awk '{ if (length > n) n = length } END { print n }' "$work/out")" -gt 160 ] ||
	fail "a pipe has no width: nothing is cut there"
rm -rf "$work/run"
natsburn run liar --cluster null --quiet-time 0 --rounds 100 --out "$work/run"
cat "$work/out" "$work/err" >"$work/screen"
! grep -q $'[\033\r]' "$work/screen" || fail "escapes in a log"
expect_nothing_survives 10
