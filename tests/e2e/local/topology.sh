#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Servers that are no single cluster. A supercluster of two clusters with two
# servers each: the smallest in which a stream has a replica and a cluster has
# a gateway to servers of another. A hub of three and a leaf node: the smallest
# with streams of three replicas. All links go through the proxies, and a
# partition takes those between the clusters. What can't be is refused.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(server_of 2.10.27) || server=$(any_server) || exit $?

refused()
{
	local says=$1

	shift
	natsburn run pipeline --server-bin "$server" --out "$work/no" "$@"
	expect_code 64
	grep -Fq -- "$says" "$work/err" ||
		fail "$* is refused with: $(cat "$work/err")"
}

refused 'must be cluster, supercluster:CxN' --topology supercluster:1x3
refused 'at most 9 servers' --topology supercluster:4x3
refused '"leaf:3+1" has 4' --topology leaf:3+1 --servers 5
refused 'it is hub or leaf' --topology leaf:3+1 --js-domain a
refused 'leaf:N+M' --js-domain hub
refused 'more than the servers of a cluster: 2' \
	--topology supercluster:2x2 --replicas 3
refused 'of several clusters' --topology leaf:3+1 --mayhem peer_remove
refused 'needs --topology' --mayhem partition -o partition.shape=clusters

# cut TOPOLOGY LINKS: a run with the links between its clusters cut once. It
# has at least so many links through the proxies, and none past them.
cut()
{
	local report=$work/run/report.json

	rm -rf "$work/run"
	natsburn run kv-cas --topology "$1" --server-bin "$server" \
		--out "$work/run" --duration 6s --quiet-time 500ms --clients 2 \
		--mayhem partition -o partition.shape=clusters \
		--fault-interval 1s..1s --fault-duration 2s..2s --quiet
	expect_code 0
	expect ".topology == \"$1\"" "no topology in the report" "$report"
	expect '.servers | map(.cluster) | unique | length == 2' \
		"servers of one cluster only" "$report"
	expect '.faults[0] | .applied and .healed' "nothing was cut" "$report"
	"$NATSBURN" events "$work/run" | grep -F ' LINKS ' >"$work/links"
	awk -v least="$2" '{
		split($5, through, "="); split($6, past, "=")
		if (through[2] > most) most = through[2]
		if (past[2] > 0) exit 1
	} END { exit most < least }' "$work/links" ||
		fail "links of $1: $(cat "$work/links")"
	expect_nothing_survives 10
}

cut supercluster:2x2 6
cut leaf:3+1 4
