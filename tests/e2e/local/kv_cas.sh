#!/bin/bash
# SPDX-License-Identifier: ISC
#
# kv-cas against real servers. One client has a perfect view and never sees
# a violation, whoever answers its reads. Four clients contend: servers
# before 2.9.21 accept two updates on one expected revision (nats-server
# issue 4320, no fault needed), which must be found; later ones must pass.
# With one replica a server that is down stops the bucket, lawfully. A
# client that is killed reads the keys again before it goes on.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

# kv SERVER OPTION...: a run of kv-cas under the graceful faults.
kv()
{
	local server=$1

	shift
	forget_run
	natsburn run kv-cas --mayhem rolling_restart,random_reload \
		--fault-interval 2s --duration 12s --server-bin "$server" \
		--out "$work/run" "$@"
	expect_nothing_survives 5
	expect '.rounds > 50 and .counts.updates == .rounds' rounds
	expect '.counts.reads >= .counts.updates' reads
	expect '.counts | .messages.KV_UPDATE_OK == .updates and
		.messages.KV_VALUE == .reads and
		.messages.KV_UPDATE >= .updates and
		(.messages | has("STREAM_LIST") | not)' "operations by message"
	expect '.harness.gaps == 0 and .harness.workers_died == 0' harness
	expect_same_check "$work/run"
}

tested=0
# Not 2.10.27: a server that was restarted now and then never catches up (it
# reads its routes and answers nothing), and such a run is inconclusive.
for version in 2.9.10 2.15.1; do
	server=$(server_of "$version") || continue
	tested=$((tested + 1))
	kv "$server" --clients 1 -o kv-cas.read=leader --aim publish
	expect_code 0
	expect '(.moments | length == 1 and .[0].moment == "publish" and
		.[0].came > 0) and
		([.faults[] | select(.distance_ms != null)] | length) ==
		.moments[0].came' "faults that met an update on its way"
	expect '.notes | any(contains("no update was ever contended"))' \
		"one client contends with nobody"
	expect '.checks | any(.name == "kv" and .says == "holds" and
		.judged > 0) and any(.name == "skipped" and
		.says == "not_exercised" and .judged == 0)' \
		"only what was exercised holds"
	expect '.anomalies | all(.[]; .class == "warning")' "leader reads"
	kv "$server" --clients 1 -o kv-cas.read=mixed -o kv-cas.keys=3 \
		-o kv-cas.history=5
	expect_code 0
	expect_no_violation "mixed reads"
	kv "$server" -o kv-cas.read=direct # with four clients
	case $version in
	2.9.*)
		expect_code 1
		expect 'all(.anomalies[] | select(.class == "violation");
			.kind == "cas_violated")' "only what is known"
		;;
	*)
		expect_code 0
		expect '.counts.rejected > 0 and .options.clients == "4" and
			(.notes | any(contains("contended")) | not)' \
			"contention"
		;;
	esac
done
[ "$tested" -gt 0 ] || skip "no server in NATSBURN_SERVERS_DIR"

server=$(any_server) || exit
kv "$server" --replicas 1 --clients 2 --op-timeout 2s
expect_code 0
expect_no_violation "one replica"

has_client()
{
	[ -n "$(marked_with '--child=worker client')" ]
}

forget_run
start run kv-cas --mayhem none --clients 1 --duration 10m \
	--server-bin "$server" \
	--out "$work/run"
for _ in 1 2 3; do
	await_work
	victim=$(marked_with "--child=worker client")
	[ "$(printf '%s\n' "$victim" | wc -w)" -eq 1 ] ||
		fail "not exactly one client: $victim"
	kill_hard "the client" "$victim"
	await 20 "a client is started again" has_client
done
await_work
kill -INT "$pid"
finished 120
expect_code 0
expect_nothing_survives 5
expect '.harness.workers_died == 3 and .harness.gaps == 0' "deaths counted"
expect_no_violation "killed clients"
expect_same_check "$work/run"
