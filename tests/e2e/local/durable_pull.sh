#!/bin/bash
# SPDX-License-Identifier: ISC
#
# durable-pull-consumer on real servers: lanes with a stream each under a
# rolling restart and reloads, on every server version there is; lanes that
# share one stream; lanes that are killed, whose successors take over what
# they left; replicas 1. A pass is asked for where servers have no known
# fault, and elsewhere nothing but the known ones.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

any=$(any_server) || exit $?

# Anomaly kinds that real faults of a version may show in this test:
# before 2.10.15 a consumer's leader confirms an ack before the others have
# it, before 2.11 a publish whose first attempt died with a stream's leader
# is refused as a duplicate until the window has passed, and replicas of 2.9
# have been seen to number messages differently (all fixed upstream).
known_faults()
{
	case $1 in
	2.[0-9].*)
		printf '%s ' redelivered_after_ack op_timeout seq_reuse \
			duplicate lost reorder
		;;
	2.10.*) printf '%s' op_timeout ;;
	esac
}

# lanes NAME SERVER OPTION...: a run; its verdict is judged by judge_lanes.
lanes()
{
	local name=$1 server=$2

	shift 2
	natsburn run durable-pull-consumer --server-bin "$server" --quiet \
		--out "$work/$name" "$@"
}

judge_lanes()
{
	local report=$work/$1/report.json

	expect_known "$1" "$(known_faults "$(version_of "$1")")"
	[ -n "$(violations_of "$report")" ] || expect_code 0
	expect '.rounds > 50' "$1: hardly any rounds" "$report"
	expect '.counts.scanned > 50' "$1: the audit read nothing" "$report"
	expect '.harness.gaps == 0' "$1: events are missing" "$report"
	expect_same_check "$work/$1"
	expect_nothing_survives 10
}

three_lanes()
{
	[ "$(marked_with '--child=worker lane' | wc -w)" -eq 3 ]
}

hurt=0
# Not 2.10.27: a server that was restarted now and then never catches up (it
# reads its routes and answers nothing), and such a run is inconclusive.
for version in 2.9.10 2.15.1; do
	server=$(server_of "$version") || continue
	hurt=1
	lanes "hurt-$version" "$server" --consumers 3 --duration 15s \
		--mayhem rolling_restart,random_reload,edit_stream \
		--fault-interval 2s
	judge_lanes "hurt-$version"
	expect 'any(.faults[]; .applied and .mode == "rolling_restart")' \
		"no restart took effect" "$work/hurt-$version/report.json"
	expect 'any(.faults[]; .mode == "edit_stream" and .applied and .healed)' \
		"no stream was edited, and back" "$work/hurt-$version/report.json"
	expect '.harness.workers_died == 0' "lanes died" \
		"$work/hurt-$version/report.json"
done
[ "$hurt" -eq 1 ] || say "no server versions: only $any is used"

# One stream for all: its name has no number.
lanes shared "$any" --consumers 4 --duration 6s \
	-o durable-pull-consumer.shared=true --mayhem backup_stream \
	-o backup_stream.replace=true --fault-interval 1s
judge_lanes shared
expect '.counts.scanned == .counts.publish.ok' \
	"the one stream was not read once" "$work/shared/report.json"
expect 'any(.faults[]; .mode == "backup_stream" and .applied)' \
	"it was not backed up" "$work/shared/report.json"
expect '.checks[] | select(.name == "bad_backup") | .judged > 0' \
	"its backup was not compared" "$work/shared/report.json"
find "$work/shared/servers" -type d -name 'NB_*_lane' | grep -q . ||
	fail "there is no shared stream"
find "$work/shared/servers" -type d -name 'NB_*_lane0' | grep -q . &&
	fail "a lane has a stream of its own"

# Without replicas a restart is an outage and no anomaly.
lanes single "$any" --consumers 2 --replicas 1 --duration 12s \
	--mayhem rolling_restart
judge_lanes single

# Lanes that are killed: what they leave is taken over, and an ack of which
# nobody knows whether the server has it convicts nobody.
start run durable-pull-consumer --server-bin "$any" --out "$work/run" \
	--consumers 3 --duration 10m --consume-timeout 4s \
	-o durable-pull-consumer.ack-wait=1s
for _ in 1 2 3; do
	await 20 "three lanes are there" three_lanes
	await_work
	for victim in $(marked_with '--child=worker lane'); do
		kill_hard "a lane" "$victim"
	done
done
await_work
kill -INT "$pid"
finished 120
judge_lanes run
expect '.harness.workers_died == 9' "deaths counted"
