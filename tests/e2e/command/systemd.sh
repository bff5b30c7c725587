#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The example of a systemd unit: systemd understands it, and natsburn the
# options and variables in it. It stops by a signal to natsburn alone.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

unit=$root/scripts/natsburn.service

# values KEY: of the unit, one a line, continued lines joined
values()
{
	sed -e ':a' -e '/\\$/N; s/\\\n//; ta' "$unit" | sed -n "s/^$1=//p"
}

read -r -a command <<<"$(values ExecStart)"
[ "${command[0]}" = natsburn ] || fail "runs ${command[0]}"
mapfile -t variables < <(values Environment | tr ' ' '\n')
[ "${#variables[@]}" -gt 0 ] || fail "sets nothing"

# doctor knows every option and variable of run, and starts nothing: 64 is
# what it says to a wrong one. Modes and tests it does not look up.
natsburn_with()
{
	code=0
	env NATSBURN_TEST_MARK="$mark" "${variables[@]}" "$NATSBURN" doctor \
		--test "${command[2]}" "$@" >"$work/out" 2>"$work/err" || code=$?
}
for variable in "${variables[@]}"; do
	option=${variable%%=*}
	option=${option#NATSBURN_}
	option=${option,,}
	"$NATSBURN" --help | grep -q -- "^  --${option//_/-} " ||
		fail "$variable is of no option"
done
natsburn_with "${command[@]:3}"
[ "$code" -ne 64 ] || fail "natsburn refuses it: $(<"$work/err")"
variables+=(NATSBURN_MIX=many)
natsburn_with "${command[@]:3}"
expect_code 64
[ "${command[1]}" = run ] || fail "\"${command[1]}\" is no soak"
natsburn list --json
jq -e --arg name "${command[2]}" 'any(.tests[]; .name == $name)' \
	"$work/out" >/dev/null || fail "no test \"${command[2]}\""

# The first signal must reach natsburn and nobody else: servers and workers in
# the same group would go down with it, as a broken harness.
[ "$(values KillSignal)" = SIGINT ] || fail "stops by $(values KillSignal)"
[ "$(values KillMode)" = mixed ] || fail "KillMode is $(values KillMode)"

command -v systemd-analyze >/dev/null ||
	skip "no systemd-analyze (options and variables were tested)"
sed "s|^ExecStart=natsburn|ExecStart=$NATSBURN|" "$unit" \
	>"$work/natsburn.service"
# verify PROPERTY: what systemd says about the unit, with that line added
verify()
{
	sed "s|^Type=.*|&\n$1|" "$work/natsburn.service" \
		>"$work/try/natsburn.service"
	systemd-analyze verify --man=no "$work/try/natsburn.service" \
		>"$work/said" 2>&1 && [ ! -s "$work/said" ]
}
mkdir "$work/try"
verify "" || fail "systemd: $(<"$work/said")"
if verify "NoSuchThing=yes"; then
	fail "systemd-analyze objects to nothing: this proves nothing"
fi
