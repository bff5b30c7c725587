#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Something between clients and server passes deliveries on twice: that is
# delivered_twice, and no audit trips over it. Of a bucket's audit a delivery
# is lost besides, in its second round: there is a third. Somebody else's only
# server convicts, as monitoring shows the same process all the time.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit
command -v python3 >/dev/null || skip "python3 is not installed"

ports_file()
{
	jq -e '.nats[0] and .monitoring[0]' "$work"/*.ports >/dev/null 2>&1
}

# tampered MODE OPTION...: a run through a proxy of its own.
tampered()
{
	local mode=$1 proxy

	shift
	rm -f "$work/proxy"
	forget_run
	env NATSBURN_TEST_MARK="$mark" "$tests_dir/tools/tamper_proxy.py" \
		"$mode" "$work/proxy" "$upstream" &
	proxy=$!
	await 30 "the proxy listens" test -s "$work/proxy"
	natsburn run "$@" --cluster external --replicas 1 --mayhem none \
		--url "nats://127.0.0.1:$(cat "$work/proxy")" \
		--monitor "$monitor" --out "$work/run"
	kill "$proxy"
	wait "$proxy" 2>/dev/null
	expect '.reasons | all(test("audit") | not)' "the audit is whole"
}

env NATSBURN_TEST_MARK="$mark" "$server" -a 127.0.0.1 -p -1 -m -1 -js \
	-sd "$work/store" --ports_file_dir "$work" \
	>"$work/server.log" 2>&1 &
theirs=$!
await 30 "the server listens" ports_file
upstream=$(jq -r '.nats[0] | sub(".*:"; "")' "$work"/*.ports)
monitor=$(jq -r '.monitoring[0]' "$work"/*.ports)

tampered twice=7 pipeline --rate 200/s --duration 4s
expect_code 1
expect '[.anomalies[] | select(.class == "violation") | .kind] |
	unique == ["delivered_twice"]' "the deliveries that came twice"
expect_same_check "$work/run"
tampered twice=7,drop=_2. kv-cas -o kv-cas.history=3 --duration 1s
expect_code 0
expect '.anomalies == []' "a bucket's audit"
kill "$theirs"
wait "$theirs" 2>/dev/null
