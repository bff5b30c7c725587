#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A nats-server that dies without being asked: natsburn starts it again and
# says so, and the run's verdict does not suffer.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit
start run queue-group-consumer --mayhem none --duration 10m --consumers 2 \
	--server-bin "$server" --out "$work/run"
await_work
victim=$(marked_with servers/n2/server.conf)
kill_hard "the server" "$victim"
await 30 "it is started again" runs servers/n2/server.conf
await_work
kill -INT "$pid"
finished 120
expect_code 0
expect_nothing_survives 5
expect '.verdict == "pass"' verdict
expect '[.anomalies[] | .kind + " " + .class] == ["crashed warning"]' \
	"a signal from outside is a warning"
expect '.anomalies[0].says | test("server n2 .* by signal 9: somebody else")' \
	"how it ended"
expect '.faults | length == 1 and .[0].target == "n2" and .[0].applied and
	.[0].healed' "the crash among the faults"
grep -q 'n2 ended by itself' "$work/err" || fail "it is not said"
expect_same_check "$work/run"
