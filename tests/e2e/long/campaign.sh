#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A campaign against ourselves, for hours: each process of a run is stopped
# for 5, 45 and 130 s in each phase, and killed in each phase. However long it
# takes, the run ends in bounded time, nothing survives, natsburn check agrees,
# and the verdict is true: never a violation, never the cluster's failure, and
# a pass where the run could go on. Not part of the tests:
#
#	NATSBURN=build/natsburn NATSBURN_SERVERS_DIR=.cache/servers \
#	    tests/e2e/long/campaign.sh	or: scripts/test --long
#
# SEED (printed) chooses order, tests and faults; TRIALS how many [all];
# STOPS for how many seconds [5 45 130]; TESTS and MODES which, ONLY is a pattern
# of trials, as printed: "stop links", "kill". A line a trial goes to stdout; what a trial
# that failed has left is kept.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/e2e/local/stopped_lib.sh
. "$(dirname "$0")/../local/stopped_lib.sh"

server=$(any_server) || exit
SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}
STOPS=${STOPS:-5 45 130}
say "SEED=$SEED"
RANDOM=$((SEED % 32768))

phases=(up setup start load drain audit)
read -ra tests <<<"${TESTS:-queue-group-consumer pipeline}"
read -ra modes <<<"${MODES:-none rolling_restart random_hard_kill}"

list()
{
	local victim phase seconds

	for phase in "${phases[@]}"; do
		for victim in orchestrator chaos links template worker; do
			for seconds in $STOPS; do
				echo "stop $victim $phase $seconds"
			done
			echo "kill $victim $phase 0"
		done
	done
}

# Those that are there in that phase, in the order that the seed gives.
mapfile -t trials < <(list | grep -E "${ONLY:-.}" |
	grep -Ev '(template|worker) up|links up|worker start' |
	awk -v seed="$SEED" 'BEGIN { srand(seed) }
		{ printf "%.9f %s\n", rand(), $0 }' | sort | cut -d' ' -f2-)

# Exit codes that are true: allowed KIND VICTIM PHASE SECONDS. 2 is what a
# run without enough of an operation under a fault ends with, 70 what standing
# still for longer than a child may is.
allowed()
{
	case $1-$2-$3-$4 in
	kill-orchestrator-*) echo 137 ;;
	kill-chaos-* | kill-links-* | kill-worker-setup-*) echo 70 ;;
	stop-*-5) if [ "$mode" = none ]; then echo 0; else echo 0 2; fi ;;
	stop-chaos-* | stop-links-* | stop-worker-setup-*) echo 0 2 70 ;;
	*) echo 0 2 ;;
	esac
}

# trial KIND VICTIM PHASE SECONDS: sets $code and $took; false when the
# process or the phase was not there.
trial()
{
	local before=$SECONDS was_there=0

	rm -rf "$work/run" "$work/run".*
	start run "$test" --mayhem "$mode" --quiet-time 2s --duration 15s \
		--server-bin "$server" --out "$work/run"
	hit "$@" || was_there=1
	finished 400
	took=$((SECONDS - before))
	return "$was_there"
}

hit()
{
	local pids

	case $3 in
	# There is no publisher before the load, either.
	drain | audit) await_phase load || return 1 ;;
	esac
	await_phase "$3" || return 1
	mapfile -t pids < <(victims "$2" "$3")
	if [ "$1" = stop ]; then
		stop_for "$4" "${pids[@]}"
	else
		kill -9 "${pids[@]}" 2>/dev/null
	fi
}

# What is wrong after a trial, nothing if all is well.
wrong()
{
	local got=0 want n

	case " $(allowed "$@") " in
	*" $code "*) ;;
	*) echo "exit code $code" ;;
	esac
	for ((n = 0; n < 200; n++)); do
		nothing_marked && break
		sleep 0.05
	done
	nothing_marked || echo "survivors: $(marked | tr '\n' ' ')"
	want=$code
	[ "$code" -ne 137 ] || want=2
	"$NATSBURN" check "$work/run" --json >/dev/null 2>&1 || got=$?
	[ "$got" -eq "$want" ] || echo "check says $got"
	[ "$code" -eq 137 ] || [ "$code" -eq 70 ] ||
		jq -e '.harness.gaps == 0' "$work/run/report.json" >/dev/null ||
		echo "gaps"
}

bad=0 done=0 missed=0
for one in "${trials[@]}"; do
	[ "$done" -lt "${TRIALS:-100000}" ] || break
	read -r kind victim phase seconds <<<"$one"
	test=${tests[RANDOM % ${#tests[@]}]}
	mode=${modes[RANDOM % ${#modes[@]}]}
	if ! trial "$kind" "$victim" "$phase" "$seconds"; then
		missed=$((missed + 1))
		echo "$one $test $mode: was not there"
		continue
	fi
	done=$((done + 1))
	what=$(wrong "$kind" "$victim" "$phase" "$seconds" | paste -sd';')
	echo "$one $test $mode: code $code, $took s${what:+: WRONG: $what}"
	if [ "$what" ]; then
		bad=$((bad + 1))
		mkdir -p "$work/kept"
		mv "$work/run" "$work/kept/$bad"
	fi
done
echo "$done trials, $bad wrong, $missed where nothing was there"
[ "$bad" -eq 0 ] || fail "$bad trials of $done; SEED=$SEED repeats them"
