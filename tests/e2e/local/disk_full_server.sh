#!/bin/bash
# SPDX-License-Identifier: ISC
#
# disk_full: a server's disk is filled and freed, with root or without, and
# no mount is left or seen by others, also when everything is killed. Where
# neither is possible the run is skipped with the reason.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit

no_mount()
{
	! grep -q ' tmpfs .*natsburn\|^natsburn ' /proc/self/mounts
}

# As somebody else there is only the user namespace.
as()
{
	local who=$1

	shift
	if [ "$who" = root ]; then
		"$@"
	else
		setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
	fi
}

run_as()
{
	code=0
	as "$1" env NATSBURN_TEST_MARK="$mark" "$NATSBURN" run \
		queue-group-consumer --mayhem disk_full -o disk_full.size=64 \
		--fault-interval 1s --fault-duration 2s --quiet-time 1s \
		--duration 10s --server-bin "$server" --out "$work/$1/run" \
		>"$work/out" 2>"$work/err" || code=$?
}

expect_full_and_free()
{
	local report=$work/$1/run/report.json

	expect_code 0
	expect_nothing_survives 5
	no_mount || fail "a mount is seen outside"
	expect_healed "$1" "$report"
	expect 'all(.faults[]; .applied_how | startswith("0 of 64 MiB"))' \
		full "$report"
	# Two seconds under load: at least one server noticed.
	expect 'any(.faults[]; .healed_how | contains("it was unhealthy"))' \
		"an effect" "$report"
	expect_no_violation "$1" "$report"
	expect_same_check "$work/$1/run"
}

tested=0
if [ "$(id -u)" -eq 0 ]; then
	mkdir "$work/root" "$work/other"
	run_as root
	expect_full_and_free root
	tested=1
	chmod 755 "$work"
	chown 65534:65534 "$work/other"
	if as other test -x "$NATSBURN" -a -x "$server" -a -w "$work/other" &&
		as other unshare -Um true 2>/dev/null; then
		run_as other
		expect_full_and_free other
	fi
else
	mkdir "$work/root"
	if unshare -Um true 2>/dev/null; then
		run_as root
		expect_full_and_free root
		tested=1
	fi
fi

# Neither root's powers nor a namespace to be had: a skip that says why.
if unshare -Ur true 2>/dev/null; then
	code=0
	# shellcheck disable=SC2016
	unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces &&
		exec setpriv --bounding-set=-all --inh-caps=-all -- "$@"' sh \
		env NATSBURN_TEST_MARK="$mark" "$NATSBURN" run \
		queue-group-consumer --mayhem disk_full \
		--server-bin "$server" --out "$work/skipped" \
		>"$work/out" 2>"$work/err" || code=$?
	expect_code 3
	expect '.verdict == "skipped"' skipped "$work/skipped/report.json"
	expect '.reasons[0] | contains("user namespaces")' reason \
		"$work/skipped/report.json"
	tested=1
fi

# A load that fills a small disk by itself is given more.
if [ "$(id -u)" -eq 0 ]; then
	natsburn run pipeline --mayhem disk_full -o disk_full.size=16 \
		--fault-interval 1s --fault-duration 1s --quiet-time 3s \
		--duration 15s --server-bin "$server" --quiet \
		--out "$work/grown"
	expect '.harness.workers_died == 0' "the disks were too small" \
		"$work/grown/report.json"
	# By a fault after that, or by what was free at the end of one.
	expect 'any(.faults[]; .applied and
		((.applied_how | test("^0 of (32|64|128|256) MiB")) or
		(.healed_how | test("^(1[7-9]|[2-9][0-9]|[0-9]{3}) MiB"))))' \
		"no disk grew" "$work/grown/report.json"
fi

# kill -9 in the middle: nothing is left, neither process nor mount.
if [ "$(id -u)" -eq 0 ]; then
	start run queue-group-consumer --mayhem disk_full \
		-o disk_full.size=64 --fault-interval 1s \
		--fault-duration 30s --quiet-time 0 --duration 60s \
		--server-bin "$server" --out "$work/run"
	await_work
	kill -9 "$pid"
	expect_nothing_survives 10
	no_mount || fail "a mount survived"
fi
[ "$tested" -eq 1 ] || skip "neither root nor user namespaces"
