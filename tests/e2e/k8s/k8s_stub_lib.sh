# shellcheck shell=bash
# SPDX-License-Identifier: ISC
#
# For tests with partitions: the STUB that enforces NetworkPolicies on the
# kit's node, k8s_netpol_stub.
kit_only="policies are enforced by a stub in its node"
# shellcheck source=tests/e2e/k8s/k8s_lib.sh
. "$(dirname "$0")/k8s_lib.sh"
command -v nft >/dev/null || skip "the stub needs nft"
k8s nft add table inet natsburn_test_try 2>"$work/nft" ||
	skip "nft does not work in the kit's node: $(<"$work/nft")"

stub_says()
{
	[ -s "$work/stub.log" ]
}

# stub "" or stub established
stub()
{
	touch "$work/stub"
	: >"$work/stub.log"
	k8s "$tests_dir/e2e/k8s/k8s_netpol_stub" "$work/stub" "$1" \
		>"$work/stub.log" 2>&1 &
	stub_pid=$!
	await 20 "the stub runs" stub_says
}

stub_ends()
{
	rm "$work/stub"
	await 20 "the stub ends" is_gone "$stub_pid"
	wait "$stub_pid" || fail "the stub: $(<"$work/stub.log")"
}
