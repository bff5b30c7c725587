#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Real packet loss: in a network namespace of the test's own, so that no rule
# of the host is ever touched. The table is there during the fault, drops
# packets, and is gone with the processes, also after kill -9. Without nft
# or without root the run is skipped with the reason.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit

lossy=(run queue-group-consumer --mayhem lossy_network
	-o lossy_network.nft=true --fault-interval 1s --fault-duration 4s
	--quiet-time 1s --server-bin "$server")

expect_skip()
{
	expect_code 3
	expect '.verdict == "skipped"' skipped
	expect '.reasons[0] | contains("nft says \"")' "what nft said"
}

if [ ! -x /usr/sbin/nft ] && [ ! -x /sbin/nft ] && [ ! -x /usr/bin/nft ]; then
	natsburn "${lossy[@]}" --out "$work/run"
	expect_skip
fi

PATH=$PATH:/usr/sbin:/sbin
command -v nft >/dev/null || skip "nft is not installed"
[ "$(id -u)" -eq 0 ] || {
	rm -rf "$work/run"
	natsburn "${lossy[@]}" --out "$work/run"
	expect_skip
	skip "only root can drop packets"
}
# As root of nothing but a user namespace of its own, nft may do nothing.
rm -rf "$work/run"
code=0
setpriv --bounding-set=-all --inh-caps=-all env NATSBURN_TEST_MARK="$mark" \
	"$NATSBURN" "${lossy[@]}" --out "$work/run" \
	>"$work/out" 2>"$work/err" || code=$?
expect_skip

command -v ip >/dev/null || skip "ip is not installed"
unshare -n true 2>/dev/null || skip "no network namespace can be made"
if [ "${NATSBURN_IN_NETNS:-}" != "$$" ]; then
	# The rest runs in there; this shell becomes it.
	trap - EXIT
	rm -rf "$work"
	NATSBURN_IN_NETNS=$$ exec unshare -n bash "$0"
fi
ip link set lo up
nft add table inet natsburn_probe '{ flags owner; }' 2>/dev/null ||
	skip "this kernel or nft has no tables with an owner"

no_table()
{
	! nft list tables | grep -q natsburn
}

has_table()
{
	! no_table
}

rm -rf "$work/run"
natsburn "${lossy[@]}" --duration 12s --out "$work/run"
expect_code 0
expect_nothing_survives 5
no_table || fail "the table survived"
expect '.faults | length > 0' faults
expect_healed "loss"
expect 'all(.faults[]; .applied_how | test("^[1-9][0-9]* packets dropped"))' \
	"packets dropped"

rm -rf "$work/run"
start "${lossy[@]}" --duration 60s --out "$work/run"
await 60 "the table is there" has_table
await_work
kill -9 "$pid"
expect_nothing_survives 10
await 5 "the table is gone" no_table
