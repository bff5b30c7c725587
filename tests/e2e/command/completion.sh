#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Completion in bash and zsh: what is asked for is offered, from the tables
# of this binary.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

natsburn --completion tcsh
expect_code 64
"$NATSBURN" --completion bash >"$work/bash" || fail "bash"
"$NATSBURN" --completion zsh >"$work/zsh" || fail "zsh"
"$NATSBURN" --completion fish >"$work/fish" || fail "fish"

# complete WORD...: what bash offers for the last one
complete_bash()
{
	bash --norc -c '
		. "$1"; shift
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		_natsburn 2>/dev/null
		printf "%s\n" "${COMPREPLY[@]}"' bash "$work/bash" "$@"
}

# offers EXPECTED WORD...: exactly these, in any order
offers()
{
	local got

	got=$(complete_bash "${@:2}" | sort | tr '\n' ' ')
	[ "${got% }" = "$1" ] || fail "${*:2}: offers \"$got\", not \"$1\""
}

cd "$work" || exit
mkdir rundir
offers "run" natsburn ru
offers "kv-cas kv-store" natsburn run kv
offers "--consume-timeout --consumers" natsburn run kv-cas --consum
offers "external" natsburn run kv-cas --cluster e
offers "external" natsburn run kv-cas --cluster = e
offers "file memory" natsburn run --storage ''
offers "none" natsburn run --mayhem no
offers "rolling_restart,random_reload" natsburn run --mayhem \
	rolling_restart,random_rel
offers "all" natsburn run --mayhem al
offers "pause,kill_all" natsburn mayhem pause,kill_al
offers "down" natsburn cluster d
offers "partition.shape=" natsburn run -o partition.sh
offers "checks" natsburn list ch
offers "rundir" natsburn check run
offers "liar.plant=" natsburn run liar -o liar.pl
offers "bash fish zsh" natsburn --completion ''
offers "" natsburn run --duration 1
for option in $("$NATSBURN" --help | sed -n 's/^  --\([a-z0-9-]*\).*/\1/p'); do
	complete_bash natsburn run "--$option" | grep -qx -- "--$option" ||
		fail "bash does not offer --$option"
	grep -q -- "'--${option}[=[]" "$work/zsh" ||
		fail "zsh does not offer --$option"
	grep -q "^complete -c natsburn -l $option -d '" "$work/fish" ||
		fail "fish does not offer --$option"
done
for test in $("$NATSBURN" list tests --json | jq -r '.tests[].name'); do
	offers "$test" natsburn run "$test"
done

offers "help" natsburn hel
offers "explain" natsburn exp
[ "$(grep -c -- '-n __fish_use_subcommand' "$work/fish")" -eq \
	"$("$NATSBURN" --help | grep -c '^  natsburn ')" ] ||
	fail "fish does not offer every command"
# Each line has its quotes in pairs.
awk '{ gsub(/\\./, ""); if (gsub(/\047/, "") % 2) exit 1 }' "$work/fish" ||
	fail "fish: quotes"
if command -v fish >/dev/null; then
	fish -n "$work/fish" || fail "fish can't read it"
fi

command -v zsh >/dev/null || skip "no zsh (bash was tested)"
zsh -n "$work/zsh" || fail "zsh can't read it"

# In a real one, on a terminal of its own: type, press tab, read.
cat >"$work/type.py" <<'END'
import os
import pty
import select
import sys
import time

folder, text = sys.argv[1:]
pid, fd = pty.fork()
if pid == 0:
    os.environ.update(TERM="dumb", PS1="", ZDOTDIR=folder)
    os.execvp("zsh", ["zsh", "-f", "-i"])


def read_until(mark):
    out, end = b"", time.monotonic() + 30
    while mark not in out and time.monotonic() < end:
        if select.select([fd], [], [], 0.2)[0]:
            out += os.read(fd, 65536)
    return out


os.write(fd, b"fpath=(%s $fpath); autoload -Uz compinit; compinit -u -D; "
         b"PS1=; print rea''dy\n" % folder.encode())
read_until(b"ready")
os.write(fd, text.encode() + b"\t")
os.write(fd, b"\x01print -r -- do''ne \x05\n")
out = read_until(b"done natsburn")
os.write(fd, b"\x03exit\n")
rest = b""
try:
    rest = os.read(fd, 65536)
except OSError:
    pass
os.kill(pid, 9)
os.waitpid(pid, 0)
sys.stdout.write((out + rest).decode(errors="replace"))
END
mkdir "$work/functions"
cp "$work/zsh" "$work/functions/_natsburn"
typed()
{
	python3 "$work/type.py" "$work/functions" "$1" >"$work/typed"
	grep -q "done $2" "$work/typed" ||
		fail "zsh makes of \"$1\": $(tail -n 3 "$work/typed")"
}
typed 'natsburn run kv-c' 'natsburn run kv-cas'
typed 'natsburn run --clus' 'natsburn run --cluster'
typed 'natsburn run --storage=mem' 'natsburn run --storage=memory'
expect_nothing_survives 5
