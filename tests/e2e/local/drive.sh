#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The simulated disks: a server loses its power and what it has not synced, is
# slow, and fails; each is seen and undone, nothing is lost that every server
# syncs, and no mount is left or seen outside, also when everything is killed.
# Without FUSE the run is skipped with the reason.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit
"$server" --version | grep -q 'v2\.9\.' && skip "2.9 has no sync_interval"
if [ "$(id -u)" -ne 0 ] ||
	! unshare -m sh -c 'exec 3<>/dev/fuse' 2>/dev/null; then
	skip "no FUSE: it needs root here and /dev/fuse"
fi

no_mount()
{
	! grep -q '^natsburn ' /proc/self/mounts
}

disks()
{
	local out=$work/$1

	shift
	natsburn run queue-group-consumer --fault-interval 300ms..1s \
		--fault-duration 500ms --quiet-time 1s --quiet \
		--server-bin "$server" --out "$out" "$@"
	expect_nothing_survives 5
	no_mount || fail "a mount is seen outside"
}

# Every write is synced: whatever the power takes, no ack is broken.
disks power --mayhem power_loss --sync always --tolerate none \
	-o power_loss.of=all -o power_loss.torn=true --duration 4s
report=$work/power/report.json
expect_code 0
expect_healed power "$report"
expect 'all(.faults[]; .applied_how | contains("not synced and are lost"))' \
	"what was lost" "$report"
expect_no_violation power "$report"
expect_same_check "$work/power"

disks slow --mayhem slow_disk --duration 4s
expect 'any(.faults[]; .applied and .healed and
	(.healed_how | contains("were late")))' slow "$work/slow/report.json"
disks errors --mayhem disk_error --duration 4s -o disk_error.of=write
expect 'any(.faults[]; .applied and .healed and
	(.applied_how | contains("failed with EIO")))' errors \
	"$work/errors/report.json"

# kill -9 in the middle: nothing is left, neither process nor mount.
start run queue-group-consumer --mayhem power_loss --fault-interval 300ms..1s \
	--fault-duration 30s --quiet-time 0 --duration 60s \
	--server-bin "$server" --out "$work/run"
await_work
kill -9 "$pid"
expect_nothing_survives 10
no_mount || fail "a mount survived"

# No FUSE.
code=0
# shellcheck disable=SC2016
unshare -m sh -c 'mount --bind /dev/null /dev/fuse && exec "$@"' sh \
	env NATSBURN_TEST_MARK="$mark" "$NATSBURN" run queue-group-consumer \
	--mayhem slow_disk --server-bin "$server" --out "$work/skipped" \
	>"$work/out" 2>"$work/err" || code=$?
expect_code 3
expect '.reasons[0] | contains("needs FUSE")' reason \
	"$work/skipped/report.json"
