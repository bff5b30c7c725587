#!/bin/bash
# SPDX-License-Identifier: ISC
#
# natsburn shrink takes away what a failure does not need; natsburn bisect says
# which server is the first to have it, and when it can't know. The test that
# plants a broken promise does so on every server.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

cd "$work" || exit 1

refuse 64 'which run\? natsburn shrink RUN_DIR' shrink
refuse 64 '"/no/such": has no report.json' shrink /no/such
refuse 64 'which servers\? --server-bin OLD,...,NEW' bisect "$work/fail"
refuse 64 '--confidence "100": must be a number from 50 to 99' bisect \
	"$work/fail" --confidence 100

natsburn run liar --cluster null --quiet-time 0 --duration 6s --out pass
expect_code 0
refuse 64 '"pass": has no violation to look for' shrink pass
natsburn run liar --cluster null --quiet-time 0 --duration 6s --servers 2 \
	-o liar.plant=redelivered_after_ack -o liar.at=end --out fail
expect_code 1

natsburn shrink fail --tries 1 --out small
expect_code 0
grep -q '^natsburn run liar --duration 5s --cluster null .*-o liar.plant=' \
	"$work/out" || fail "not the smallest: $(<"$work/out")"
grep -q 'liar.at' "$work/out" && fail "keeps what is not needed"
grep -q '^1 of 1 runs have it; evidence small/try-' "$work/out" ||
	fail "no rate"
[ -s "$(sed -n 's/.*evidence //p' "$work/out")/report.json" ] ||
	fail "no evidence"

for v in 1.0.0 2.0.0; do
	printf '#!/bin/sh\necho nats-server: v%s\n' "$v" >"server-$v"
	chmod +x "server-$v"
done
natsburn bisect fail --tries 1 --server-bin ./server-1.0.0,./server-2.0.0 \
	--out which
expect_code 0
grep -q '^first with it: 1.0.0 (1 of 1)' "$work/out" || fail "not the first"
grep -q '^that is the oldest one given: it may be older' "$work/out" ||
	fail "claims to know"
await 20 "nothing runs" nothing_marked
