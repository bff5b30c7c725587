#!/bin/bash
# SPDX-License-Identifier: ISC
#
# SIGINT and SIGTERM end the load in an orderly way: heal, audit, judge what
# was seen. A second one kills everything at once.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit

begin()
{
	forget_run
	start run queue-group-consumer --duration 10m --consumers 2 \
		--server-bin "$server" --out "$work/run" "$@"
}

# Without faults: a pass, although the load was short.
begin --mayhem none
await_work
kill -INT "$pid"
finished 90
expect_code 0
expect_nothing_survives 5
expect '.verdict == "pass" and .counts.scanned >= .counts.publish.ok' verdict
expect_same_check "$work/run"

# In the middle of a fault: it is healed first.
begin --mayhem rolling_restart
await 60 "all servers run" runs servers/n3/server.conf
first=$(marked_with servers/n3/server.conf)
await 60 "the first server is stopped" is_gone "$first"
kill -TERM "$pid"
finished 120
expect_nothing_survives 5
expect_healed "interrupted"
expect_no_violation "interrupted"
# Whether anything succeeded in that moment is up to chance.
[ "$code" -eq 0 ] || expect '.exit_code == 2 and
	(.reasons == ["no operation succeeded while a fault was in force"])' \
	"exit code $code"
expect_same_check "$work/run"

# Before there is anything to judge.
begin --mayhem none
await 30 "the run begins" test -e "$work/run/journal"
kill -INT "$pid"
finished 60
expect_code 2
expect_nothing_survives 5
expect '.verdict == "inconclusive"' verdict

# Twice.
begin --mayhem rolling_restart
await_work
kill -INT "$pid"
await 10 "natsburn says that it ends" grep -q interrupted "$work/err"
kill -INT "$pid"
finished 20
expect_code 130
expect_nothing_survives 5
