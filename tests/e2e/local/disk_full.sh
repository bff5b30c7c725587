#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The disk under the run folder fills up: natsburn says so and ends as a
# fault of the harness; it neither crashes nor accuses the servers.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

[ "$(id -u)" -eq 0 ] || skip "only root can mount a small disk"
mkdir "$work/disk"
unmount()
{
	umount -l "$work/disk" 2>/dev/null
}
undo=unmount

small_disk()
{
	unmount
	mount -t tmpfs -o "size=$1" natsburn-test "$work/disk" 2>/dev/null ||
		skip "a small disk can't be mounted here"
}

expect_it_says_so()
{
	expect_code 70
	expect_nothing_survives 10
	grep -q 'No space left on device' "$work/err" ||
		fail "it does not say why"
	for left in reserve .bundle; do
		[ ! -e "$work/disk/run/$left" ] || fail "$left is still there"
	done
	# What was kept back is for the end: judged again it is the same.
	expect '.verdict == "inconclusive" and .exit_code == 70 and .finished and
		.rounds > 0' "the verdict" "$work/disk/run/report.json"
	expect_valid_report "$work/disk/run"
	expect_same_check "$work/disk/run"
	! grep -Eq 'AddressSanitizer|runtime error' "$work/disk/run/stderr.log" ||
		fail "a process crashed"
}

# Only the journal needs room; a quarter of it, at most 4 MiB, is kept back.
small_disk 16m
natsburn run liar --cluster null -o liar.rate=0 -o liar.messages=1000000 \
	--rounds 1000000 --duration 60s --out "$work/disk/run"
expect_it_says_so

# What was found before stays: the disk ends the load, not the verdict.
small_disk 16m
natsburn run liar --cluster null -o liar.rate=0 -o liar.messages=1000000 \
	-o liar.plant=corrupt -o liar.at=start --rounds 1000000 --duration 60s \
	--out "$work/disk/run"
expect_code 1
expect_nothing_survives 10
grep -q 'No space left on device' "$work/err" || fail "it does not say why"
expect '.finished and (.anomalies[0].events | length > 1)' "the evidence" \
	"$work/disk/run/report.json"
expect_same_check "$work/disk/run"
[ ! -e "$work/disk/run/.bundle" ] || fail "half a bundle is still there"

# The servers' stores need it, too.
server=$(any_server) || exit
small_disk 6m
natsburn run queue-group-consumer --servers 1 --replicas 1 --mayhem none \
	--consumers 2 --duration 5m -o queue-group-consumer.size=16384 \
	--server-bin "$server" --out "$work/disk/run"
expect_it_says_so
