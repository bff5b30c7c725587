#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The same seed means the same faults, on the same servers, at the same
# offsets; another seed means others. And the command that a report names
# repeats its run.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit

# Faults of a run, by mode: what lies beyond the end of one is cut off.
faults_of()
{
	jq -c --argjson n "$2" '[.faults[] | {mode, target, planned_t}] |
		group_by(.mode) | map(.[0:$n])' "$1/report.json"
}

reloads_of()
{
	jq '[.faults[] | select(.mode == "random_reload")] | length' \
		"$1/report.json"
}

run_with()
{
	start run queue-group-consumer --servers 3 --replicas 1 --consumers 1 \
		--mayhem rolling_restart,random_reload,scale_stream \
		--fault-interval 500ms \
		--quiet-time 0 --duration 6s --seed "$2" \
		--server-bin "$server" --out "$work/$1"
	finished 120
	expect_code 0
	[ "$(reloads_of "$work/$1")" -ge 3 ] || fail "too few reloads"
}

run_with a 4711
run_with b 4712
report=$work/a/report.json
jq -e '[.faults[] | select(.mode == "scale_stream" and .applied and .healed and
	(.target | test(" to R3$")))] | length >= 1' "$report" >/dev/null ||
	fail "no stream was scaled and scaled back: $(jq -c .faults "$report")"

command=$(jq -r .command "$work/a/report.json")
case $command in
*" --seed 4711 "*) ;;
*) fail "the command does not name the seed: $command" ;;
esac
eval "set -- ${command#natsburn }"
start "$@" --out "$work/c"
finished 120
expect_code 0

n=$(reloads_of "$work/a")
[ "$n" -le "$(reloads_of "$work/c")" ] || n=$(reloads_of "$work/c")
[ "$(faults_of "$work/a" "$n" | jq -c '.[0]')" = \
	"$(faults_of "$work/c" "$n" | jq -c '.[0]')" ] ||
	fail "one seed, two schedules of reloads"
[ "$(faults_of "$work/a" 1 | jq -c '.[1]')" = \
	"$(faults_of "$work/c" 1 | jq -c '.[1]')" ] ||
	fail "one seed, two schedules of restarts"
[ "$(faults_of "$work/a" 3 | jq -c '.[0]')" != \
	"$(faults_of "$work/b" 3 | jq -c '.[0]')" ] ||
	fail "two seeds, one schedule"

# A replay has the faults of its run, at the times at which they began: none
# earlier, and no others.
start replay "$work/a" --out "$work/d"
finished 120
expect_code 0
jq -e -n --slurpfile a "$work/a/report.json" --slurpfile d \
	"$work/d/report.json" '[$a[0].faults[] | {mode, planned_t, t}] as $had |
	($d[0].faults | length > 0) and ($d[0].faults | all(. as $f |
	$had | any(.mode == $f.mode and .planned_t == $f.planned_t and
	.t < $f.t + 0.5)))' >/dev/null || fail "another schedule"
