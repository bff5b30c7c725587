# shellcheck shell=bash
# SPDX-License-Identifier: ISC
#
# A process of ours that is stopped or killed in a phase of a run: what
# stopped.sh and long/campaign.sh share. They source this after lib.sh.

# victims NAME PHASE: pids of the processes of that name, the orchestrator's
# or of a child; "worker" is the one that has to do in that phase.
victims()
{
	case $1-$2 in
	orchestrator-*) printf '%s\n' "${pid:?}" ;;
	worker-setup) marked_with "--child=worker setup" ;;
	worker-audit) marked_with "--child=worker audit" ;;
	worker-*) marked_with "--child=worker consumer" | head -n 1 ;;
	*) marked_with "--child=$1" ;;
	esac
}

# await_phase PHASE: the run that start began is in it. False when it has
# ended before, or when it was too short to be seen.
await_phase()
{
	local deadline=$((SECONDS + 120)) bytes

	bytes=$(journal_bytes)
	until is_phase "$1" "$bytes"; do
		if is_gone "${pid:?}" || is_past "$1"; then
			return 1
		fi
		[ "$SECONDS" -lt "$deadline" ] ||
			fail "waited in vain for phase $1"
		sleep 0.02
	done
}

is_phase()
{
	case $1 in
	up) runs --child=chaos ;;
	setup) runs "--child=worker setup" ;;
	start) runs "--child=worker consumer" ;;
	load) journal_has $(($2 + 30000)) ;;
	drain) ! runs "--child=worker publisher" ;;
	audit) runs "--child=worker audit" ;;
	*) fail "unknown phase $1" ;;
	esac
}

# Of phases that are short: one that comes later is seen.
is_past()
{
	case $1 in
	setup) runs "--child=worker consumer" ;;
	*) false ;;
	esac
}

# stop_for SECONDS PID...: false when none was there any more.
stop_for()
{
	local seconds=$1

	shift
	[ $# -gt 0 ] && kill -STOP "$@" 2>/dev/null || return 1
	sleep "$seconds"
	kill -CONT "$@" 2>/dev/null || return 0
}
